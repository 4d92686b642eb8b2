import type { Event } from '../core/events.ts';
import { formatBytes, formatDuration } from '../core/format.ts';
import { oneLine } from '../core/printable.ts';
import type { TextStream } from '../fetch/render/output.ts';
import { rateWith, type Sample } from '../fetch/render/progress.ts';

export interface UploadDisplayOptions {
  readonly stderr: TextStream;
  readonly now?: () => number;
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

const redrawMs = 100;
const lineMs = 5_000;

/**
 * Uploads to several hosts at once: on a terminal a line a host and one of the total, which are drawn again; elsewhere a line
 * of all that every few seconds. In both a line for each host that gets something, and for each file that has arrived.
 */
export function createUploadDisplay({ stderr, now = () => performance.now() }: UploadDisplayOptions): UploadDisplay {
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
  const width = Math.max(...[...hosts.keys()].map((host) => host.length));
  return [...hosts].map(([host, { done, total }]) => `  ${host.padEnd(width)}  ${share(done, total)}`);
}

/** The time left is that of the host that takes longest: hosts don't wait for each other, and one may be much faster. */
function totalLine(hosts: ReadonlyMap<string, Host>, at: number): string {
  const all = [...hosts.values()];
  const sum = (of: (host: Host) => number): number => all.reduce((total, host) => total + of(host), 0);
  const rates = new Map(all.map((host) => [host, rateWith(host.samples, at, host.done)]));
  const rate = sum((host) => rates.get(host) ?? 0);
  const left = Math.max(...all.map((host) => (host.total - host.done) / Math.max(1, rates.get(host) ?? 0)), 0);
  const parts = [
    `  total  ${share(
      sum((host) => host.done),
      sum((host) => host.total),
    )}`,
  ];
  if (rate >= 1) parts.push(`${formatBytes(rate)}/s`);
  if (rate >= 1 && left > 0) parts.push(`${formatDuration(left)} left`);
  return parts.join('  ');
}

function share(done: number, total: number): string {
  const percent = total === 0 ? 100 : Math.floor((done / total) * 100);
  return `${String(percent).padStart(3)}%  ${formatBytes(done)} of ${formatBytes(total)}`;
}
