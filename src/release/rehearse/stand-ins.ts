import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import type { Faults } from '../../rehearsal/faults.ts';
import type { WritableHost } from '../../rehearsal/foreign-release.ts';
import { startGitHub } from '../../rehearsal/github/server.ts';
import { startHub } from '../../rehearsal/hub/server.ts';
import type { LogEntry } from '../../rehearsal/request-log.ts';
import { startS3 } from '../../rehearsal/s3/server.ts';
import { startStaticMirror } from '../../rehearsal/static-mirror.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import type { ReleaseEnvironment } from '../workspace.ts';
import type { StandInName } from './named-faults.ts';

export interface StandIn {
  readonly name: StandInName;
  readonly faults: Faults;
  readonly requests: readonly LogEntry[];
  /** How somebody else writes to it. */
  readonly writable: WritableHost;
  close(): Promise<void>;
}

/** The hosts that release.json names, on this machine, empty. */
export interface StandIns {
  readonly all: readonly StandIn[];
  /** What redirects the release's requests to them, with tokens that are good there only. */
  readonly environment: Partial<ReleaseEnvironment>;
  /** What redirects a client to them. */
  readonly clientEnvironment: Readonly<Record<string, string>>;
  /** The mirror as release.json is to name it. */
  readonly mirror: ReleaseConfig['mirror'];
  close(): Promise<void>;
}

/**
 * Stand-ins answer at once, and count no minutes: so no request waits for its turn, and what stalls
 * is soon given up.
 */
export const rehearsalTuning: RemoteTuning = {
  baseDelayMs: 50,
  maxDelayMs: 1000,
  maxWaitMs: 60_000,
  lagMs: 200,
  lookEveryMs: 50,
  publicMs: 15_000,
  writeEveryMs: 0,
  unnamedWaitMs: 1000,
  deadlines: { connectMs: 5000, stallMs: 10_000 },
};

const unlimited = Number.POSITIVE_INFINITY;

/** Starts what release.json names; everything they keep is below `directory`. */
export async function startStandIns(
  config: ReleaseConfig,
  directory: string,
  commit: string | undefined,
): Promise<StandIns> {
  const all: StandIn[] = [];
  const environment: { -readonly [Name in keyof ReleaseEnvironment]?: ReleaseEnvironment[Name] } = {};
  const clientEnvironment: Record<string, string> = {};
  let mirror: StandIns['mirror'];
  const close = async (): Promise<void> => {
    await Promise.all(all.map((standIn) => standIn.close()));
  };
  try {
    if (config.github) {
      const [owner = '', name = ''] = config.github.repository.split('/');
      const token = `rehearsal-${randomUUID()}`;
      const github = await startGitHub({
        stateDirectory: join(directory, 'github'),
        tokens: { [token]: { login: owner, push: true } },
        repositories: [{ owner, name, ...(commit === undefined ? {} : { commits: [{ sha: commit }] }) }],
        rateLimits: {
          authenticatedPerHour: unlimited,
          pointsPerMinute: unlimited,
          contentCreationsPerMinute: unlimited,
          contentCreationsPerHour: unlimited,
        },
      });
      const { repository } = config.github;
      all.push({
        name: 'github',
        faults: github.faults,
        requests: github.log.entries,
        writable: { kind: 'github', apiUrl: github.apiUrl, token, repository },
        close: github.close,
      });
      Object.assign(environment, { githubToken: token, githubApiUrl: github.apiUrl, githubServerUrl: github.url });
      Object.assign(clientEnvironment, { GITHUB_SERVER_URL: github.url, GITHUB_API_URL: github.apiUrl });
    }
    if (config.huggingface) {
      const { repository } = config.huggingface;
      const token = `rehearsal-${randomUUID()}`;
      const hub = await startHub({
        stateDirectory: join(directory, 'hub'),
        accounts: { [token]: { user: repository.split('/')[0] ?? '', role: 'write' } },
      });
      all.push({
        name: 'huggingface',
        faults: hub.faults,
        requests: hub.log.entries,
        writable: { kind: 'huggingface', url: hub.url, token, repository },
        close: hub.close,
      });
      await hub.createRepository(repository);
      Object.assign(environment, { hfToken: token, hfEndpoint: hub.url });
      clientEnvironment.HF_ENDPOINT = hub.url;
    }
    if (config.mirror) {
      const root = join(directory, 'mirror');
      const address = 's3' in config.mirror ? config.mirror.s3 : undefined;
      const served = address === undefined ? root : join(root, address.bucket, address.prefix ?? '');
      await mkdir(served, { recursive: true });
      const server = await startStaticMirror({ directory: served });
      const { faults, log } = server;
      const keys = { accessKeyId: 'rehearsal', secretAccessKey: randomUUID() };
      const s3 =
        address && (await startS3({ directory: root, ...address, accounts: { rehearsal: keys }, faults, log }));
      all.push({
        name: 'mirror',
        faults,
        requests: log.entries,
        writable: { kind: 'mirror', directory: served },
        close: async () => {
          await Promise.all([server.close(), s3?.close()]);
        },
      });
      mirror =
        address && s3
          ? { base_url: server.url, s3: { ...address, endpoint: s3.url } }
          : { base_url: server.url, directory: root };
      if (s3) environment.bucketCredentials = keys;
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { all, environment, clientEnvironment, mirror, close };
}
