import { resolve } from 'node:path';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { createMirrorTarget } from '../targets/mirror.ts';
import type { Target } from '../targets/target.ts';
import type { Workspace } from './workspace.ts';

/** The targets that release.json names, in the order in which they are uploaded to. */
export async function configuredTargets(config: ReleaseConfig, workspace: Workspace): Promise<readonly Target[]> {
  const targets: Target[] = [];
  if (config.mirror) {
    targets.push(
      createMirrorTarget({
        directory: resolve(workspace.directory, config.mirror.directory),
        tagPrefix: config.tag_prefix,
      }),
    );
  }
  return targets;
}
