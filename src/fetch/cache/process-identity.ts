import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { hasSystemCode } from '../../core/errors.ts';

/** Tells a process from all others that ever had its number, here or on another machine. */
export interface ProcessIdentity {
  /**
   * Host name, and on Linux the boot and the process namespace: process numbers mean something
   * inside these only.
   */
  readonly host: string;
  readonly pid: number;
  /**
   * When the process began, in the system's own units; undefined where the system doesn't tell it.
   */
  readonly started: string | undefined;
}

let own: Promise<ProcessIdentity> | undefined;

export function ownIdentity(): Promise<ProcessIdentity> {
  own ??= identify();
  return own;
}

async function identify(): Promise<ProcessIdentity> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  const host = [hostname(), boot.trim(), namespace].filter((part) => part !== '').join(' ');
  return { host, pid: process.pid, started: await processStart(process.pid) };
}

/**
 * Whether the process is certainly gone. False where that can't be known from here (another host),
 * and where it lives.
 */
export async function isCertainlyGone(identity: ProcessIdentity): Promise<boolean> {
  const self = await ownIdentity();
  if (identity.host !== self.host) return false;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    return hasSystemCode(error, 'ESRCH');
  }
  const started = await processStart(identity.pid);
  return identity.started !== undefined && started !== undefined && started !== identity.started;
}

/** Field 22 of /proc/<pid>/stat (proc(5)): start time in clock ticks after boot. */
async function processStart(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The second field is the program's name in parentheses, which may hold blanks and parentheses
  // itself.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
