import { canonicalJson } from '../../contract/canonical-json.ts';
import type { LockedModel } from '../../contract/lock-file.ts';
import { type ManifestModel, manifestVersion } from '../../contract/manifest.ts';
import * as semver from '../../contract/versions.ts';
import { meantBy, type Wanted, weightsOf } from '../../contract/wanted-weights.ts';
import { AircherError, integrityError, isAircherError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { fillFrom } from '../install/install-from.ts';
import { type Installation, type InstallOptions, installVersion } from '../install/install-version.ts';
import type { KnownManifest } from '../manifests/good-manifest.ts';
import { lockCommand, lockedModel, type ModelsLock, offeredWeights } from './read-lock.ts';

/**
 * Makes present exactly what the lock file says of a model: its version, with the weights that are
 * locked, or `weights` of these. No manifest source is asked, and no host where all is there; what
 * is missing comes from `from` (a folder or an archive), else from the hosts that the entry names.
 * Throws `usage` for a name, a version or weights that the lock lacks, `integrity` where the cache
 * has other bytes under that version, and as `installVersion`.
 */
export async function installLocked(
  client: Client,
  lock: ModelsLock,
  name: string,
  options: RunContext &
    Pick<InstallOptions, 'makeCurrent' | 'weights'> & {
      readonly range?: string | undefined;
      readonly from?: string | undefined;
    },
): Promise<Installation> {
  const { range, weights, from, ...how } = options;
  const locked = lockedModel(lock, name);
  const { version } = locked.entry;
  if (range !== undefined && !semver.satisfies(version, range)) {
    throw usageError(
      `${lock.path} has ${name} ${version}, not ${range}.`,
      `Lock that: ${lockCommand(lock.path, `${name}@${range}`)}`,
    );
  }
  const known = lockedManifest(lock, name, locked);
  const target = { name, version, entry: locked.entry, from: known };
  const kept = weights === undefined ? locked.weights : lockedWeights(lock, name, locked, weights);
  const fill = from === undefined ? undefined : fillFrom(from, known, name, how);
  const installation = await installVersion(client, target, { ...how, kept, fill }).catch((error: unknown) => {
    throw heldAgainst(lock.path, error);
  });
  if (contentOf(installation.record.entry) === contentOf(locked.entry)) return installation;
  throw integrityError(
    `${name} ${version} is installed with other content than ${lock.path} says.`,
    `Who changed it? ${lockCommand(lock.path, '--check')} holds the lock against its release. To replace what is installed: remove ${name}`,
  );
}

/** What the lock file has of the manifest that the entry is from. */
function lockedManifest({ path, content }: ModelsLock, name: string, locked: LockedModel): KnownManifest {
  // Earlier versions would be asked for at hosts.
  const { published_versions: _, ...entry } = locked.entry;
  const { namespace } = content;
  const manifest = { manifest_version: manifestVersion, namespace, release: locked.release, models: { [name]: entry } };
  const { manifest_sha256: sha256 } = locked;
  // Like a manifest that the caller names as a file, it may name addresses of this machine.
  return { manifest, bytes: undefined, sha256, signature: undefined, url: path, local: true };
}

/** The weights that are asked for, where they are among the locked ones. */
function lockedWeights({ path }: ModelsLock, name: string, { entry, weights }: LockedModel, asked: string): Wanted {
  const meant = meantBy(entry, asked);
  const paths = pathsOf(entry, weights);
  const isLocked = meant.length === 1 && pathsOf(entry, meant).every((one) => paths.includes(one));
  if (isLocked || weights.includes(asked)) return meant;
  // Of a format there may be none, or several.
  const [only] = meant.length === 1 ? meant : [];
  throw usageError(
    `${path} has ${weights.join(', ')} of ${name}, not ${asked}.`,
    only !== undefined
      ? `Lock them: ${lockCommand(path, name, ...[...weights, only].flatMap((one) => ['--weights', one]))}`
      : `${name} ${entry.version} has: ${offeredWeights(entry)}.`,
  );
}

/** Bytes were held against the lock file: where they differ, either may be wrong. */
function heldAgainst(path: string, error: unknown): unknown {
  if (!isAircherError(error, 'integrity')) return error;
  const { code, message, details } = error;
  const problems = error.problems.map((problem) => ({ ...problem, hint: undefined }));
  const hint = `${path} says what it must be. Whether that is right: ${lockCommand(path, '--check')}`;
  return new AircherError(code, message, { hint, details, problems, cause: error });
}

/** Each rendition that is meant, by its path; the word itself where the entry names none. */
function pathsOf(entry: ManifestModel, wanted: Wanted): readonly string[] {
  const all = (entry.weights ?? []).map(({ path }) => path);
  return wanted.flatMap((one) => (one === 'all' ? all : [weightsOf(entry, one)?.path ?? one]));
}

/** What two entries of one version have in common though other releases list them. */
function contentOf({ version, sha256, files, weights, embedding }: ManifestModel): string {
  const listed = files?.map((file) => [file.path, file.size_bytes, file.sha256]);
  return canonicalJson([version, sha256, listed, weights, embedding?.space]);
}
