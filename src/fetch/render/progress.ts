import { formatWarning } from '../../core/error-text.ts';
import type { Event, OnEvent } from '../../core/events.ts';
import { formatBytes, formatDuration } from '../../core/format.ts';
import { oneLine, printableMessage } from '../../core/printable.ts';
import type { TextStream } from './output.ts';

export interface ProgressOptions {
  readonly stderr: TextStream;
  /** No progress, no notices; warnings stay. */
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly now?: () => number;
}

export interface Progress {
  readonly onEvent: OnEvent;
  /** A message that isn't progress. */
  say(line: string): void;
  /** Clears the line on a terminal. */
  end(): void;
}

const redrawMs = 100;
const lineMs = 5_000;
/** Whoever waits longer than that in silence takes it for a hang. */
const longWaitMs = 10_000;

const verbs: Readonly<Record<string, string>> = {
  ask: 'asking',
  download: 'fetching',
  verify: 'checking',
  install: 'installing',
};

/**
 * Turns events into text on stderr: one line that is drawn again on a terminal, a line every few
 * seconds elsewhere.
 */
export function createProgress(options: ProgressOptions): Progress {
  const { stderr, quiet, verbose, now = () => performance.now() } = options;
  const terminal = stderr.isTTY === true;
  const tasks = new Map<string, Sample[]>();
  let drawn = false;
  let last = Number.NEGATIVE_INFINITY;

  const clear = (): void => {
    if (drawn) stderr.write('\r\u001b[K');
    drawn = false;
  };
  const say = (line: string): void => {
    clear();
    stderr.write(`${printableMessage(line)}\n`);
  };
  const draw = (event: string): void => {
    const text = oneLine(event);
    if (now() - last < (terminal ? redrawMs : lineMs)) return;
    last = now();
    if (!terminal) {
      stderr.write(`${text}\n`);
      return;
    }
    const width = Math.max(20, (stderr.columns ?? 80) - 1);
    stderr.write(`\r\u001b[K${[...text].slice(0, width).join('')}`);
    drawn = true;
  };

  const onEvent = (event: Event): void => {
    if (event.type === 'warning') formatWarning(event.problem).forEach(say);
    else if (event.type === 'mirror-set-aside') say(`warning: ${event.mirror} is set aside: ${event.reason}`);
    else if (event.type === 'retry' && (verbose || (!quiet && event.delayMs >= longWaitMs))) {
      say(`${event.what}: ${event.reason}; again in ${formatDuration(event.delayMs / 1000)}`);
    }
    if (quiet) return;
    if (event.type === 'notice') say(event.message);
    else if (event.type === 'waiting') say(`${event.subject}: waiting for ${event.holder}, which is working on it`);
    else if (event.type === 'done') {
      tasks.delete(keyOf(event));
      clear();
    } else if (event.type === 'progress') {
      const key = keyOf(event);
      const samples = tasks.get(key) ?? [];
      tasks.set(key, samples);
      const perSecond = rateWith(samples, now(), event.done);
      // The first line of a log waits as long as every other: short work needs none.
      if (!terminal && last === Number.NEGATIVE_INFINITY) last = now();
      draw(progressLine(event, perSecond));
    }
  };
  return { onEvent, say, end: clear };
}

/** What the bytes of an event are counted for. */
function keyOf({ task, subject, via = '' }: Extract<Event, { type: 'progress' | 'done' }>): string {
  return [task, subject, via].join(' ');
}

function progressLine(event: Extract<Event, { type: 'progress' }>, perSecond: number): string {
  const { done, total } = event;
  const parts = [`${verbs[event.task] ?? event.task} ${event.subject}`];
  if (total === undefined && done > 0) parts.push(formatBytes(done));
  if (total !== undefined) {
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
    parts.push(`${percent}%`, `${formatBytes(done)} of ${formatBytes(total)}`);
  }
  if (perSecond > 0) {
    parts.push(`${formatBytes(perSecond)}/s`);
    if (total !== undefined && done < total) parts.push(`${formatDuration((total - done) / perSecond)} left`);
  }
  return parts.join('  ');
}

export interface Sample {
  readonly at: number;
  readonly done: number;
}

/** Bytes a second over the last ten seconds, of which samples are kept every 200 ms. */
export function rateWith(samples: Sample[], at: number, done: number): number {
  if (at - (samples.at(-1)?.at ?? Number.NEGATIVE_INFINITY) >= 200) samples.push({ at, done });
  while (samples.length > 2 && at - samples[0]!.at > 10_000) samples.shift();
  const [first, newest] = [samples[0]!, samples.at(-1)!];
  return newest.at > first.at ? ((newest.done - first.done) / (newest.at - first.at)) * 1000 : 0;
}
