import { join } from 'node:path';
import { defaultHubEndpoint, type ModelConfig } from '../../contract/release-config.ts';
import { HubApi } from '../../targets/huggingface/hub-api.ts';
import { checkedBase, createPatience, type RemoteTuning } from '../../targets/remote.ts';
import type { Workspace } from '../workspace.ts';

/** A model whose source is a Hub repository, pinned to a commit. */
export interface HubSource {
  readonly model: string;
  /** `owner/name`. */
  readonly repository: string;
  /** A full commit id. */
  readonly revision: string;
  /** Where its files are staged: `<out>/.sources/<model>/<revision>`. */
  readonly directory: string;
  readonly config: ModelConfig;
}

/** The Hub source of a model, or undefined where its source is a directory. */
export function hubSourceOf(model: string, config: ModelConfig, workspace: Workspace): HubSource | undefined {
  if ('directory' in config.source) return undefined;
  const { huggingface: repository, revision } = config.source;
  return { model, repository, revision, directory: stagedDirectory(model, revision, workspace), config };
}

function stagedDirectory(model: string, revision: string, workspace: Workspace): string {
  return join(workspace.out, '.sources', model, revision);
}

/**
 * The Hub's calls for a source: HF_ENDPOINT and HF_TOKEN count. Throws `usage` for an endpoint that
 * isn't https.
 */
export function openHub(source: HubSource, workspace: Workspace, tuning: RemoteTuning): HubApi {
  const { hfEndpoint, hfToken } = workspace.environment;
  return new HubApi(
    {
      repository: source.repository,
      endpoint: checkedBase(hfEndpoint ?? defaultHubEndpoint, 'HF_ENDPOINT'),
      token: hfToken,
      patience: createPatience(tuning),
    },
    { signal: workspace.signal, onEvent: workspace.onEvent },
  );
}
