import semver from 'semver';
import { catalogueMark, catalogueName } from '../../contract/catalogue-mark.ts';
import { limits } from '../../contract/limits.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { type Patience, persist } from '../remote.ts';
import type { TargetRelease } from '../target.ts';
import { releaseIn } from './served-address.ts';
import type { MirrorStorage } from './storage.ts';

/** What the root has of the newest release for people. */
const pages = ['aircher.mjs', catalogueName] as const;
/** By these, the last one above all, clients find it. */
const pointers = ['manifest.json.minisig', 'manifest.json.asc', 'manifest.json'] as const;
/** What must not stand in the way; a page of somebody's may. */
export const ownNames = ['aircher.mjs', ...pointers] as const;

/**
 * Lets the root name a release: first what people see, then what clients read, the manifest last.
 * Leaves the root alone for a prerelease, and where it names a newer release.
 */
export async function movePointers(
  storage: MirrorStorage,
  release: TargetRelease,
  patience: Patience,
  context: RunContext,
): Promise<void> {
  if (release.prerelease || (await namesNewer(storage, release, context))) return;
  for (const name of [...pages, ...pointers]) {
    await persist(`writing ${storage.at(name)}`, patience, context, () => movePointer(storage, release, name, context));
  }
}

async function movePointer(
  storage: MirrorStorage,
  release: TargetRelease,
  name: string,
  context: RunContext,
): Promise<void> {
  const path = `${release.tag}/${name}`;
  const bytes = (await storage.read(path, limits.manifestBytes, context))?.bytes;
  if (bytes === undefined) return;
  const before = await storage.read(name, limits.manifestBytes, context);
  const isOurs = before === undefined || before.bytes?.includes(catalogueMark);
  if (name === catalogueName && !isOurs) {
    warn(context, {
      file: storage.at(name),
      message: 'is not a catalogue of ours, and stays as it is',
      hint: `The catalogue is ${storage.at(path)}. To have it at the root too, move the other away and publish again.`,
    });
  } else await storage.replace(name, bytes, before, context);
}

/** Publishing an old release again leaves the pointer to a newer one alone. */
async function namesNewer(storage: MirrorStorage, release: TargetRelease, context: RunContext): Promise<boolean> {
  const bytes = (await storage.read('manifest.json', limits.manifestBytes, context))?.bytes;
  if (bytes === undefined) return false;
  const tag = releaseIn(bytes, storage.at('manifest.json')) ?? '';
  const version = tag.slice(release.tag.length - release.version.length);
  return semver.valid(version) !== null && semver.gt(version, release.version) && (await release.isOurs(tag));
}
