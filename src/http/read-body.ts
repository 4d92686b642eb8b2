import type { HttpResponse } from './http-client.ts';
import { hostOf, networkError, seconds, toRemoteError } from './remote-error.ts';

/**
 * Bytes a second, over a whole stall timeout, below which a body counts as stalled though a few
 * bytes come.
 */
const minRate = 1000;

export interface ReadBodyOptions {
  readonly stallTimeoutMs: number;
  /** Milliseconds to wait after so many bytes: the rate limit. */
  readonly pace: (bytes: number) => number;
  /**
   * Gets each piece; it is only valid as long as nobody writes into it. A promise holds the
   * connection until it resolves; `stop` ends it, and the rest isn't read.
   */
  readonly onData: (piece: Buffer) => Promise<unknown> | 'stop' | undefined;
}

/**
 * Reads a body to its end. Throws `remote`: `stalled` after too long a silence that isn't our own
 * doing, `slow` where hardly more comes, `truncated` where the connection ends before the announced
 * length, and whatever `onData` throws.
 */
export function readBody(response: HttpResponse, options: ReadBodyOptions): Promise<void> {
  const { body, url } = response;
  const { stallTimeoutMs } = options;
  return new Promise((resolve, reject) => {
    let lastByte = performance.now();
    let held = 0;
    let pulse = { since: lastByte, bytes: 0, held: false };
    let timer = setTimeout(watch, stallTimeoutMs);
    let pause: NodeJS.Timeout | undefined;
    function watch(): void {
      const now = performance.now();
      const silence = held > 0 ? 0 : now - lastByte;
      if (silence >= stallTimeoutMs) {
        finish(networkError('stalled', `${hostOf(url)}: no byte for ${seconds(stallTimeoutMs)} s`));
        return;
      }
      if (now - pulse.since >= stallTimeoutMs) {
        const rate = (pulse.bytes / (now - pulse.since)) * 1000;
        if (!pulse.held && rate < minRate) {
          finish(networkError('slow', `${hostOf(url)}: ${Math.round(rate)} bytes a second`));
          return;
        }
        pulse = { since: now, bytes: 0, held: held > 0 };
      }
      timer = setTimeout(watch, stallTimeoutMs - silence);
    }
    function finish(error?: unknown, drop = error !== undefined): void {
      clearTimeout(timer);
      // A low rate makes long pauses, and the process would wait for their end.
      clearTimeout(pause);
      body.removeListener('data', onData);
      if (drop) body.destroy();
      if (error === undefined) resolve();
      else reject(error);
    }
    function end(): void {
      finish(
        body.complete
          ? undefined
          : networkError('truncated', `${hostOf(url)}: the answer ends before its announced length`),
      );
    }
    function hold(until: Promise<unknown>): void {
      held++;
      pulse.held = true;
      body.pause();
      until.then(() => {
        held--;
        lastByte = performance.now();
        if (held === 0) body.resume();
      }, finish);
    }
    function onData(piece: Buffer): void {
      lastByte = performance.now();
      pulse.bytes += piece.length;
      try {
        const verdict = options.onData(piece);
        if (verdict === 'stop') {
          finish(undefined, true);
          return;
        }
        if (verdict !== undefined) hold(verdict);
        const wait = options.pace(piece.length);
        // Timers are too coarse for less.
        if (wait >= 2) hold(new Promise((resume) => (pause = setTimeout(resume, wait))));
      } catch (error) {
        finish(error);
      }
    }
    body.on('data', onData);
    body.once('end', end);
    body.once('error', (error) => {
      const cut = toRemoteError(error, url);
      finish(cut.code === 'interrupted' || !body.complete ? cut : undefined);
    });
    // Node tells of a body that ends before its length by an error, except where it was destroyed.
    body.once('close', end);
  });
}

/**
 * A redirect's own text is read to its end when it is at most this, so that the connection can be
 * used again.
 */
const smallBodyBytes = 64 * 1024;

/** Done with an answer whose body doesn't matter. */
export function leave(body: HttpResponse['body']): void {
  if (Number(body.headers['content-length'] ?? Number.POSITIVE_INFINITY) > smallBodyBytes) body.destroy();
  else body.resume();
}
