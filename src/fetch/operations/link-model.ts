import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mapConcurrently } from '../../core/concurrency.ts';
import { conflictError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { readInstalled } from '../cache/installed.ts';
import { withModelLock } from '../cache/model-lock.ts';
import { directoryOf, type InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { type FileLinks, openSnapshot, type Placed, placeFile, putInPlace } from '../hugging-face-snapshot.ts';

export interface LinkReport {
  readonly name: string;
  readonly version: string;
  /** Its id there: `owner/name`. */
  readonly repository: string;
  readonly revision: string;
  /** The snapshot's directory. */
  readonly path: string;
  /** `main`, the version: what leads to the snapshot. */
  readonly refs: readonly string[];
  /** Files, by how they came there. */
  readonly linked: number;
  readonly copied: number;
  readonly present: number;
}

interface LinkOptions extends RunContext {
  /** The id; default: the repository on the Hub that the release names. */
  readonly as?: string | undefined;
  /** What becomes of refs that something else has put there. */
  readonly refs?: 'keep' | 'replace' | undefined;
}

/**
 * Puts an installed version into the Hugging Face cache: files, then the refs `main` and the
 * version, each by one rename, so that a kill leaves what the next run completes. What is there
 * stays: a ref that something else has put there, and a file of other bytes, are a `conflict`.
 * Throws `usage` where nothing says which id it gets, `integrity` for a damaged install.
 */
export async function linkModel(
  client: Client,
  record: InstallRecord,
  { as, refs: choice, ...context }: LinkOptions,
  fileSystem?: FileLinks,
): Promise<LinkReport> {
  const { model: name, version, files } = record;
  const { repository, revision } = placeOf(record, as);
  const { huggingFaceCache: cache } = client;
  if (cache === undefined) {
    throw usageError('Nothing says where the Hugging Face cache is.', 'Set HF_HOME or HF_HUB_CACHE.');
  }
  const folder = join(cache, `models--${repository.replace('/', '--')}`);
  const path = join(folder, 'snapshots', revision);
  return withModelLock(client.layout, name, context, async (isAlone) => {
    const refs = await refsToWrite(client, record, { folder, revision, choice });
    const isOwn = record.cache === client.layout;
    const remedy = isOwn
      ? `Fetch what is wrong: verify --repair ${name}`
      : 'Whoever keeps the system cache can repair it.';
    const place = { folder, path, source: directoryOf(record), remedy };
    const snapshot = await openSnapshot(place, isAlone, fileSystem);
    const placed = await mapConcurrently(files, 4, (file) => placeFile(snapshot, file, context));
    for (const ref of refs.missing) {
      const write = (temporary: string): Promise<void> => writeFile(temporary, revision, { flush: true });
      await putInPlace(folder, join(folder, 'refs', ref), write);
    }
    const count = (how: Placed): number => placed.filter((one) => one === how).length;
    const counts = { linked: count('linked'), copied: count('copied'), present: count('present') };
    return { name, version, repository, revision, path, refs: refs.all, ...counts };
  });
}

/** The Hub's source at its revision, or what the caller names, at a revision of our own making. */
function placeOf(
  { model: name, version, entry, namespace = 'OWNER' }: InstallRecord,
  as: string | undefined,
): Pick<LinkReport, 'repository' | 'revision'> {
  const source = /^[0-9a-f]{40}$/.test(entry.source?.revision ?? '') ? entry.source : undefined;
  const repository = as ?? source?.huggingface;
  if (repository === undefined) {
    throw usageError(
      `The release of ${name} ${version} names no repository on the Hub, whose id it could have.`,
      `Name an id: link ${name} --hf-cache --as ${namespace}/${name}`,
    );
  }
  // As huggingface_hub has it. Its cache writes the slash as two dashes.
  const word = /^\w(?:[\w.-]*\w)?$/;
  const words = repository.split('/');
  const isId = words.length === 2 && words.every((one) => word.test(one)) && !/--|\.\./.test(repository);
  if (!isId || repository.length > 96) {
    throw usageError(`${JSON.stringify(repository)} is not the id of a repository on the Hub.`, 'Name one: OWNER/NAME');
  }
  const isSource = repository === source?.huggingface;
  return { repository, revision: isSource ? source.revision : entry.sha256.slice(0, 40) };
}

/**
 * Which refs lead to the revision, and which of them must be written. Throws `conflict` where one
 * leads to what no version of this model is, and the caller hasn't chosen.
 */
async function refsToWrite(
  { layout }: Client,
  { model: name, version, entry }: InstallRecord,
  {
    folder,
    revision,
    choice,
  }: Pick<LinkReport, 'revision'> & {
    readonly folder: string;
    readonly choice: LinkOptions['refs'];
  },
): Promise<{ readonly all: readonly string[]; readonly missing: readonly string[] }> {
  const read = async (ref: string): Promise<string | undefined> =>
    (await readFileIfThere(join(folder, 'refs', ref)))?.toString('utf8').trim();
  const versions = [...((await readInstalled(layout, name))?.versions ?? []), ...(entry.published_versions ?? [])];
  const ours = await Promise.all(versions.map((one) => read(one.version)));
  const found = await Promise.all(
    ['main', version].map(async (ref) => {
      const leadsTo = await read(ref);
      const isFree = leadsTo === undefined || leadsTo === revision || (ref === 'main' && ours.includes(leadsTo));
      return { ref, leadsTo, isFree };
    }),
  );
  const foreign = found.find(({ isFree }) => !isFree);
  if (foreign !== undefined && choice === undefined) {
    throw conflictError(
      `${join(folder, 'refs', foreign.ref)} leads to ${foreign.leadsTo}, which is no version of ${name} that was linked.`,
      `Choose: --refs keep leaves it so, and programs name the revision ${revision}; --refs replace makes it lead to ${name} ${version}; --as OWNER/NAME takes another id.`,
    );
  }
  const meant = found.filter(({ isFree }) => isFree || choice === 'replace');
  return {
    all: meant.map(({ ref }) => ref),
    missing: meant.filter(({ leadsTo }) => leadsTo !== revision).map(({ ref }) => ref),
  };
}
