import { dirname, join } from 'node:path';
import { type RunContext, warn } from '../../core/events.ts';
import { makeDirectory, moveTree } from '../../core/write-files.ts';
import { isRealDirectory, readLinkedVersion } from './installed.ts';
import type { CacheLayout } from './layout.ts';

/** Whether a real directory lies at `models/<name>` that isn't a copy of ours. */
export async function isForeignDirectory(layout: CacheLayout, name: string): Promise<boolean> {
  return (await isRealDirectory(layout.current(name))) && (await readLinkedVersion(layout, name)) === undefined;
}

/** Moves what lies at `models/<name>` to `set-aside/`; the place where it is then. */
export async function moveAside(layout: CacheLayout, name: string): Promise<string> {
  const aside = join(layout.setAside, `${name}-${new Date().toISOString().replace(/[:.]/g, '-')}`);
  await makeDirectory(dirname(aside));
  await moveTree(layout.current(name), aside);
  return aside;
}

/** Tells of somebody's own files that were moved. */
export function warnOfMoved(layout: CacheLayout, name: string, aside: string, context: RunContext): void {
  warn(context, {
    file: layout.current(name),
    message: `held files of no published version of ${name}; they were moved to ${aside}`,
    hint: 'Delete them there if you need none of them.',
  });
}
