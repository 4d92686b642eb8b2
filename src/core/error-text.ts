import { type AircherError, formatPlace, type Problem } from './errors.ts';
import { shortened } from './printable.ts';

/**
 * An error for people: what is wrong, where, and the remedy, each a message of its own; with
 * several problems, one for each. The stack, and what caused it, only where `verbose` asks for
 * them. To be printed by `printableMessage`.
 */
export function formatError(error: AircherError, options: { readonly verbose?: boolean } = {}): readonly string[] {
  const lines = [readable(`error: ${error.message}`)];
  const errors = error.problems.filter((problem) => problem.level === 'error');
  if (errors.length > 1) for (const problem of errors) lines.push(...problemLines(problem, '  ', '    '));
  if (error.hint !== undefined) lines.push(`hint: ${error.hint}`);
  if (options.verbose) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      lines.push(cause.stack ?? String(cause));
  }
  return lines;
}

/** A warning for people, in one or two messages. */
export function formatWarning(problem: Problem): readonly string[] {
  return problemLines(problem, 'warning: ');
}

/** The document that `--json` prints of a failure. */
export function errorDocument(error: AircherError): unknown {
  const { code, message, hint, details, problems } = error;
  return { error: { code, message, hint, details, problems } };
}

function problemLines(problem: Problem, before: string, beforeHint = ''): readonly string[] {
  const fact = readable(`${before}${formatPlace(problem)}${problem.message}`);
  return problem.hint ? [fact, `${beforeHint}hint: ${problem.hint}`] : [fact];
}

/** A path, a key or an address may be as long as somebody likes. */
function readable(message: string): string {
  return message.replace(/\S{300,}/g, shortened);
}
