import { join } from 'node:path';
import { catalogueMark, catalogueName } from '../../contract/catalogue-mark.ts';
import { parseChecksums } from '../../contract/checksums.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Target } from '../../targets/target.ts';
import { bundleName } from '../documents/client-bundle.ts';
import { checksumsDocument, isWellSigned } from '../documents/signed-documents.ts';
import { checksumsName } from '../documents/write-checksums.ts';
import { newestRelease, type PublishedRelease } from '../published/accepted-releases.ts';
import { countingKeys } from '../published/counting-keys.ts';
import type { Workspace } from '../workspace.ts';
import { composeCatalogue } from './catalogue.ts';

export interface SiteReport {
  readonly tag: string;
  readonly directory: string;
  readonly files: readonly { readonly name: string; readonly size_bytes: number; readonly sha256: Sha256 }[];
}

/**
 * Writes the catalogue and the client of the newest published release (no prerelease) into a
 * directory that some web server, such as GitHub Pages, serves. Throws `invalid` where nothing is
 * published, `integrity` where no host has a client that the release's checksums name, `conflict`
 * where another page than a catalogue of ours stands there.
 */
export async function writeSite(
  directory: string,
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<SiteReport> {
  const page = join(directory, catalogueName);
  const before = await readFileIfThere(page);
  if (before !== undefined && !before.includes(catalogueMark)) {
    throw new AircherError('conflict', `${page} is not a catalogue of ours`, {
      hint: 'Move it away, or name another directory.',
    });
  }
  const release = await newestRelease(config, targets, workspace);
  const files = [
    { name: bundleName, bytes: await readClient(release, config, targets, workspace) },
    { name: catalogueName, bytes: Buffer.from(composeCatalogue(config, release)) },
  ];
  for (const { name, bytes } of files) await writeFileAtomically(join(directory, name), bytes);
  return {
    tag: release.tag,
    directory,
    files: files.map(({ name, bytes }) => ({ name, size_bytes: bytes.length, sha256: sha256(bytes) })),
  };
}

/** From the first host that has it as the release's checksums name it. */
async function readClient(
  release: PublishedRelease,
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<Buffer> {
  const { tag, version, kinds } = release;
  const keys = countingKeys(config, version);
  for (const target of targets.filter(({ kind }) => kinds.includes(kind))) {
    const read = (name: string) => target.readDocument(tag, name, workspace);
    const checksums = await read(checksumsName);
    if (checksums === undefined) continue;
    if (keys.length > 0) {
      const signature = await read(`${checksumsName}.minisig`);
      if (signature === undefined || !isWellSigned(checksumsDocument(checksums, tag), signature, keys)) continue;
    }
    const bytes = await read(bundleName);
    const named = digestsIn(checksums);
    if (bytes && named.get('manifest.json') === release.sha256 && named.get(bundleName) === sha256(bytes)) return bytes;
  }
  throw new AircherError('integrity', `no host has the ${bundleName} that the checksums of ${tag} name`, {
    hint: `Run \`aircher-models verify ${tag}\` to see what is wrong where.`,
  });
}

function digestsIn(checksums: Buffer): ReadonlyMap<string, Sha256> {
  try {
    return new Map(
      parseChecksums(checksums.toString(), checksumsName).map(({ name, sha256: digest }) => [name, digest]),
    );
  } catch (error) {
    if (error instanceof AircherError) return new Map();
    throw error;
  }
}
