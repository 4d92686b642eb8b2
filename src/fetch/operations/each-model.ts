import { AircherError, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { ModelFailure } from '../api.ts';

/**
 * Does something to one model after the other. A failure ends that one alone, and the rest goes on.
 * Of several models, each failure is warned of as it happens, and the error at the end only counts
 * and names those that failed: what is wrong has been told, and is in `details.failed`. Its code is
 * that of the first failure. Cancelled, it ends at once, as `interrupted`.
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
        throw new AircherError('interrupted', 'Interrupted.', { cause: thrown, details: detailsOf(reports, failures) });
      }
      const error = toAircherError(thrown);
      if (items.length > 1) {
        // What they all need (the manifest) may have failed once for all.
        const isTold = failures.some((failure) => failure.error === error);
        if (isTold) warn(context, { file: name, message: 'failed for the same reason' });
        else warnOf(context, name, error);
      }
      failures.push({ name, error });
    }
  }
  const [first] = failures;
  if (first === undefined) return reports;
  const { code, message, hint, problems, details: own } = first.error;
  const details = detailsOf(reports, failures);
  if (items.length === 1) {
    throw new AircherError(code, message, { cause: first.error, hint, problems, details: { ...own, ...details } });
  }
  const names = [...new Set(failures.map(({ name }) => name))].join(', ');
  const summary = `${failures.length} of ${items.length} models failed: ${names}.`;
  throw new AircherError(code, summary, { cause: first.error, details });
}

function warnOf(context: RunContext, name: string, { message, hint, problems }: AircherError): void {
  warn(context, { file: name, message, hint });
  if (problems.length > 1) for (const problem of problems) warn(context, problem);
}

interface Failure {
  readonly name: string;
  readonly error: AircherError;
}

/** What was done besides, and what failed. */
function detailsOf(
  models: readonly unknown[],
  failures: readonly Failure[],
): { readonly models: readonly unknown[]; readonly failed: readonly ModelFailure[] } {
  const failed = failures.map(({ name, error: { code, message, hint, problems } }) => {
    return { name, code, message, hint, problems };
  });
  return { models, failed };
}
