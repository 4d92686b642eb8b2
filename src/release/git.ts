import { execa } from 'execa';
import type { Workspace } from './workspace.ts';

/** What git says on stdout, without the final newline; undefined where it fails or isn't there. */
export async function git(
  directory: string,
  args: readonly string[],
  workspace: Pick<Workspace, 'environment'>,
): Promise<string | undefined> {
  const result = await execa('git', args, {
    cwd: directory,
    reject: false,
    extendEnv: false,
    env: workspace.environment.subprocess,
  });
  return result.failed ? undefined : result.stdout.trim();
}
