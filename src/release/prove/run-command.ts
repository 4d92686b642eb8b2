import { execa } from 'execa';
import { formatDuration } from '../../core/format.ts';

export interface CommandOptions {
  readonly directory: string;
  /** All that it finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
}

export interface CommandResult {
  /** How it failed; undefined where it ended with exit code 0. */
  readonly failure: string | undefined;
  /** The last lines that it printed. */
  readonly said: string;
}

const saidLines = 10;
const saidBytes = 64 * 1024;
/** Output that is on its way when a command ends arrives within this time. */
const drainMs = 1000;

/**
 * Runs a command that may hang, print without end, or leave processes behind: its process group is
 * killed when it ends, when the time is over, or when the signal comes. (Windows has no such
 * groups: there the command alone is ended.) What left the group goes on, but nothing waits for it.
 * Throws the signal's reason.
 */
export async function runCommand(command: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [program, ...args] = command;
  const child = execa(program!, args, {
    cwd: options.directory,
    extendEnv: false,
    env: options.environment,
    stdin: 'ignore',
    buffer: false,
    reject: false,
    detached: process.platform !== 'win32',
    timeout: options.limitMs,
    killSignal: 'SIGKILL',
    ...(options.signal ? { cancelSignal: options.signal } : {}),
  });
  let said = Buffer.alloc(0);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => {
      said = Buffer.concat([said, piece]).subarray(-saidBytes);
    });
  }
  let drained: NodeJS.Timeout | undefined;
  child.nodeChildProcess.once('exit', () => {
    killGroup(child.pid);
    // Who left the group may hold the pipes open for as long as it likes.
    drained = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, drainMs);
  });
  const result = await child;
  clearTimeout(drained);
  options.signal?.throwIfAborted();
  return { failure: failureOf(result, options.limitMs), said: lastLines(said.toString()) };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined || process.platform === 'win32') return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

interface Ended {
  readonly exitCode?: number;
  readonly signal?: string;
  readonly timedOut: boolean;
  readonly shortMessage?: string;
}

function failureOf({ exitCode, signal, timedOut, shortMessage }: Ended, limitMs: number): string | undefined {
  if (timedOut) return `not done after ${formatDuration(limitMs / 1000)}`;
  if (exitCode === 0) return undefined;
  if (exitCode !== undefined) return `exit code ${exitCode}`;
  return signal === undefined ? shortMessage : `ended by ${signal}`;
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-saidLines).join('\n');
}
