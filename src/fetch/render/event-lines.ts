import type { Event } from '../../core/events.ts';
import { printableJson } from '../../core/printable.ts';
import type { TextStream } from './output.ts';
import type { Progress } from './progress.ts';

/**
 * Events for a program that shows them itself: each as it comes, and each message as a `notice`, as
 * one line of JSON on stderr. docs/json.md lists them.
 */
export function createEventLines(stderr: TextStream): Progress {
  const onEvent = (event: Event): void => {
    const keys = Object.entries(event).map(([key, value]) => [key === 'delayMs' ? 'delay_ms' : key, value]);
    stderr.write(printableJson(Object.fromEntries(keys), 0));
  };
  return { onEvent, say: (message) => onEvent({ type: 'notice', message }), end: () => {} };
}
