import type { LogEntry } from '../../rehearsal/request-log.ts';
import type { StandIn, StandIns } from './stand-ins.ts';

/** What went over the wire to one stand-in and back, in one phase. */
export interface Traffic {
  readonly host: StandIn['name'];
  readonly requests: number;
  /** Requests that could change something. */
  readonly writes: number;
  readonly bytes_sent: number;
  readonly bytes_received: number;
}

/**
 * Counts from the moment it is made: each call of the answer gives the traffic since the last one.
 */
export function meterTraffic(standIns: StandIns): () => readonly Traffic[] {
  const seen = new Map<StandIn, number>();
  return () =>
    standIns.all.map((standIn) => {
      const from = seen.get(standIn) ?? 0;
      seen.set(standIn, standIn.requests.length);
      return sum(standIn.name, standIn.requests.slice(from));
    });
}

function sum(host: StandIn['name'], entries: readonly LogEntry[]): Traffic {
  const total = (count: (entry: LogEntry) => number): number => entries.reduce((all, entry) => all + count(entry), 0);
  return {
    host,
    requests: entries.length,
    writes: total((entry) => Number(isWrite(entry))),
    bytes_sent: total((entry) => entry.bytesIn),
    bytes_received: total((entry) => entry.bytesOut),
  };
}

/** Questions that are asked by POST change nothing. */
export function isWrite({ method, path }: Pick<LogEntry, 'method' | 'path'>): boolean {
  return (
    !['GET', 'HEAD'].includes(method) &&
    !/generate-notes|\/preupload\/|\/paths-info\/|\/validate-yaml|\/objects\/(batch|verify)/.test(path)
  );
}
