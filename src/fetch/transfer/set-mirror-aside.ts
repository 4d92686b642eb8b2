import { AircherError, type Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import type { Chunk } from './chunk.ts';
import type { Encoding } from './encoding.ts';
import type { Mirror } from './mirror.ts';
import { type FaultKind, type MirrorFaultError, toFault } from './mirror-faults.ts';

/**
 * After so many failures a mirror is given up. Right bytes make up for some of them
 * (`Mirror.credit`).
 */
const mostStrikes = 4;
/**
 * After so many wrong chunks a mirror is given up. After so many wrong copies of one chunk, it
 * isn't asked for that chunk.
 */
const mostWrong = 8;
const mostWrongOfChunk = 2;
const longestDelayMs = 10_000;

export interface MirrorsAtWork extends RunContext {
  readonly http: Http;
  /** All mirrors of this transfer. */
  readonly mirrors: readonly Mirror[];
}

export interface FailedRequest {
  readonly mirror: Mirror;
  readonly url: string;
  readonly startedAt: number;
  /** Whether a range was asked for. */
  readonly ranged: boolean;
  /** What was asked for is of use, but not needed. */
  readonly encoding?: Encoding | undefined;
}

/**
 * Decides what follows from a failed request: a pause, no more ranges from this mirror, or giving
 * it up. The rule is the same for ranges and for whole archives. Throws what isn't the mirror's
 * fault.
 */
export async function judgeFailure(request: FailedRequest, error: unknown, work: MirrorsAtWork): Promise<void> {
  const { mirror, url, startedAt, ranged, encoding } = request;
  const fault = toFault(error);
  const { kind, message, remedy } = fault;
  if (kind === 'missing' || kind === 'denied') {
    if (await mirror.findByApi(work.http, url, work.signal)) return;
  }
  mirror.note(kind, message);
  if (encoding !== undefined && remedy !== 'wait') {
    const times = remedy === 'retry' ? weightOf(fault) : Number.POSITIVE_INFINITY;
    if (isLeftThere(encoding, mirror, times, message, work)) return;
  }
  if (remedy === 'refused' && ranged && !mirror.answered) askForWhole(mirror, message, work);
  else if (remedy === 'never' || (remedy === 'refused' && !ranged)) giveUp(mirror, fault, work);
  // Requests that ran at the same time failed for the same reason, so only the first failure
  // counts.
  else if (startedAt >= mirror.judgedAt) strike(request, fault, work);
}

/**
 * Counts that a mirror failed to send an encoding so many times. Whether it isn't asked for that
 * any more, which says nothing of the archive.
 */
function isLeftThere(encoding: Encoding, mirror: Mirror, times: number, message: string, work: MirrorsAtWork): boolean {
  if (!encoding.noteFailure(mirror.name, times)) return false;
  tellLeft(encoding, message, work);
  mirror.strikes = 0;
  return true;
}

/**
 * For a mirror that can't answer requests for ranges: from now on it is asked for the whole, and
 * only where no other mirror has the bytes.
 */
export function askForWhole(mirror: Mirror, message: string, work: MirrorsAtWork): void {
  mirror.whole = true;
  if (work.mirrors.some((other) => other !== mirror && isClean(other))) announce(mirror, message, work);
}

/** The mirror sent something other than the chunk. */
export function judgeWrongChunk(mirror: Mirror, chunk: Chunk, fact: string, work: MirrorsAtWork): void {
  chunk.wrong.set(mirror, (chunk.wrong.get(mirror) ?? 0) + 1);
  judgeWrongBytes(mirror, fact, mostWrong, work);
}

/** An encoding has something else than the chunk. Whether it is left alone from now on. */
export function judgeWrongForm(encoding: Encoding, fact: string, work: MirrorsAtWork): boolean {
  const isLeft = encoding.noteWrong();
  if (isLeft) tellLeft(encoding, fact, work);
  return isLeft;
}

/** Once, when nobody is asked for it any more. */
function tellLeft(encoding: Encoding, reason: string, { onEvent }: RunContext): void {
  if (encoding.announced || encoding.urls.size > 0) return;
  encoding.announced = true;
  onEvent?.({ type: 'notice', message: `${encoding.name} is left alone: ${reason}` });
}

/** The mirror sent wrong bytes. After `most` times it is given up. */
export function judgeWrongBytes(mirror: Mirror, fact: string, most: number, work: MirrorsAtWork): void {
  const message = `${mirror.host}: sends wrong bytes (${fact})`;
  mirror.note('wrong-bytes', message);
  mirror.doubtful = true;
  if ((mirror.faults.get('wrong-bytes')?.times ?? 0) >= most) mirror.gone = { kind: 'wrong-bytes', message };
  announce(mirror, message, work);
}

/** Whether it may be asked for a chunk. */
export function mayServe(mirror: Mirror, chunk: Chunk): boolean {
  const wrong = chunk.wrong.get(mirror) ?? 0;
  return !mirror.gone && wrong < mostWrongOfChunk && mirror.locate(chunk) !== undefined;
}

/**
 * The mirrors to ask now, preferred ones first. Mirrors with faults are asked only for what no
 * mirror without faults has.
 */
export function mirrorsToAsk(mirrors: readonly Mirror[], canHelp: (mirror: Mirror) => boolean): readonly Mirror[] {
  const present = mirrors.filter((mirror) => !mirror.gone);
  const tiers = [present.filter(isClean), present.filter((mirror) => !mirror.whole), present];
  const tier = tiers.find((some) => some.some(canHelp)) ?? [];
  const now = performance.now();
  const ready = tier.filter((mirror) => mirror.restUntil <= now);
  // A host's single files are more bytes than its archive. So they are used only where the archive
  // can't be had.
  return ready.filter(({ raw, host }) => !raw || !ready.some((other) => !other.raw && other.host === host));
}

export function isClean({ gone, doubtful, whole }: Mirror): boolean {
  return !gone && !doubtful && !whole;
}

/**
 * Counts a failure: the mirror gets a pause, and fewer connections from then on. If another mirror
 * can be asked meanwhile, the user is told that this one is set aside. It isn't given up for what
 * it answers of an encoding.
 */
function strike({ mirror, encoding }: FailedRequest, fault: MirrorFaultError, work: MirrorsAtWork): void {
  const { retryDelayMs, maxRetryAfterMs } = work.http.settings;
  mirror.strikes += weightOf(fault);
  const backoff = Math.min(longestDelayMs, retryDelayMs * 2 ** (mirror.strikes - 1)) * (0.75 + Math.random() / 2);
  const delayMs = fault.waitMs ?? backoff;
  if (mirror.strikes >= mostStrikes || delayMs > maxRetryAfterMs) {
    if (encoding === undefined) giveUp(mirror, fault, work);
    else isLeftThere(encoding, mirror, Number.POSITIVE_INFINITY, fault.message, work);
    return;
  }
  const now = performance.now();
  const another = work.mirrors.some((other) => other !== mirror && !other.gone && other.restUntil <= now);
  mirror.judgedAt = now;
  mirror.restUntil = now + delayMs;
  mirror.connections = fault.remedy === 'wait' ? 1 : Math.ceil(mirror.connections / 2);
  if (another) announce(mirror, fault.message, work);
  else work.onEvent?.({ type: 'retry', what: mirror.name, reason: fault.message, delayMs: Math.round(delayMs) });
}

/** A failure that took long to notice counts as two. */
function weightOf({ kind }: MirrorFaultError): number {
  return kind === 'timeout' || kind === 'slow' ? 2 : 1;
}

function giveUp(mirror: Mirror, { kind, message }: MirrorFaultError, work: MirrorsAtWork): void {
  mirror.gone = { kind, message };
  announce(mirror, message, work);
}

/** Tells the user that the mirror is set aside, once. */
export function announce(mirror: Mirror, reason: string, { onEvent }: RunContext): void {
  if (mirror.announced) return;
  mirror.announced = true;
  onEvent?.({ type: 'mirror-set-aside', mirror: mirror.name, reason });
}

/**
 * The error when no mirror is left. It names each mirror and its fault. `integrity` where all of
 * them sent wrong bytes, else `remote`.
 */
export function mirrorsFailed(mirrors: readonly Mirror[]): AircherError {
  const reasons = mirrors.map((mirror) => ({ mirror, ...reasonOf(mirror) }));
  const problems: Problem[] = reasons.map(({ mirror, message }) => ({ level: 'error', file: mirror.name, message }));
  const wrong = reasons.length > 0 && reasons.every(({ kind }) => kind === 'wrong-bytes');
  const denied = reasons.some(({ kind }) => kind === 'denied' || kind === 'missing');
  const summary = reasons.map(({ mirror, message }) => `${mirror.name}: ${message}`).join('; ');
  const remedy = wrong
    ? 'Tell the maintainer of this release'
    : denied
      ? 'For a private repository set HF_TOKEN or GITHUB_TOKEN, for a mirror AIRCHER_MIRROR_TOKEN'
      : 'Try again later';
  return new AircherError(
    wrong ? 'integrity' : 'remote',
    `${wrong ? 'every mirror sends wrong bytes' : 'no mirror is left'}: ${summary}`,
    { hint: `${remedy}. What is right so far is kept.`, problems },
  );
}

/**
 * Why the mirror is of no use: that it sends wrong bytes, if it ever did; else why it was given up;
 * else its last fault.
 */
function reasonOf({ gone, faults }: Mirror): { readonly kind: FaultKind | undefined; readonly message: string } {
  const wrong = faults.get('wrong-bytes');
  if (wrong) return { kind: 'wrong-bytes', message: wrong.message };
  const [kind, fault] = [...faults].at(-1) ?? [];
  return gone ?? { kind, message: fault?.message ?? 'does not have all of it' };
}
