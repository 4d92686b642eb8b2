import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { AircherError } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';

/** The environment that gpg gets its few variables from. Nothing else of it reaches gpg. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface GpgContext extends RunContext {
  readonly environment: Environment;
  /**
   * Where a keyring of our own is made for a moment. Default: the system's place for temporary
   * files.
   */
  readonly temporaryDirectory?: string | undefined;
}

/**
 * What gpg, its agent and a pinentry need. Compared without regard to case: Windows writes `Path`.
 */
const neededVariables = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'TMPDIR', 'TEMP', 'TMP'],
  ...['SYSTEMROOT', 'WINDIR', 'PATHEXT', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA'],
]);
/** For the user's own keyring only: where it is, and where its pinentry may ask. */
const keyringVariables = new Set([
  ...['GNUPGHOME', 'GPG_TTY', 'TERM', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_RUNTIME_DIR'],
  ...['DBUS_SESSION_BUS_ADDRESS', 'PINENTRY_USER_DATA'],
]);

/**
 * A socket's path has room for 104 bytes on macOS and 108 on Linux; gpg fails obscurely beyond
 * that.
 */
const socketPathBytes = 100;
const longestSocketName = 'S.gpg-agent.browser';

export interface GpgResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly statuses: readonly GpgStatus[];
}

/** A line of `--status-fd` (GnuPG's doc/DETAILS): keyword and arguments. */
export interface GpgStatus {
  readonly keyword: string;
  readonly arguments: readonly string[];
}

/** A gpg home: the user's own (`undefined`) or one of ours. */
export type GpgHome = string | undefined;

/**
 * Runs gpg without asking anything on the terminal. Its statuses come on the descriptor that the
 * arguments name by `--status-fd`; `input` is written to its standard input, the only way in which
 * secrets get there. Throws `machine` where there is no gpg; other failures are told by the result.
 */
export async function runGpg(
  home: GpgHome,
  gpgArguments: readonly string[],
  context: GpgContext,
  input = '',
): Promise<GpgResult> {
  const result = await run('gpg', home, ['--batch', '--no-tty', ...gpgArguments], context, input);
  if (result.code === 'ENOENT') {
    throw new AircherError('machine', 'the program gpg was not found', {
      hint: 'Install GnuPG 2.2 or newer, or remove signing.gpg_fingerprint and AIRCHER_GPG_KEY.',
    });
  }
  context.signal?.throwIfAborted();
  if (result.exitCode === undefined) {
    throw new AircherError(
      'machine',
      `gpg did not run to its end: ${result.signal ?? result.code ?? 'unknown reason'}`,
    );
  }
  return { ...result, statuses: [...parseStatuses(result.stdout), ...parseStatuses(result.stderr)] };
}

function parseStatuses(text: string): readonly GpgStatus[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('[GNUPG:] '))
    .map((line) => {
      const [keyword = '', ...rest] = line.slice('[GNUPG:] '.length).split(' ');
      return { keyword, arguments: rest };
    });
}

/** The last thing that gpg said in words, for messages. */
export function lastWords(result: GpgResult): string {
  const lines = result.stderr.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('[GNUPG:]'));
  return lines.at(-1)?.replace(/^gpg: /, '') ?? `exit code ${result.exitCode}`;
}

/**
 * Makes an empty gpg home for `use`, and afterwards ends its agent and removes it, whatever
 * happened.
 */
export async function withOwnHome<T>(context: GpgContext, use: (home: string) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(placeForHome(context.temporaryDirectory ?? tmpdir()), 'ag-'));
  try {
    return await use(home);
  } finally {
    // Without the signal: an interrupted run must clean up too. Where gpgconf is missing, the agent
    // ends by itself when it notices that its home is gone.
    const cleaning: GpgContext = { environment: context.environment };
    await run('gpgconf', home, ['--homedir', home, '--kill', 'gpg-agent'], cleaning, '');
    // Where /run/user/<uid> exists, gpg keeps the home's sockets there.
    await run('gpgconf', home, ['--homedir', home, '--remove-socketdir'], cleaning, '');
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

function placeForHome(directory: string): string {
  const socket = join(directory, 'ag-XXXXXX', longestSocketName);
  return process.platform === 'win32' || Buffer.byteLength(socket) <= socketPathBytes ? directory : '/tmp';
}

interface RunResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly code: string | undefined;
  readonly signal: string | undefined;
}

async function run(
  program: string,
  home: GpgHome,
  programArguments: readonly string[],
  context: GpgContext,
  input: string,
): Promise<RunResult> {
  const result = await execa(program, programArguments, {
    env: gpgEnvironment(context.environment, home),
    extendEnv: false,
    input,
    reject: false,
    stripFinalNewline: false,
    ...(context.signal ? { cancelSignal: context.signal } : {}),
  });
  return {
    exitCode: result.exitCode,
    stdout: result.stdout,
    stderr: result.stderr,
    code: result.code,
    signal: result.signal,
  };
}

function gpgEnvironment(environment: Environment, home: GpgHome): Record<string, string> {
  const needed = Object.entries(environment).flatMap(([name, value]) => {
    const wanted = neededVariables.has(name.toUpperCase()) || (home === undefined && keyringVariables.has(name));
    return wanted && value !== undefined ? [[name, value] as const] : [];
  });
  // Messages in English, so that errors read alike everywhere.
  return { ...Object.fromEntries(needed), LC_ALL: 'C', ...(home === undefined ? {} : { GNUPGHOME: home }) };
}
