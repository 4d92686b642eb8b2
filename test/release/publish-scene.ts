import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa, type ResultPromise } from 'execa';
import type { ReleaseConfig } from '../../src/contract/release-config.ts';
import type { OnEvent } from '../../src/core/events.ts';
import { type GitHubOptions, noRateLimits } from '../../src/rehearsal/github/options.ts';
import { type GitHub, startGitHub } from '../../src/rehearsal/github/server.ts';
import type { HubOptions } from '../../src/rehearsal/hub/server.ts';
import { type Hub, startHub } from '../../src/rehearsal/hub/server.ts';
import type { Limits } from '../../src/rehearsal/pacing.ts';
import { createRequestLog, type LogEntry, type RequestLog } from '../../src/rehearsal/request-log.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { configuredTargets } from '../../src/release/configured-targets.ts';
import { type LoadedConfig, loadConfig } from '../../src/release/load-config.ts';
import { isWrite } from '../../src/release/rehearse/traffic.ts';
import type { Workspace } from '../../src/release/workspace.ts';
import type { Target } from '../../src/targets/target.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { quickTuning } from './quick-tuning.ts';

export const repository = 'acme/models';
export const quickCli = fileURLToPath(new URL('quick-cli.ts', import.meta.url));

/** Tokens that say where they turn up. */
export const tokens = { github: 'ghp_canaryOfGithub0123456789', hub: 'hf_canaryOfTheHub0123456789' } as const;

export interface PublishSceneOptions {
  readonly limits?: Limits;
  readonly github?: Partial<GitHubOptions>;
  readonly hub?: Partial<HubOptions>;
  /** Sees every request as it begins. */
  readonly onRequest?: (entry: LogEntry) => void;
}

/** A maintainer's directory, and all three hosts on this machine. */
export interface PublishScene {
  readonly workspace: ReleaseWorkspace;
  readonly github: GitHub;
  readonly hub: Hub;
  readonly mirror: StaticMirror;
  /** Variables that lead a process to the hosts, with tokens. */
  readonly env: Readonly<Record<string, string>>;
  /** Writes release.json for all three hosts. */
  configure(changes?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Runs aircher-models as a process, with little patience. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): ResultPromise<{ reject: false }>;
  /** For runs inside this process: what the commands hand to the release steps. */
  inside(onEvent?: OnEvent): Promise<InsideRun>;
  /** Requests to all hosts, in the order in which they came to each. */
  requests(): readonly LogEntry[];
  writes(): readonly string[];
  clearLogs(): void;
  /** Whatever the tests injected ends. */
  clearFaults(): void;
  close(): Promise<void>;
}

export interface InsideRun {
  readonly loaded: LoadedConfig;
  readonly workspace: Workspace;
  readonly targets: readonly Target[];
}

const unlimited = Number.POSITIVE_INFINITY;

/** With a test, everything is gone after it; else `close` does that. */
export async function createPublishScene(
  t: TestContext | undefined,
  options: PublishSceneOptions = {},
): Promise<PublishScene> {
  const state = await mkdtemp(join(tmpdir(), 'aircher-hosts-'));
  const log = (): RequestLog => {
    const inner = createRequestLog();
    return {
      entries: inner.entries,
      clear: inner.clear,
      add: (entry) => {
        inner.add(entry);
        options.onRequest?.(entry);
      },
    };
  };
  const limits = options.limits ?? {};
  const github = await startGitHub({
    stateDirectory: join(state, 'github'),
    tokens: { [tokens.github]: { login: 'maintainer', push: true } },
    repositories: [{ owner: 'acme', name: 'models' }],
    rateLimits: noRateLimits,
    log: log(),
    limits,
    ...options.github,
  });
  const calls = { api: unlimited, resolvers: unlimited };
  const hub = await startHub({
    stateDirectory: join(state, 'hub'),
    accounts: { [tokens.hub]: { user: 'acme', role: 'write' } },
    rateLimits: { anonymous: calls, user: calls, commitsPerHour: unlimited },
    log: log(),
    limits,
    ...options.hub,
  });
  await hub.createRepository(repository);
  const workspace = await createReleaseWorkspace(undefined);
  const mirror = await startStaticMirror({ directory: workspace.path('mirror'), log: log(), limits });
  const env = {
    GITHUB_TOKEN: tokens.github,
    GITHUB_API_URL: github.apiUrl,
    GITHUB_SERVER_URL: github.url,
    HF_TOKEN: tokens.hub,
    HF_ENDPOINT: hub.url,
    SOURCE_DATE_EPOCH: '1767225600',
  };
  const requests = (): readonly LogEntry[] => [github, hub, mirror].flatMap((host) => host.log.entries);
  let closed = false;
  const scene: PublishScene = {
    workspace,
    github,
    hub,
    mirror,
    env,
    configure: (changes = {}) =>
      workspace.configure({
        github: { repository },
        huggingface: { repository, raw_files: true },
        mirror: { base_url: mirror.url, directory: 'mirror' },
        routing: { large_model_bytes: 150_000 },
        ...changes,
      }),
    start: (args, more = {}) =>
      execa(process.execPath, [quickCli, ...args], {
        cwd: workspace.directory,
        env: { ...env, ...more },
        reject: false,
      }),
    inside: async (onEvent) => {
      const place: Workspace = {
        configFile: 'manifests/release.json',
        out: workspace.path('release'),
        directory: workspace.directory,
        environment: {
          sourceDateEpoch: Number(env.SOURCE_DATE_EPOCH),
          githubToken: tokens.github,
          githubApiUrl: github.apiUrl,
          githubServerUrl: github.url,
          githubSha: undefined,
          githubRepository: undefined,
          githubRefName: undefined,
          githubRefType: undefined,
          hfToken: tokens.hub,
          hfEndpoint: hub.url,
          signingKey: undefined,
          signingPassword: undefined,
          gpgKey: undefined,
          gpgPassphrase: undefined,
          subprocess: { PATH: process.env.PATH ?? '' },
        },
        offline: false,
        models: undefined,
        onEvent,
      };
      const loaded = await loadConfig(place);
      return { loaded, workspace: place, targets: await configuredTargets(loaded.config, place, quickTuning) };
    },
    requests,
    writes: () =>
      requests()
        .filter(isWrite)
        .map(({ method, path }) => `${method} ${path}`),
    clearLogs: () => {
      for (const host of [github, hub, mirror]) host.log.clear();
    },
    clearFaults: () => {
      for (const host of [github, hub, mirror]) host.faults.clear();
    },
    close: async () => {
      // A test may have closed it already.
      if (closed) return;
      closed = true;
      await Promise.all([github.close(), hub.close(), mirror.close()]);
      for (const directory of [state, workspace.directory]) await rm(directory, { recursive: true, force: true });
    },
  };
  t?.after(scene.close);
  await scene.configure();
  return scene;
}

/** `models` of release.json with beta at this version; alpha at 1.0.0, or one of its own. */
export function modelsAt(beta: string, alpha = '1.0.0'): ReleaseConfig['models'] {
  return { alpha: modelConfig('alpha', alpha), beta: modelConfig('beta', beta) } as ReleaseConfig['models'];
}
