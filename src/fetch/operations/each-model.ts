import { AircherError, type Problem, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { ModelFailure } from '../api.ts';

/**
 * Does something to one model after the other. A failure ends that one alone: it is warned of as it
 * happens, the rest goes on, and one error at the end tells all (`tellAll`). Cancelled, it ends at
 * once, as `interrupted`.
 */
export async function eachModel<Item extends { readonly name: string }, Report>(
  items: readonly Item[],
  context: RunContext,
  work: (item: Item) => Promise<Report>,
): Promise<Report[]> {
  const reports: Report[] = [];
  const failures: Failure[] = [];
  for (const item of items) {
    const { name } = item;
    try {
      context.signal?.throwIfAborted();
      reports.push(await work(item));
    } catch (thrown) {
      if (context.signal?.aborted) {
        const error = new AircherError('interrupted', 'Interrupted.', { cause: thrown });
        throw tellAll(error, reports, failures);
      }
      const failure = { name, error: toAircherError(thrown) };
      const { level, code, ...problem } = problemOf(failure);
      if (items.length > 1 && failures.every(({ error }) => error !== failure.error)) warn(context, problem);
      failures.push(failure);
    }
  }
  const [first, second] = failures;
  if (first === undefined) return reports;
  // What they all need (the manifest) may have failed once for all.
  if (failures.every(({ error }) => error === first.error)) {
    const place = items.length > 1 && second === undefined ? `${first.name}: ` : '';
    throw tellAll(first.error, reports, failures, place);
  }
  const summary = new AircherError(first.error.code, `${failures.length} of ${items.length} models failed.`, {
    problems: failures.map(problemOf),
  });
  throw tellAll(summary, reports, failures);
}

interface Failure {
  readonly name: string;
  readonly error: AircherError;
}

/**
 * The error, with what was done besides: `details.models`, the reports, and `details.failed`, by
 * model.
 */
function tellAll(
  error: AircherError,
  models: readonly unknown[],
  failures: readonly Failure[],
  place = '',
): AircherError {
  const failed = failures.map(
    ({ name, error: { code, message, hint } }): ModelFailure => ({ name, code, message, hint }),
  );
  const { code, message, hint, problems, details } = error;
  return new AircherError(code, place + message, {
    cause: error,
    hint,
    problems,
    details: { ...details, models, failed },
  });
}

function problemOf({ name, error: { code, message, hint } }: Failure): Problem {
  return { level: 'error', file: name, message, code, hint };
}
