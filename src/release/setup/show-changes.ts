import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { removeTree } from '../../core/write-files.ts';
import type { Workspace } from '../workspace.ts';

/** A text file, by its path in the repository, before and after. */
export interface Change {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** The changes as `git diff` shows them; empty where there are none, or no git. */
export async function showChanges(
  changes: readonly Change[],
  { environment }: Pick<Workspace, 'environment'>,
): Promise<string> {
  if (changes.length === 0) return '';
  const directory = await mkdtemp(join(tmpdir(), 'aircher-changes-'));
  try {
    for (const { path, before, after } of changes) {
      for (const [side, text] of [
        ['a', before],
        ['b', after],
      ] as const) {
        await mkdir(dirname(join(directory, side, path)), { recursive: true });
        await writeFile(join(directory, side, path), text);
      }
    }
    // Exit code 1 says that there are differences.
    const result = await execa('git', ['diff', '--no-index', '--no-prefix', '--no-color', '--no-ext-diff', 'a', 'b'], {
      cwd: directory,
      reject: false,
      extendEnv: false,
      env: environment.subprocess,
    });
    return result.stdout;
  } finally {
    await removeTree(directory);
  }
}
