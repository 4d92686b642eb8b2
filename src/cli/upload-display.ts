import type { Event } from '../core/events.ts';
import { formatBytes, formatDuration } from '../core/format.ts';
import { oneLine } from '../core/printable.ts';
import type { TextStream } from '../fetch/render/output.ts';
import { rateWith, type Sample } from '../fetch/render/progress.ts';

export interface UploadDisplayOptions {
  readonly stderr: TextStream;
  /** Milliseconds. */
  readonly now: () => number;
}

/** How far a release is on its way to all its hosts. */
export interface UploadDisplay {
  /** Answers with whether the event is told here, and nowhere else. */
  onEvent(event: Event): boolean;
  /** Takes the drawn lines off the terminal, so that something else can be written. */
  erase(): void;
}

interface Host {
  done: number;
  total: number;
  readonly samples: Sample[];
}

/** `huggingface` is the longest name of a host. */
const nameWidth = 11;
/** A rate over less time says little of the time left. */
const knownRateMs = 2_000;
const redrawMs = 100;
const lineMs = 5_000;

/**
 * Uploads to several hosts at once: on a terminal a line a host and one of the total, which are
 * drawn again; elsewhere a line of all that every few seconds. In both a line for each host that
 * gets something, and for each file that has arrived.
 */
export function createUploadDisplay({ stderr, now }: UploadDisplayOptions): UploadDisplay {
  const terminal = stderr.isTTY === true;
  const hosts = new Map<string, Host>();
  let drawn = 0;
  let last = now();

  const erase = (): void => {
    if (drawn > 0) stderr.write(`\r${drawn > 1 ? `\u001b[${drawn - 1}A` : ''}\u001b[J`);
    drawn = 0;
  };
  const say = (line: string): void => {
    erase();
    stderr.write(`${oneLine(line)}\n`);
  };
  const draw = (): void => {
    if (now() - last < (terminal ? redrawMs : lineMs)) return;
    last = now();
    if (!terminal) {
      say(totalLine(hosts, last));
      return;
    }
    const width = Math.max(20, (stderr.columns ?? 80) - 1);
    const lines = [...(hosts.size > 1 ? hostLines(hosts) : []), totalLine(hosts, last)];
    erase();
    stderr.write(lines.map((line) => [...line].slice(0, width).join('')).join('\n'));
    drawn = lines.length;
  };

  return {
    erase,
    onEvent: (event) => {
      if (event.type === 'upload-progress') {
        const { host, files, done, total } = event;
        const known = hosts.get(host);
        if (known === undefined && files > 0) {
          say(`  ${host}: ${files} ${files === 1 ? 'file' : 'files'} to send, ${formatBytes(total)}`);
        }
        if (files > 0) hosts.set(host, { samples: known?.samples ?? [], done, total });
        draw();
        return true;
      }
      if (event.type === 'done' && event.task === 'upload') {
        // What was there before is part of no total.
        if (event.detail === undefined) say(`  ${event.via}: ${event.subject}, ${formatBytes(event.bytes ?? 0)}`);
        return true;
      }
      return event.type === 'progress' && event.task === 'upload';
    },
  };
}

function hostLines(hosts: ReadonlyMap<string, Host>): readonly string[] {
  return [...hosts].map(([host, { done, total }]) => `  ${host.padEnd(nameWidth)}  ${share(done, total)}`);
}

/**
 * The time left is that of the host that takes longest: hosts don't wait for each other, and one
 * may be much faster.
 */
function totalLine(hosts: ReadonlyMap<string, Host>, at: number): string {
  const all = [...hosts.values()].map((host) => ({ ...host, rate: rateWith(host.samples, at, host.done) }));
  const sum = (key: 'done' | 'total' | 'rate'): number => all.reduce((total, host) => total + host[key], 0);
  const parts = [`  ${'total'.padEnd(nameWidth)}  ${share(sum('done'), sum('total'))}`];
  if (sum('rate') >= 1) parts.push(`${formatBytes(sum('rate'))}/s`);
  const going = all.filter(({ done, total }) => done < total);
  const known = going.every(({ samples, rate }) => rate >= 1 && at - (samples[0]?.at ?? at) >= knownRateMs);
  const left = Math.max(...going.map(({ done, total, rate }) => (total - done) / rate));
  if (going.length > 0 && known) parts.push(`${formatDuration(left)} left`);
  return parts.join('  ');
}

function share(done: number, total: number): string {
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${String(percent).padStart(3)}%  ${formatBytes(done)} of ${formatBytes(total)}`;
}
