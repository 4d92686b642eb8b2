/**
 * What can go wrong with one exchange. Offsets count bytes of the body of that exchange (not of the
 * stored object).
 *
 * How the server behaves:
 * - `status`: answers this. The request's body is read to its end, the work isn't done; with
 *   `after: true` it is done first (a commit that happened though it failed); `when`: only a
 *   request with a Range, or only one without.
 * - `reset`: cuts the connection when `atByte` bytes (0) of the request or response have passed: by
 *   RST, or with `how: 'fin'` by an ordinary close. In a request, 0 means before anything is done.
 * - `stall`: nothing more moves from `atByte` (0) on, for `ms`, or until the client gives up.
 * - `slow`: a body moves at this rate.
 * - `lost-response`: the work is done, then the connection is cut without an answer.
 *
 * What the answer looks like:
 * - `truncate`: the body ends cleanly after `atByte` bytes, with nothing that says more was to
 *   come.
 * - `wrong-length`: Content-Length is off by `by` bytes; with more than there are, the connection
 *   closes early.
 * - `flip`: all bits of the byte at `atByte` are inverted, in the response or in the request that
 *   the server sees.
 * - `html`: status 200 and a page of HTML instead (a captive portal, a proxy's error page). The
 *   work isn't done.
 * - `ignore-range`: the request's Range is overlooked; `whole-as-206`: likewise, but with 206 and
 *   the Content-Range of the whole. `slice-as-200`: the right slice, but status 200 and no
 *   Content-Range. `wrong-content-range`: Content-Range names bytes `by` (1) further on.
 * - `gzip`: the body is compressed (Content-Encoding: gzip), asked for or not.
 * - `redirect`: 302 to `to`; `self` is a loop.
 *
 * What only the stand-ins know how to do:
 * - `expired-url`: signed URLs handed out have expired already; on the host that checks them, they
 *   count as expired.
 * - `lag`: read-after-write lag: what was made in the last `ms` milliseconds isn't in the answer
 *   yet; without `ms`, what was made since the rule was added.
 * - `starter`: an upload is read, answered with 502, and leaves an asset in state `starter`.
 * - `rename`: before the request is answered, somebody renames the repository; its old name
 *   redirects from then on (Hub).
 * - `lfs-header`: the verify action of an LFS upload takes the credentials that it came with, and
 *   no token (Hub).
 */
export type FaultAction =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      readonly after?: boolean;
      readonly when?: 'ranged' | 'not ranged';
    }
  | { readonly kind: 'reset'; readonly of?: Direction; readonly atByte?: number; readonly how?: 'rst' | 'fin' }
  | { readonly kind: 'stall'; readonly of?: Direction; readonly atByte?: number; readonly ms?: number }
  | { readonly kind: 'slow'; readonly of?: Direction; readonly bytesPerSecond: number }
  | { readonly kind: 'lost-response' }
  | { readonly kind: 'truncate'; readonly atByte: number }
  | { readonly kind: 'wrong-length'; readonly by: number }
  | { readonly kind: 'flip'; readonly of?: Direction; readonly atByte: number }
  | { readonly kind: 'html' }
  | { readonly kind: 'ignore-range' }
  | { readonly kind: 'whole-as-206' }
  | { readonly kind: 'slice-as-200' }
  | { readonly kind: 'wrong-content-range'; readonly by?: number }
  | { readonly kind: 'gzip' }
  | { readonly kind: 'redirect'; readonly to: string }
  | { readonly kind: 'expired-url' }
  | { readonly kind: 'lag'; readonly ms?: number }
  | { readonly kind: 'starter' }
  | { readonly kind: 'rename' }
  | { readonly kind: 'lfs-header' };

/** The side of an exchange a fault hits; `response` where it isn't given. */
export type Direction = 'request' | 'response';

export interface FaultRule {
  /** For people and tests. */
  readonly name?: string;
  /** Everything given must match. */
  readonly match?: {
    readonly method?: string | readonly string[];
    /** Searched in path and query; a string is the source of a regular expression. */
    readonly path?: RegExp | string;
    /** Name of the origin: `api`, `uploads`, `web`, `assets`, `hub`, `mirror`, …. */
    readonly origin?: string | readonly string[];
  };
  /** The first matching exchange that is hit, counted from 1 (the default). */
  readonly nth?: number;
  /** How many are hit from there on; 1 where it isn't given. */
  readonly times?: number | 'always';
  readonly action: FaultAction;
}

/**
 * A fault that hits the exchange at hand; `addedAt` (milliseconds) is when its rule was injected.
 */
export type ActiveFault<Kind extends FaultAction['kind'] = FaultAction['kind']> = Extract<
  FaultAction,
  { kind: Kind }
> & { readonly addedAt: number };

/** Rules that can be injected and taken back while a stand-in runs. */
export interface Faults {
  /** Injects a rule; call the answer to take it back. */
  add(rule: FaultRule): () => void;
  clear(): void;
  /** How often the rule of that name (or the rule itself) has hit. */
  hits(rule: string | FaultRule): number;
  /** The faults that hit this exchange; counts it. */
  match(exchange: { readonly method: string; readonly path: string; readonly origin: string }): readonly ActiveFault[];
}

export function createFaults(rules: readonly FaultRule[] = []): Faults {
  interface Entry {
    readonly rule: FaultRule;
    readonly addedAt: number;
    seen: number;
    hit: number;
  }
  let entries: Entry[] = [];
  const add = (rule: FaultRule): (() => void) => {
    const entry: Entry = { rule, addedAt: Date.now(), seen: 0, hit: 0 };
    entries.push(entry);
    return () => {
      entries = entries.filter((other) => other !== entry);
    };
  };
  for (const rule of rules) add(rule);
  return {
    add,
    clear: () => {
      entries = [];
    },
    hits: (wanted) =>
      entries
        .filter(({ rule }) => rule === wanted || (typeof wanted === 'string' && rule.name === wanted))
        .reduce((sum, entry) => sum + entry.hit, 0),
    match: (exchange) => {
      const active: ActiveFault[] = [];
      for (const entry of entries) {
        if (!matches(entry.rule, exchange)) continue;
        entry.seen++;
        const first = entry.rule.nth ?? 1;
        const times = entry.rule.times ?? 1;
        if (entry.seen < first || (times !== 'always' && entry.seen >= first + times)) continue;
        entry.hit++;
        active.push({ ...entry.rule.action, addedAt: entry.addedAt });
      }
      return active;
    },
  };
}

/** The fault of that kind (and, where it is given, of that direction) that hits the exchange. */
export function findFault<Kind extends FaultAction['kind']>(
  faults: readonly ActiveFault[],
  kind: Kind,
  of?: Direction,
): ActiveFault<Kind> | undefined {
  return faults.find(
    (fault): fault is ActiveFault<Kind> => fault.kind === kind && (of === undefined || of === directionOf(fault)),
  );
}

/** Whether a `lag` fault hides what was made at `madeAt` (milliseconds) from the answer. */
export function isHiddenByLag(faults: readonly ActiveFault[], madeAt: number): boolean {
  const lag = findFault(faults, 'lag');
  if (lag === undefined) return false;
  return lag.ms === undefined ? madeAt >= lag.addedAt : Date.now() - madeAt < lag.ms;
}

function directionOf(fault: ActiveFault): Direction {
  return ('of' in fault ? fault.of : undefined) ?? 'response';
}

function matches(rule: FaultRule, exchange: { method: string; path: string; origin: string }): boolean {
  const { method, path, origin } = rule.match ?? {};
  return (
    isOneOf(method, exchange.method) &&
    isOneOf(origin, exchange.origin) &&
    (path === undefined || new RegExp(path).test(exchange.path))
  );
}

function isOneOf(wanted: string | readonly string[] | undefined, found: string): boolean {
  return wanted === undefined || (typeof wanted === 'string' ? wanted === found : wanted.includes(found));
}
