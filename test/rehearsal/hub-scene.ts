import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Hub, type HubOptions, startHub } from '../../src/rehearsal/hub/server.ts';

export const writeToken = 'hf_writerOfAcme';
export const readToken = 'hf_readerOfAcme';
export const strangerToken = 'hf_strangerToAll';
export const expiredToken = 'hf_expiredLongAgo';
export const repository = 'acme/models';

export interface HubScene {
  readonly hub: Hub;
  readonly directory: string;
  /** Stops the stand-in and starts it again on the same state. */
  restart(): Promise<Hub>;
}

/**
 * A running stand-in with one empty repository `acme/models`; stopped and removed when the test
 * ends.
 */
export async function hubScene(t: TestContext, options: Partial<HubOptions> = {}): Promise<HubScene> {
  const directory = await mkdtemp(join(tmpdir(), 'hub-'));
  const start = (): Promise<Hub> =>
    startHub({
      stateDirectory: join(directory, 'state'),
      accounts: {
        [writeToken]: { user: 'alice', role: 'write', orgs: [{ name: 'acme', role: 'write' }] },
        [readToken]: { user: 'alice', role: 'read', orgs: [{ name: 'acme', role: 'write' }] },
        [strangerToken]: { user: 'mallory', role: 'write' },
        [expiredToken]: { user: 'alice', role: 'write', expiresAt: Date.now() - 1000 },
      },
      ...options,
    });
  let hub = await start();
  t.after(async () => {
    await hub.close();
    await rm(directory, { recursive: true, force: true });
  });
  await hub.createRepository(repository);
  return {
    get hub() {
      return hub;
    },
    directory,
    restart: async () => {
      await hub.close();
      hub = await start();
      return hub;
    },
  };
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** Calls the API with a JSON body (POST) or none (GET), as the owner. */
export async function call(hub: Hub, path: string, body?: unknown, token = writeToken): Promise<Response> {
  return fetch(`${hub.url}/api/models/${repository}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Sends a commit of NDJSON lines. */
export async function commitLines(
  hub: Hub,
  lines: readonly unknown[],
  options: { readonly branch?: string; readonly parentCommit?: string; readonly token?: string } = {},
): Promise<Response> {
  const header = { key: 'header', value: { summary: 'Change files', parentCommit: options.parentCommit } };
  return fetch(`${hub.url}/api/models/${repository}/commit/${options.branch ?? 'main'}`, {
    method: 'POST',
    headers: { ...bearer(options.token ?? writeToken), 'content-type': 'application/x-ndjson' },
    body: [header, ...lines].map((line) => JSON.stringify(line)).join('\n'),
  });
}

export function textFile(path: string, text: string): unknown {
  return { key: 'file', value: { path, encoding: 'base64', content: Buffer.from(text).toString('base64') } };
}

/** Stores `content` as a large file by the batch API, and answers its line for a commit. */
export async function uploadLarge(hub: Hub, path: string, content: Uint8Array<ArrayBuffer>): Promise<unknown> {
  const oid = sha256Of(content);
  const { objects } = await batch(hub, oid, content.length, { transfers: ['basic'] });
  const href = objects[0]?.actions?.upload?.href;
  if (href !== undefined) {
    const response = await fetch(href, { method: 'PUT', body: content });
    if (!response.ok) throw new Error(`the upload was answered ${response.status}`);
  }
  return { key: 'lfsFile', value: { path, algo: 'sha256', oid, size: content.length } };
}

export interface BatchAnswer {
  readonly objects: readonly {
    readonly actions?: Readonly<Record<string, { readonly href: string; readonly header?: Record<string, string> }>>;
    readonly error?: { readonly code: number; readonly message: string };
  }[];
}

/** What every request of git-lfs's API needs. */
const lfsHeaders = {
  accept: 'application/vnd.git-lfs+json',
  'content-type': 'application/vnd.git-lfs+json',
};

export async function batch(
  hub: Hub,
  oid: string,
  size: number,
  options: { readonly operation?: 'upload' | 'download'; readonly transfers?: readonly string[] } = {},
): Promise<BatchAnswer> {
  const response = await fetch(`${hub.url}/${repository}.git/info/lfs/objects/batch`, {
    method: 'POST',
    headers: { ...bearer(writeToken), ...lfsHeaders },
    body: JSON.stringify({
      operation: options.operation ?? 'upload',
      transfers: options.transfers ?? ['basic', 'multipart'],
      objects: [{ oid, size }],
    }),
  });
  return (await response.json()) as BatchAnswer;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that look like weights: no compression helps, and they aren't text. */
export function weights(length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(randomBytes(length));
  bytes[0] = 0;
  return bytes;
}

/** The commit that a revision names. */
export async function headOf(hub: Hub, revision = 'main'): Promise<string> {
  const response = await fetch(`${hub.url}/api/models/${repository}/revision/${revision}`);
  return ((await response.json()) as { readonly sha: string }).sha;
}
