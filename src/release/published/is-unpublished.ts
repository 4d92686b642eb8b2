import type { ReleaseConfig } from '../../contract/release-config.ts';
import { isAircherError } from '../../core/errors.ts';
import type { Target } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';
import { localHolder } from './holders.ts';

/**
 * Whether nothing was ever published, as far as anybody knows: no host lists a release, and
 * `manifests/published/` has none. Before its first release a host's repository may not be there at
 * all. Throws `remote` where a host doesn't answer.
 */
export async function isUnpublished(
  config: ReleaseConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<boolean> {
  if ((await localHolder(config, workspace)).tags.length > 0) return false;
  for (const target of targets) {
    const tags = await target.published(workspace).catch((error: unknown) => {
      if (isNotThere(error, target, workspace)) return [];
      throw error;
    });
    if (tags.length > 0) return false;
  }
  return true;
}

/** The Hub tells nobody without a token which repositories there are not: it answers 401. */
function isNotThere(error: unknown, { kind }: Target, { environment }: Workspace): boolean {
  if (!isAircherError(error)) return false;
  const { status } = error.details;
  return status === 404 || (status === 401 && kind === 'huggingface' && environment.hfToken === undefined);
}
