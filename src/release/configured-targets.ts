import { resolve } from 'node:path';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { createHttp } from '../http/create-http.ts';
import { bucketStorage } from '../targets/mirror/bucket/bucket-storage.ts';
import { directoryStorage } from '../targets/mirror/directory-storage.ts';
import { createMirrorTarget } from '../targets/mirror/mirror-target.ts';
import type { RemoteTuning } from '../targets/remote.ts';
import type { Target } from '../targets/target.ts';
import { githubInstallation, mirrorAddresses } from './addresses.ts';
import type { Workspace } from './workspace.ts';

/**
 * The targets that release.json names, in the order in which they are uploaded to. GITHUB_API_URL,
 * GITHUB_SERVER_URL and HF_ENDPOINT redirect our requests where release.json names no installation
 * of its own.
 */
export async function configuredTargets(
  config: ReleaseConfig,
  workspace: Workspace,
  tuning: RemoteTuning = {},
): Promise<readonly Target[]> {
  const targets: Target[] = [];
  const { environment } = workspace;
  const endpoint = config.huggingface && (config.huggingface.endpoint ?? environment.hfEndpoint);
  const github = config.github && githubInstallation(config, environment);
  // Without tokens: each target knows which of its addresses get its own.
  const hosts = { huggingFaceEndpoint: endpoint, githubServerUrl: github?.serverUrl, githubApiUrl: github?.apiUrl };
  const patience = { http: createHttp({ ...environment.proxy, ...hosts }), ...tuning };
  const tagPrefix = config.tag_prefix;
  if (config.github) {
    const { createGithubTarget } = await import('../targets/github/github-target.ts');
    targets.push(
      createGithubTarget({
        repository: config.github.repository,
        tagPrefix,
        makeLatest: config.github.make_latest ?? false,
        token: environment.githubToken,
        ...github,
        allowPrivate: true,
        tuning: patience,
      }),
    );
  }
  if (config.huggingface) {
    const { createHuggingfaceTarget } = await import('../targets/huggingface/huggingface-target.ts');
    targets.push(
      createHuggingfaceTarget({
        repository: config.huggingface.repository,
        tagPrefix,
        token: environment.hfToken,
        ...(endpoint === undefined ? {} : { endpoint }),
        allowPrivate: true,
        tuning: patience,
      }),
    );
  }
  if (config.mirror) {
    const { base_url: root, probe = true } = config.mirror;
    const address = 's3' in config.mirror ? config.mirror.s3 : undefined;
    const allowInsecure = [root, address?.endpoint].some((url) => url?.startsWith('http:'));
    const quiet = { http: createHttp({ ...environment.proxy, allowInsecure }), ...tuning };
    targets.push(
      createMirrorTarget({
        storage:
          'directory' in config.mirror
            ? directoryStorage(resolve(workspace.directory, config.mirror.directory))
            : bucketStorage(config.mirror.s3, quiet, environment.bucketCredentials),
        tagPrefix,
        ...(probe && { addresses: mirrorAddresses(config) }),
        tuning: quiet,
      }),
    );
  }
  return targets;
}
