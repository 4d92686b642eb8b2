import { type AircherError, formatPlace, type Problem } from './errors.ts';

/**
 * An error for people: what is wrong, where, and the remedy. With several problems, one line each. The stack, and what caused it,
 * only where `verbose` asks for them.
 */
export function formatError(error: AircherError, options: { readonly verbose?: boolean } = {}): string {
  const lines = [`error: ${error.message}`];
  const errors = error.problems.filter((problem) => problem.level === 'error');
  if (errors.length > 1) for (const problem of errors) lines.push(...problemLines(problem, '  ', '    '));
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (options.verbose) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      lines.push(cause.stack ?? String(cause));
  }
  return lines.join('\n');
}

/** A warning for people, in one or two lines. */
export function formatWarning(problem: Problem): string {
  return problemLines(problem, 'warning: ').join('\n');
}

/** The document that `--json` prints of a failure. */
export function errorDocument(error: AircherError): unknown {
  const { code, message, hint, details, problems } = error;
  return { error: { code, message, hint, details, problems } };
}

function problemLines(problem: Problem, before: string, beforeHint = ''): string[] {
  const fact = `${before}${formatPlace(problem)}${problem.message}`;
  return problem.hint ? [fact, `${beforeHint}hint: ${problem.hint}`] : [fact];
}
