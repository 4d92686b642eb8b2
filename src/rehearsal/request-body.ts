import { findFault } from './faults.ts';
import { createPacer, wait } from './pacing.ts';
import { cutConnection, type Scene } from './send-reply.ts';

/** The body as it arrives, counted in the log, paced, and under the request faults that hit it. */
export async function* readRequestBody(scene: Scene): AsyncGenerator<Buffer, void, undefined> {
  const { request, faults, signal, entry, pacer } = scene;
  const reset = findFault(faults, 'reset', 'request');
  const stall = findFault(faults, 'stall', 'request');
  const flip = findFault(faults, 'flip', 'request');
  const slow = findFault(faults, 'slow', 'request');
  const slowPacer = slow && createPacer(slow.bytesPerSecond);
  let stalled = false;
  // A handler that stops reading must not cut the connection: it still has an answer to give.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const before = entry.bytesIn;
    const end = before + piece.length;
    await pacer?.(piece.length, signal);
    await slowPacer?.(piece.length, signal);
    entry.bytesIn = end;
    if (flip && flip.atByte >= before && flip.atByte < end) {
      const at = flip.atByte - before;
      piece[at] = (piece[at] ?? 0) ^ 0xff;
    }
    if (stall && !stalled && end > (stall.atByte ?? 0)) {
      stalled = true;
      await wait(stall.ms, signal);
    }
    if (reset && end >= (reset.atByte ?? 0)) {
      cutConnection(scene, reset.how);
      throw new Error('the connection was reset by a fault rule');
    }
    yield piece;
  }
}
