import { join } from 'node:path';
import semver from 'semver';
import { catalogueMark, catalogueName } from '../../contract/catalogue-mark.ts';
import { limits } from '../../contract/limits.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { TargetRelease } from '../target.ts';
import { isTaken, makeReadable, readOrdinary, writeReadable } from './directory.ts';
import { releaseIn } from './served-address.ts';

/** What the root has of the newest release for people. */
const pages = ['aircher.mjs', catalogueName] as const;
/** By these, the last one above all, clients find it. */
export const pointers = ['manifest.json.minisig', 'manifest.json.asc', 'manifest.json'] as const;

/**
 * Lets the root name a release: first what people see, then what clients read, the manifest last.
 * Leaves the root alone for a prerelease, and where it names a newer release.
 */
export async function movePointers(directory: string, release: TargetRelease, context: RunContext): Promise<void> {
  if (release.prerelease || (await namesNewer(directory, release))) return;
  for (const name of [...pages, ...pointers]) {
    const path = join(directory, name);
    const bytes = await readOrdinary(join(directory, release.tag, name), limits.manifestBytes);
    const before = await readOrdinary(path, limits.manifestBytes);
    if (bytes === undefined) continue;
    const isOurs = before === undefined ? !(await isTaken(path)) : before.includes(catalogueMark);
    if (before?.equals(bytes)) await makeReadable(path);
    else if (name === catalogueName && !isOurs) {
      warn(context, {
        file: path,
        message: 'is not a catalogue of ours, and stays as it is',
        hint: `The catalogue is ${join(release.tag, name)}. To have it at the root too, move the other away and publish again.`,
      });
    } else await writeReadable(path, (handle) => handle.writeFile(bytes));
  }
}

/** Publishing an old release again leaves the pointer to a newer one alone. */
async function namesNewer(directory: string, release: TargetRelease): Promise<boolean> {
  const path = join(directory, 'manifest.json');
  const bytes = await readOrdinary(path, limits.manifestBytes);
  if (bytes === undefined) return false;
  const tag = releaseIn(bytes, path) ?? '';
  const version = tag.slice(release.tag.length - release.version.length);
  return semver.valid(version) !== null && semver.gt(version, release.version) && (await release.isOurs(tag));
}
