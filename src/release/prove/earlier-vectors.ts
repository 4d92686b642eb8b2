import { join } from 'node:path';
import { vectorsName } from '../../contract/artifacts.ts';
import { limits } from '../../contract/limits.ts';
import type { ManifestModel, SpaceEvidence } from '../../contract/manifest.ts';
import { parseReferenceVectors, type ReferenceVectors } from '../../contract/reference-vectors.ts';
import { AircherError, integrityError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Target } from '../../targets/target.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Plan } from '../plan/plan-record.ts';
import type { Workspace } from '../workspace.ts';

/**
 * Reference vectors of an older version, by the release that published them and their digest.
 */
export type EarlierVectors = SpaceEvidence['origin'];

/** Those of the last published version. */
export function lastVectors(previous: ManifestModel | null): EarlierVectors | undefined {
  if (previous?.reference === undefined || previous.release === undefined) return undefined;
  return { version: previous.version, release: previous.release, sha256: previous.reference.sha256 };
}

/**
 * Those of the version in which the last version's space began. Where fingerprints alone tell that
 * the space is an older one, the last version's are as good: it makes the same vectors.
 */
export function originVectors(previous: ManifestModel | null): EarlierVectors | undefined {
  return previous?.space_evidence?.origin ?? lastVectors(previous);
}

/** In a folder of its own, since it is no artifact of this release. */
function earlierPath(model: string, { version }: EarlierVectors, workspace: Workspace): string {
  return join(workspace.out, 'earlier', `${model}-${version}.vectors.json`);
}

/**
 * Brings the vectors that this release's are measured by from the hosts into `<out>/earlier/`, by
 * digest, so that later steps need no host. Missing ones stop the release (`remote`) only where a
 * space is to be kept.
 */
export async function fetchEarlierVectors(
  { config }: LoadedConfig,
  plan: Plan,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<void> {
  for (const { name, action, previous } of plan.models) {
    const model = config.models[name];
    if (action !== 'pack' || model?.reference === undefined) continue;
    const [last, origin] = [lastVectors(previous), originVectors(previous)];
    for (const earlier of new Set([last, model.keep_space ? origin : undefined])) {
      if (earlier === undefined || (await isHere(name, earlier, workspace))) continue;
      const bytes = await fetchOne(name, earlier, workspace.offline ? [] : targets, workspace);
      if (bytes !== undefined) await writeFileAtomically(earlierPath(name, earlier, workspace), bytes);
      else if (model.keep_space && !workspace.offline) throw notFound(name, earlier);
      else warn(workspace, { message: `${notFound(name, earlier).message}: this version's are compared with none` });
    }
  }
}

/** What is something else, as after a version that was given up, is fetched again. */
async function isHere(model: string, earlier: EarlierVectors, workspace: Workspace): Promise<boolean> {
  return (await readEarlierVectors(model, earlier, workspace).catch(() => undefined)) !== undefined;
}

async function fetchOne(
  model: string,
  { release, sha256: digest }: EarlierVectors,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<Buffer | undefined> {
  for (const target of targets) {
    const bytes = await target.readDocument(release, vectorsName(model), workspace, { maxBytes: limits.vectorsBytes });
    if (bytes !== undefined && sha256(bytes) === digest) return bytes;
  }
  return undefined;
}

/**
 * Reads what `plan` brought; undefined where it isn't there. Throws `integrity` where it is
 * something else.
 */
export async function readEarlierVectors(
  model: string,
  earlier: EarlierVectors,
  workspace: Workspace,
): Promise<ReferenceVectors | undefined> {
  const file = earlierPath(model, earlier, workspace);
  const bytes = await readBoundedFile(file, limits.vectorsBytes);
  if (bytes === undefined) return undefined;
  if (sha256(bytes) !== earlier.sha256)
    throw integrityError(`${file} is not what was published`, 'Delete it, and run `aircher-models plan` again.');
  return parseReferenceVectors(bytes, file);
}

/** The origin's vectors where the space is to be kept; undefined where there is nothing to keep. */
export async function requireOrigin(
  model: string,
  previous: ManifestModel | null,
  workspace: Workspace,
): Promise<{ readonly of: EarlierVectors; readonly vectors: ReferenceVectors } | undefined> {
  const of = originVectors(previous);
  if (of === undefined) return undefined;
  const vectors = await readEarlierVectors(model, of, workspace);
  if (vectors === undefined) throw notFound(model, of);
  return { of, vectors };
}

function notFound(model: string, { version, release }: EarlierVectors): AircherError {
  return new AircherError(
    'remote',
    `no host has the reference vectors of ${model} ${version} (${release}) as they were published`,
    {
      hint: 'Run `aircher-models plan` where the hosts can be reached, and `aircher-models status` for that release.',
    },
  );
}
