import { link, open, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasSystemCode, isAbort } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { makeDirectory, randomHex, readFileIfThere } from '../../core/files.ts';
import type { CacheLayout } from './layout.ts';
import { isCertainlyGone, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/**
 * A lock keeps two processes from downloading the same model twice. It is a convenience: everything that is done under it is
 * right without it too, by private staging directories and atomic renames. So a lock that can't be had (read-only directory,
 * another user's file) is gone without, and one that looks dead is taken over.
 */
export interface ModelLock {
  /** False where the file system refused: the work goes on unlocked. */
  readonly held: boolean;
  release(): Promise<void>;
}

export interface LockTiming {
  /** How often the owner shows that it lives. */
  readonly heartbeatMs: number;
  /** How long an owner may show nothing until it is taken for dead. By the waiter's own clock. */
  readonly staleMs: number;
  readonly pollMs: number;
}

const defaultTiming: LockTiming = { heartbeatMs: 4_000, staleMs: 30_000, pollMs: 200 };

/** The lock at once, or undefined where another process has it. */
export async function tryModelLock(layout: CacheLayout, name: string): Promise<ModelLock | undefined> {
  const path = layout.lock(name);
  const first = await create(path, defaultTiming);
  if (first !== undefined) return first;
  const holder = await readHolder(path);
  if (holder === undefined || !(await isCertainlyGone(holder))) return undefined;
  await takeAway(path, holder.token);
  return create(path, defaultTiming);
}

/**
 * Waits for the lock. `done` is asked while waiting: when the other process has finished what this one wants, there is no
 * need of the lock any more, and the answer is undefined.
 */
export async function waitForModelLock(
  layout: CacheLayout,
  name: string,
  done: () => Promise<boolean>,
  context: RunContext & { readonly timing?: LockTiming | undefined },
): Promise<ModelLock | undefined> {
  const path = layout.lock(name);
  const timing = context.timing ?? defaultTiming;
  let seen: { readonly beat: string; readonly since: number } | undefined;
  let told = false;
  for (;;) {
    const lock = await create(path, timing);
    if (lock !== undefined) return lock;
    const holder = await readHolder(path);
    const beat = await readBeat(path);
    if (beat === undefined) continue;
    if (seen?.beat !== beat) seen = { beat, since: performance.now() };
    const silent = performance.now() - seen.since > timing.staleMs;
    if (silent || (holder !== undefined && (await isCertainlyGone(holder)))) {
      if (!(await takeAway(path, holder?.token))) return unheld;
      continue;
    }
    if (await done()) return undefined;
    if (!told) {
      told = true;
      const where = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host.split(' ')[0]}`;
      context.onEvent?.({ type: 'waiting', subject: name, holder: where });
    }
    try {
      await delay(timing.pollMs, undefined, context.signal ? { signal: context.signal } : undefined);
    } catch (error) {
      if (isAbort(error)) context.signal?.throwIfAborted();
      throw error;
    }
  }
}

const unheld: ModelLock = { held: false, release: async () => {} };

interface Holder extends ProcessIdentity {
  readonly token: string;
}

/** Makes the lock file, which must not exist. Undefined where it does. */
async function create(path: string, timing: LockTiming): Promise<ModelLock | undefined> {
  const token = randomHex(12);
  const holder: Holder = { ...(await ownIdentity()), token };
  try {
    await makeDirectory(dirname(path));
  } catch (error) {
    if (lockless(error) || hasSystemCode(error, 'EEXIST')) return unheld;
    throw error;
  }
  try {
    const handle = await open(path, 'wx', 0o644);
    try {
      await handle.writeFile(`${JSON.stringify(holder)}\n`);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (hasSystemCode(error, 'EEXIST')) return undefined;
    if (lockless(error)) return unheld;
    throw error;
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, timing.heartbeatMs);
  heartbeat.unref();
  return {
    held: true,
    release: async () => {
      clearInterval(heartbeat);
      const current = await readHolder(path).catch(() => undefined);
      if (current?.token === token) await rm(path, { force: true }).catch(() => {});
    },
  };
}

/** Errors of places where no lock can be written: then the work goes on without. */
function lockless(error: unknown): boolean {
  return hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOSPC', 'EDQUOT', 'ENOTSUP', 'ENOLCK');
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const value: unknown = JSON.parse((await readFileIfThere(path))?.toString('utf8') ?? '');
    return isHolder(value) ? value : undefined;
  } catch {
    // Just being written, another user's, or damaged: only its heartbeat says something then.
    return undefined;
  }
}

function isHolder(value: unknown): value is Holder {
  if (typeof value !== 'object' || value === null) return false;
  const holder = value as Partial<Record<keyof Holder, unknown>>;
  return typeof holder.token === 'string' && typeof holder.host === 'string' && Number.isSafeInteger(holder.pid);
}

/** Changes whenever the owner shows that it lives; undefined where there is no lock file. */
async function readBeat(path: string): Promise<string | undefined> {
  try {
    const { mtimeMs, ino, size } = await stat(path);
    return `${ino} ${mtimeMs} ${size}`;
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Removes a dead owner's lock. A rename decides between several who try; whoever finds that it took away a lock that somebody
 * made meanwhile puts it back. False where the file system refuses.
 */
async function takeAway(path: string, token: string | undefined): Promise<boolean> {
  const aside = `${path}.dead-${randomHex(6)}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (hasSystemCode(error, 'ENOENT')) return true;
    if (lockless(error)) return false;
    throw error;
  }
  const taken = await readHolder(aside);
  if (taken !== undefined && taken.token !== token) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
  return true;
}
