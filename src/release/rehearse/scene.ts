import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { exists } from '../../core/read-files.ts';
import { generateKeys } from '../../trust/generate-keys.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import type { StandIns } from './stand-ins.ts';

export interface Scene {
  readonly loaded: LoadedConfig;
  readonly workspace: Workspace;
  readonly differences: readonly string[];
}

/** The release as the stand-ins need it, as little changed as can be. */
export async function setScene(
  loaded: LoadedConfig,
  workspace: Workspace,
  standIns: StandIns,
  directory: string,
): Promise<Scene> {
  const differences = ['The hosts are empty: this is the first release, so every model is packed.'];
  let { config } = loaded;
  let { environment } = workspace;
  if (config.mirror && standIns.mirror) {
    // Clients know no other name for a mirror's host than the one in the manifest.
    config = { ...config, mirror: standIns.mirror };
    const storage = 's3' in standIns.mirror ? 'bucket' : 'directory';
    differences.push(`The mirror's URLs are below ${standIns.mirror.base_url}; its ${storage} is an empty one.`);
  }
  if ((config.signing?.public_keys ?? []).length > 0 && environment.signingKey === undefined) {
    const keys = await generateKeys({ keyDirectory: join(directory, 'keys') });
    environment = { ...environment, signingKey: keys.secretKeyPath, signingPassword: undefined };
    config = { ...config, signing: { ...config.signing, public_keys: [keys.publicKey] } };
    differences.push('AIRCHER_SIGNING_KEY is not set: a key made for this rehearsal signs.');
  }
  const withdrawn = (config.yanked ?? []).filter((yank) => config.models[yank.model]?.version === yank.version);
  if (withdrawn.length > 0) {
    config = { ...config, yanked: config.yanked?.filter((yank) => !withdrawn.includes(yank)) };
    const names = withdrawn.map((yank) => `${yank.model} ${yank.version}`).join(', ');
    differences.push(`${names} counts as not yanked: empty hosts have no earlier version to go back to.`);
  }
  const kept = Object.entries(config.models).flatMap(([name, model]) => (model.keep_space ? [name] : []));
  if (kept.length > 0) {
    differences.push(`"keep_space" of ${kept.join(', ')} isn't tried: empty hosts have no version to measure by.`);
  }
  const out = join(directory, 'release');
  await mkdir(out, { recursive: true });
  const staged = join(workspace.out, '.sources');
  if (await exists(staged)) await symlink(staged, join(out, '.sources'), 'junction');
  return {
    loaded: { ...loaded, config },
    workspace: { ...workspace, out, environment, offline: false, models: undefined },
    differences,
  };
}

/**
 * Without installations of its own that release.json names: their place is taken by the stand-ins.
 * The manifest still names them.
 */
export function withoutOwnHosts(config: ReleaseConfig): ReleaseConfig {
  const { github, huggingface, ...others } = config;
  const { server_url: _server, api_url: _api, ...ownGithub } = github ?? { repository: '' };
  const { endpoint: _endpoint, ...ownHub } = huggingface ?? { repository: '' };
  return { ...others, ...(github && { github: ownGithub }), ...(huggingface && { huggingface: ownHub }) };
}
