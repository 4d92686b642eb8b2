import { cp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { hasSystemCode } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import {
  makeDirectory,
  renamePatiently,
  syncDirectory,
  temporaryName,
  writeFileAtomically,
} from '../../core/write-files.ts';
import { isForeignDirectory, moveAside, warnOfMoved } from './foreign-directory.ts';
import { copyMarker, isRealDirectory, readInstalled, readLinkedVersion, recordOf } from './installed.ts';
import type { CacheLayout } from './layout.ts';

/** What switching needs of the file system; a test puts faults in their place. */
export interface LinkFileSystem {
  readonly symlink: typeof symlink;
  readonly rename: typeof rename;
  readonly rm: typeof rm;
  readonly cp: typeof cp;
}

export interface SwitchOptions {
  readonly platform?: NodeJS.Platform;
  readonly fileSystem?: LinkFileSystem;
  /** How long a rename is tried again where other programs hold files open. */
  readonly patienceMs?: number;
}

/**
 * Makes `models/<name>` lead to an installed version. The intention is written first, so that any
 * later command completes what a kill interrupts. On POSIX the switch is one rename over a relative
 * link. Windows has no such rename: there a junction (or a copy, where the file system has no
 * junctions) is made beside, the old one removed, the new one renamed.
 *
 * A real directory of somebody else at `models/<name>` is moved to `set-aside/`, with a warning.
 */
export async function switchCurrent(
  layout: CacheLayout,
  name: string,
  version: string,
  options: SwitchOptions & RunContext = {},
): Promise<void> {
  if (await isForeignDirectory(layout, name)) warnOfMoved(layout, name, await moveAside(layout, name), options);
  await writeFileAtomically(layout.intent(name), `${version}\n`);
  await pointCurrent(layout, name, version, options);
}

/**
 * The second half of `switchCurrent`: what heals a switch that was interrupted. Does nothing where
 * all is right.
 */
export async function pointCurrent(
  layout: CacheLayout,
  name: string,
  version: string,
  options: SwitchOptions = {},
): Promise<void> {
  if ((await readLinkedVersion(layout, name)) === version) return;
  const { platform = process.platform, fileSystem = { symlink, rename, rm, cp } } = options;
  const path = layout.current(name);
  const { cache = layout } = recordOf(await readInstalled(layout, name), version) ?? {};
  const target = cache.version(name, version);
  await makeDirectory(dirname(path));
  const temporary = temporaryName(path);
  const isWindows = platform === 'win32';
  try {
    try {
      // A junction needs no privilege, unlike a symbolic link, but an absolute target on the same
      // machine.
      if (isWindows) await fileSystem.symlink(target, temporary, 'junction');
      else await fileSystem.symlink(cache === layout ? relative(dirname(path), target) : target, temporary);
    } catch (error) {
      if (!refusesLinks(error)) throw error;
      await fileSystem.cp(target, temporary, { recursive: true, errorOnExist: true, force: false });
      await writeFile(join(temporary, copyMarker), '');
    }
    if (isWindows || (await isRealDirectory(path))) await removeCurrent(layout, name, fileSystem);
    await renamePatiently(temporary, path, {
      rename: fileSystem.rename,
      ...(options.patienceMs !== undefined && { patienceMs: options.patienceMs }),
    });
  } catch (error) {
    await fileSystem.rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Removes `models/<name>`, which must be a link or a copy of ours. */
export async function removeCurrent(
  layout: CacheLayout,
  name: string,
  fileSystem: Pick<LinkFileSystem, 'rm'> = { rm },
): Promise<void> {
  await fileSystem.rm(layout.current(name), { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
}

/** What file systems without links answer (FAT and exFAT, some network shares). */
export function refusesLinks(error: unknown): boolean {
  return hasSystemCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'UNKNOWN');
}
