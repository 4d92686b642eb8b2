import { AircherError, type Problem } from '../core/errors.ts';

/**
 * What would stop a release on a host: the fact, its remedy, and the file's place in the release
 * where it is about one.
 */
export function preflightError(file: string, message: string, hint: string, path?: string): Problem {
  return { level: 'error', file, ...(path === undefined ? {} : { path }), message, hint };
}

/** A problem as the error that it is where work has begun. */
export function problemError({ code = 'conflict', file, message, hint }: Problem): AircherError {
  return new AircherError(
    code,
    `${file === undefined ? '' : `${file}: `}${message}`,
    hint === undefined ? {} : { hint },
  );
}

export interface RepositoryState {
  /** The host, for messages. */
  readonly place: string;
  /** Whether a repository that not everybody can read is only warned of. */
  readonly allowPrivate: boolean;
  /**
   * Why not everybody can read it (`private`, `gated`), and how to open it; undefined where
   * everybody can.
   */
  readonly closed: { readonly as: string; readonly remedy: string } | undefined;
  /** `owner/name` as the host has it, and as release.json does, at this key. */
  readonly name: string;
  readonly configured: string;
  readonly key: 'github.repository' | 'huggingface.repository';
}

/**
 * What is wrong with a repository that is there: nobody can read it, or it has another name by now.
 */
export function repositoryStateProblems(state: RepositoryState): readonly Problem[] {
  const { place, closed, name, key } = state;
  const problems: Problem[] = [];
  if (closed !== undefined) {
    problems.push({
      level: state.allowPrivate ? 'warning' : 'error',
      file: place,
      message: `the repository is ${closed.as}: the manifest's URLs answer nobody without a token`,
      hint: `${closed.remedy}, or release to another repository.`,
    });
  }
  if (name.toLowerCase() !== state.configured.toLowerCase()) {
    problems.push({
      level: 'warning',
      file: place,
      message: `the repository is called ${name} now`,
      hint: `Correct "${key}" in release.json: the old name stops working when somebody else takes it.`,
    });
  }
  return problems;
}
