import { builtins } from './builtins.ts';
import { systemErrorCode } from './errors.ts';
import { formatBytes, formatDuration } from './format.ts';
import { growingBuffer } from './growing-buffer.ts';

export interface CommandOptions {
  readonly directory: string;
  /** All that it finds in its environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly limitMs: number;
  readonly signal: AbortSignal | undefined;
  /** What it reads on stdin; without it, nothing. */
  readonly input?: string;
  /** Keeps what it prints on stdout, of which more is a failure. */
  readonly maxOutputBytes?: number;
}

export interface CommandResult {
  /** How it failed; undefined where it ended with exit code 0. */
  readonly failure: string | undefined;
  /** The last lines that it printed; where stdout is kept, on stderr. */
  readonly said: string;
  /** All that it printed on stdout, where that is kept. */
  readonly output: Buffer;
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
  const { directory, environment, limitMs, signal, input, maxOutputBytes } = options;
  const [program = '', ...args] = command;
  signal?.throwIfAborted();
  const child = builtins.childProcess.spawn(program, args, {
    cwd: directory,
    env: environment,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const [stdout, stderr] = [child.stdout!, child.stderr!];
  let stopped: string | undefined;
  const stop = (why: string): void => {
    stopped ??= why;
    child.kill('SIGKILL');
  };
  const onAbort = (): void => stop('cancelled');
  signal?.addEventListener('abort', onAbort, { once: true });
  const limit = setTimeout(() => stop(`not done after ${formatDuration(limitMs / 1000)}`), limitMs);
  // It needn't read what it is given.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const output = growingBuffer(maxOutputBytes ?? 0);
  let said = Buffer.alloc(0);
  const say = (piece: Buffer): void => {
    said = Buffer.concat([said, piece]).subarray(-saidBytes);
  };
  stdout.on('data', (piece: Buffer) => {
    if (maxOutputBytes === undefined) say(piece);
    else if (!output.add(piece)) stop(`printed more than ${formatBytes(maxOutputBytes)}`);
  });
  stderr.on('data', say);
  let drained: NodeJS.Timeout | undefined;
  const ended = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(`could not be started (${systemErrorCode(error) ?? error.message})`));
    child.once('exit', () => {
      killGroup(child.pid);
      // Who left the group may hold the pipes open for as long as it likes.
      drained = setTimeout(() => {
        stdout.destroy();
        stderr.destroy();
      }, drainMs);
    });
    child.once('close', (code, killedBy) => {
      resolve(code === 0 ? undefined : killedBy === null ? `exit code ${code}` : `ended by ${killedBy}`);
    });
  });
  clearTimeout(limit);
  clearTimeout(drained);
  signal?.removeEventListener('abort', onAbort);
  signal?.throwIfAborted();
  return { failure: stopped ?? ended, said: lastLines(said.toString()), output: output.bytes() };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined || process.platform === 'win32') return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-saidLines).join('\n');
}
