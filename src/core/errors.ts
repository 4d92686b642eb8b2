/**
 * What kind of failure an error is. Exit codes follow from it (`exit-codes.ts`), and only from it.
 *
 * - `unexpected`: a fault of this program
 * - `usage`: wrong command line, or no manifest source known
 * - `invalid`: bad input: config, manifest, model files; a model or version nobody offers
 * - `integrity`: wrong bytes against a known digest, a bad signature, a rollback
 * - `remote`: a remote failed after retries, or is needed while offline
 * - `conflict`: published with other content, locked, token missing or without rights
 * - `machine`: disk full, no permission, read-only file system
 * - `license`: a model's licence that the policy refuses
 * - `interrupted`: cancelled by a signal
 */
export type ErrorCode =
  | 'unexpected'
  | 'usage'
  | 'invalid'
  | 'integrity'
  | 'remote'
  | 'conflict'
  | 'machine'
  | 'license'
  | 'interrupted';

/** One finding about one place, of which a check may report many in one run. */
export interface Problem {
  readonly level: 'error' | 'warning';
  /** The file (or URL, or host) it is in. */
  readonly file?: string;
  /** Place inside the file: a JSON path such as `$.models["x"].version`, or a line. */
  readonly path?: string;
  /** The fact. */
  readonly message: string;
  /** The remedy. */
  readonly hint?: string | undefined;
  /** Its kind, where that isn't the kind of everything that the check finds. */
  readonly code?: ErrorCode;
}

export interface AircherErrorOptions {
  /** The remedy, in one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Facts for programs: `expected`, `found`, `url`, `status`, …; never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** All problems found, where there is more than one place to name. */
  readonly problems?: readonly Problem[];
}

/** The one error class: `message` is the fact, `hint` the remedy, `code` decides the exit code. */
export class AircherError extends Error {
  override readonly name = 'AircherError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, options: AircherErrorOptions = {}) {
    const { hint, cause, details = {}, problems = [] } = options;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.details = details;
    this.problems = problems;
  }
}

/** Makes errors of one code: the fact, its remedy, and what else there is to say. */
function errorOf(code: ErrorCode) {
  return (message: string, hint?: string, more?: Omit<AircherErrorOptions, 'hint'>): AircherError =>
    new AircherError(code, message, { ...more, hint });
}

const unexpectedError = errorOf('unexpected');
export const usageError = errorOf('usage');
export const invalidError = errorOf('invalid');
export const integrityError = errorOf('integrity');
export const remoteError = errorOf('remote');
export const conflictError = errorOf('conflict');
export const machineError = errorOf('machine');
export const licenseError = errorOf('license');

/**
 * `true` where `error` is an AircherError, of any copy of this class (packages and bundled apps
 * have their own), of `code` if one is given.
 */
export function isAircherError(error: unknown, code?: ErrorCode): error is AircherError {
  if (!(error instanceof Error) || error.name !== 'AircherError' || !('code' in error)) return false;
  return code === undefined || error.code === code;
}

/**
 * Throws one error that carries every problem, where one is of level `error`; does nothing where
 * there is none.
 */
export function throwProblems(fallback: ErrorCode, summary: string, problems: readonly Problem[]): void {
  if (problems.some((problem) => problem.level === 'error')) throw problemsError(fallback, summary, problems);
}

/**
 * One error that carries every problem. Its code is that of the first error that names one, else
 * `fallback`.
 */
export function problemsError(fallback: ErrorCode, summary: string, problems: readonly Problem[]): AircherError {
  const errors = problems.filter((problem) => problem.level === 'error');
  const [first, ...more] = errors;
  const code = errors.find((problem) => problem.code !== undefined)?.code ?? fallback;
  return first === undefined || more.length > 0
    ? new AircherError(code, `${summary}: ${errors.length} problems`, { problems })
    : new AircherError(code, `${formatPlace(first)}${first.message}`, { hint: first.hint, problems });
}

/** `file $.path: `, as far as the problem names them. */
export function formatPlace(problem: Problem): string {
  const place = [problem.file, problem.path].filter((part) => part !== undefined).join(' ');
  return place === '' ? '' : `${place}: `;
}

const permissionRemedy = 'Check who owns it and its permissions.';
const diskRemedy = 'The disk, or the connection to it, fails. Check it, or choose another directory.';
const filesRemedy = 'Too many open files. Raise the limit (ulimit -n) and run the command again.';

const machineRemedies: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some disk space and run the command again; finished work is kept.',
  EDQUOT: 'Your disk quota is used up. Free some space and run the command again; finished work is kept.',
  EROFS: 'The file system is read-only. Choose another directory.',
  EACCES: permissionRemedy,
  EPERM: permissionRemedy,
  EEXIST: 'Something else stands in that place. Move it away, or choose another directory.',
  ENOTDIR: 'A file stands where a directory is needed. Move it away, or choose another directory.',
  EISDIR: 'A directory stands where a file is needed. Move it away, or choose another place.',
  ENOENT: 'It is missing, or was removed meanwhile. If it is the place for temporary files, make it or set TMPDIR.',
  ENAMETOOLONG: 'The path is longer than the file system takes. Choose a directory with a shorter path.',
  EFBIG:
    'The file is larger than the file system, or the limit of this shell (ulimit -f), allows. Choose another disk.',
  ELOOP: 'Links lead in a circle there. Remove them, or choose another directory.',
  EXDEV: 'It lies on another disk than its new place. Choose a directory on the same one.',
  ENOTEMPTY: 'Another program writes into that directory. End it, or choose another directory.',
  EBUSY: 'Another program holds it open, or it is a mount point. End the program, or choose another directory.',
  ETXTBSY: 'It is a program that runs. End it, or choose another directory.',
  EIO: diskRemedy,
  ENXIO: diskRemedy,
  ENODEV: diskRemedy,
  ESTALE: diskRemedy,
  EMFILE: filesRemedy,
  ENFILE: filesRemedy,
};

/**
 * Wraps a Node system error (ENOSPC, EACCES, …) as a `machine` error, an abort as `interrupted`;
 * leaves AircherErrors as they are; anything else becomes `unexpected` with its cause.
 */
export function toAircherError(error: unknown): AircherError {
  if (error instanceof AircherError) return error;
  if (isAbort(error)) return new AircherError('interrupted', 'Interrupted.', { cause: error });
  const system = systemErrorCode(error) ?? '';
  const hint = machineRemedies[system];
  if (hint !== undefined) return machineError(reasonOf(error), hint, { cause: error, details: { system } });
  return unexpectedError(
    reasonOf(error),
    'This looks like a bug. Run again with --verbose and report what it prints.',
    { cause: error },
  );
}

/** What was thrown, in words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `ENOENT` and the like, where `error` is a Node system error. */
export function systemErrorCode(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether `error` is a Node system error with one of these codes. */
export function hasSystemCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemErrorCode(error) ?? '');
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || systemErrorCode(error) === 'ABORT_ERR');
}
