import type { OnEvent } from '../core/events.ts';
import type { TextStream } from '../fetch/render/output.ts';
import { createProgress, type ProgressOptions } from '../fetch/render/progress.ts';
import { createUploadDisplay } from './upload-display.ts';

export interface ShownEvents {
  readonly onEvent: OnEvent;
  /** Takes progress off the terminal, before a result or an error is written. */
  end(): void;
}

/**
 * What a command tells while it runs, on stderr: steps, uploads to the hosts, and everything else
 * as the client tells it.
 */
export function showEvents(
  stderr: TextStream,
  { quiet, verbose, now = () => performance.now() }: Omit<ProgressOptions, 'stderr'>,
): ShownEvents {
  const uploads = createUploadDisplay({ stderr, now });
  const progress = createProgress({
    stderr: {
      isTTY: stderr.isTTY,
      get columns() {
        return stderr.columns;
      },
      write: (text) => {
        uploads.erase();
        stderr.write(text);
      },
    },
    quiet,
    verbose,
    now,
  });
  return {
    end: () => {
      uploads.erase();
      progress.end();
    },
    onEvent: (event) => {
      if (!quiet && uploads.onEvent(event)) return;
      progress.onEvent(event);
      if (quiet) return;
      if (event.type === 'step-start') progress.say(`• ${event.step}${event.detail ? ` (${event.detail})` : ''}`);
      else if (event.type === 'step-end' && event.skipped) progress.say(`  ${event.skipped}`);
      else if (event.type === 'done' && event.detail) progress.say(`  ${event.task} ${event.subject}: ${event.detail}`);
    },
  };
}
