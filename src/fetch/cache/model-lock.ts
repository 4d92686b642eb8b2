import { link, lstat, rename, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasSystemCode } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { ifThere, readBoundedFile } from '../../core/read-files.ts';
import { makeDirectory, randomHex, removeTree } from '../../core/write-files.ts';
import type { CacheLayout } from './layout.ts';
import { isCertainlyGone, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/**
 * A lock keeps two processes from downloading the same model twice. It is a convenience: everything
 * that is done under it is right without it too, by private staging directories and atomic renames.
 * So a lock that can't be had (read-only directory, another user's file) is gone without, and one
 * that looks dead is taken over.
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
export function tryModelLock(layout: CacheLayout, name: string): Promise<ModelLock | undefined> {
  return waitForModelLock(layout, name, async () => true, {});
}

/**
 * Does something to a model while no other process does. `held` is false where the file system has
 * no locks.
 */
export async function withModelLock<T>(
  layout: Pick<CacheLayout, 'lock'>,
  name: string,
  context: RunContext,
  work: (held: boolean) => Promise<T>,
): Promise<T> {
  const lock = await waitForModelLock(layout, name, async () => false, context);
  try {
    return await work(lock?.held ?? false);
  } finally {
    await lock?.release();
  }
}

/**
 * Waits for the lock. `done` is asked while waiting: when the other process has finished what this
 * one wants, there is no need of the lock any more, and the answer is undefined.
 */
export async function waitForModelLock(
  layout: Pick<CacheLayout, 'lock'>,
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
    if (silent || beat === nobodys || (holder !== undefined && (await isCertainlyGone(holder)))) {
      if (!(await takeAway(path, holder?.token))) return unheld;
      continue;
    }
    if (await done()) return undefined;
    if (!told) {
      told = true;
      const where = holder ? `process ${holder.pid} on ${holder.host.split(' ')[0]}` : 'another process';
      context.onEvent?.({ type: 'waiting', subject: name, holder: where });
    }
    await delay(timing.pollMs);
    context.signal?.throwIfAborted();
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
    // What keeps the directory from being made keeps the file from it too.
    await makeDirectory(dirname(path)).catch(() => {});
    await writeFile(path, `${JSON.stringify(holder)}\n`, { flag: 'wx', mode: 0o644 });
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
      if ((await readHolder(path))?.token === token) await removeTree(path).catch(() => {});
    },
  };
}

/** Errors of places where no lock can be written: then the work goes on without. */
function lockless(error: unknown): boolean {
  return hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'ENOTDIR', 'ENOSPC', 'EDQUOT', 'ENOTSUP', 'ENOLCK');
}

const holderBytes = 4096;

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { token, host, pid, started } = JSON.parse(String(await readBoundedFile(path, holderBytes)));
    const isHolder = typeof token === 'string' && typeof host === 'string' && Number.isSafeInteger(pid);
    return isHolder ? { token, host, pid, started } : undefined;
  } catch {
    // Just being written, another user's, or damaged: only its heartbeat says something then.
    return undefined;
  }
}

/** What lies at a lock's place and is no lock file (a pipe, a link, a directory) has no owner. */
const nobodys = 'no lock file';

/** Changes whenever the owner shows that it lives; undefined where there is no lock file. */
async function readBeat(path: string): Promise<string | undefined> {
  const status = await ifThere(lstat(path));
  if (status && !status.isFile()) return nobodys;
  return status && `${status.ino} ${status.mtimeMs} ${status.size}`;
}

/**
 * Removes a dead owner's lock. A rename decides between several who try; whoever finds that it took
 * away a lock that somebody made meanwhile puts it back. False where the file system refuses.
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
  await removeTree(aside);
  return true;
}
