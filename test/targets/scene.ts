import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { AircherError } from '../../src/core/errors.ts';
import type { Event, RunContext } from '../../src/core/events.ts';
import { type GitHubOptions, noRateLimits } from '../../src/rehearsal/github/options.ts';
import { type GitHub, startGitHub } from '../../src/rehearsal/github/server.ts';
import { type Hub, type HubOptions, startHub } from '../../src/rehearsal/hub/server.ts';
import type { LogEntry } from '../../src/rehearsal/request-log.ts';
import { createGithubTarget, type GithubTargetOptions } from '../../src/targets/github/github-target.ts';
import {
  createHuggingfaceTarget,
  type HuggingfaceTargetOptions,
} from '../../src/targets/huggingface/huggingface-target.ts';
import type { RemoteTuning } from '../../src/targets/remote.ts';
import type { ReleaseFile, Target, TargetRelease } from '../../src/targets/target.ts';

/** Real patience, in milliseconds instead of seconds. */
export const quick: RemoteTuning = {
  attempts: 6,
  baseDelayMs: 4,
  maxDelayMs: 20,
  maxWaitMs: 5000,
  lagMs: 30,
  lookEveryMs: 10,
  publicMs: 2000,
  writeEveryMs: 0,
  unnamedWaitMs: 20,
  deadlines: { connectMs: 2000, stallMs: 500, totalMs: 10_000, minBytesPerSecond: 1_000_000 },
};

export const repository = 'acme/models';
export const pushToken = 'ghp_maintainerOfAcme';
export const writeToken = 'hf_writerOfAcme';
export const head = 'a'.repeat(40);

const unlimited = { api: Number.POSITIVE_INFINITY, resolvers: Number.POSITIVE_INFINITY };

/** A stand-in of GitHub with one public repository; stopped when the test ends. */
export async function githubScene(t: TestContext, options: GitHubOptions = {}): Promise<GitHub> {
  const github = await startGitHub({
    tokens: {
      [pushToken]: { login: 'maintainer', push: true },
      reader: { login: 'reader', read: true },
      job: { login: 'github-actions[bot]', kind: 'actions', push: true },
      weakJob: { login: 'github-actions[bot]', kind: 'actions', push: true, contents: 'read' },
      expired: { login: 'maintainer', push: true, expired: true },
    },
    repositories: [{ owner: 'acme', name: 'models', commits: [{ sha: head, date: '2025-05-05T05:05:05Z' }] }],
    rateLimits: noRateLimits,
    ...options,
  });
  t.after(() => github.close());
  return github;
}

export function githubTarget(github: GitHub, options: Partial<GithubTargetOptions> = {}): Target {
  return createGithubTarget({
    repository,
    tagPrefix: 'models-v',
    token: pushToken,
    apiUrl: github.apiUrl,
    serverUrl: github.url,
    tuning: quick,
    ...options,
  });
}

/** A stand-in of the Hub with one repository; stopped when the test ends. */
export async function hubScene(t: TestContext, options: Partial<HubOptions> = {}): Promise<Hub> {
  const hub = await startHub({
    stateDirectory: await temporaryDirectory(t),
    accounts: {
      [writeToken]: { user: 'alice', role: 'write', orgs: [{ name: 'acme', role: 'write' }] },
      hf_reader: { user: 'alice', role: 'read', orgs: [{ name: 'acme', role: 'write' }] },
      hf_memberWhoReads: { user: 'bob', role: 'write', orgs: [{ name: 'acme', role: 'read' }] },
      hf_stranger: { user: 'mallory', role: 'write' },
      hf_expired: { user: 'alice', role: 'write', expiresAt: Date.now() - 1000 },
    },
    rateLimits: { anonymous: unlimited, user: unlimited, commitsPerHour: Number.POSITIVE_INFINITY },
    ...options,
  });
  t.after(() => hub.close());
  await hub.createRepository(repository);
  return hub;
}

export function hubTarget(hub: Hub, options: Partial<HuggingfaceTargetOptions> = {}): Target {
  return createHuggingfaceTarget({
    repository,
    tagPrefix: 'models-v',
    token: writeToken,
    endpoint: hub.url,
    tuning: quick,
    ...options,
  });
}

export async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'targets-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export interface ReleaseOptions extends Partial<Omit<TargetRelease, 'files'>> {
  readonly version?: string;
  readonly files: Readonly<Record<string, string | Buffer>>;
}

/** A release of these files, written to a directory of its own. */
export async function makeRelease(t: TestContext, options: ReleaseOptions): Promise<TargetRelease> {
  const directory = await temporaryDirectory(t);
  const version = options.version ?? '1.0.0';
  const files: ReleaseFile[] = [];
  for (const [name, content] of Object.entries(options.files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    files.push({
      name,
      sizeBytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
      content: { kind: 'file', path },
    });
  }
  return {
    tag: `models-v${version}`,
    prerelease: false,
    carried: [],
    layout: files.map((file) => file.name),
    notes: '# Release\n\nNotes.\n',
    targetCommit: undefined,
    isOurs: async () => true,
    ...options,
    version,
    files,
  };
}

/** The three calls of a publication, in order. */
export async function publish(target: Target, release: TargetRelease, context: RunContext = {}): Promise<void> {
  await target.upload(release, context);
  await target.makePublic(release, context);
  await target.movePointers(release, context);
}

export async function failureOf(promise: Promise<unknown>, what = 'it'): Promise<AircherError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof AircherError) return error;
    throw error;
  }
  throw new Error(`${what} did not fail`);
}

export function recorder(): RunContext & { readonly events: Event[] } {
  const events: Event[] = [];
  return { events, onEvent: (event) => events.push(event) };
}

/** Requests that could change something. Questions asked by POST aren't among them. */
export function writesOf(entries: readonly LogEntry[]): readonly string[] {
  return entries
    .filter(
      ({ method, path }) =>
        !['GET', 'HEAD'].includes(method) &&
        !/generate-notes|preupload|paths-info|validate-yaml|objects\/batch/.test(path),
    )
    .map(({ method, path }) => `${method} ${path}`);
}

/** Bytes that vary, the same at each run. */
export function bytesOf(seed: string, length: number): Buffer {
  const block = createHash('sha512').update(seed).digest();
  const bytes = Buffer.alloc(length, block);
  for (let at = 0; at + 4 <= length; at += 4096) bytes.writeUInt32LE(at, at);
  return bytes;
}
