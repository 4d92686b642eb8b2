import { AircherError, toAircherError } from '../core/errors.ts';

/**
 * Where a transfer ended early: the same error, with the word that what has arrived isn't sent or
 * fetched again.
 */
export function resumable(error: unknown): AircherError {
  const { code, message, hint, details, problems } = toAircherError(error);
  if (code === 'interrupted') {
    return new AircherError(
      'interrupted',
      'Interrupted. Run the same command again: it goes on where this one stopped.',
      {
        cause: error,
      },
    );
  }
  if (code !== 'remote') return toAircherError(error);
  const more = [hint, 'What has arrived is kept.'].filter((text) => text !== undefined).join(' ');
  return new AircherError(code, message, { hint: more, details, problems, cause: error });
}
