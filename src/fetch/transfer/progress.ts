import type { RunContext } from '../../core/events.ts';
import type { Piece } from './piece.ts';

/** Between two events. */
const intervalMs = 100;

export interface Progress {
  /** A piece came from a mirror. */
  add(piece: Piece): void;
  /** A piece must come from a mirror after all. */
  expect(piece: Piece): void;
  end(): void;
}

/** Tells how much of what has to come over the network is there: checked chunks only, so that it never runs backwards. */
export function progressOf(model: string, pieces: readonly Piece[], context: RunContext): Progress {
  let total = pieces.reduce((sum, piece) => sum + (piece.state === 'open' ? piece.archiveLength : 0), 0);
  let done = 0;
  let told = 0;
  let toldAt = 0;
  const tell = (): void => {
    told = done;
    toldAt = performance.now();
    context.onEvent?.({ type: 'progress', task: 'download', subject: model, done, total });
  };
  if (total > 0) tell();
  return {
    add(piece) {
      done += piece.archiveLength;
      if (performance.now() - toldAt >= intervalMs) tell();
    },
    expect(piece) {
      total += piece.archiveLength;
    },
    end() {
      if (done !== told) tell();
    },
  };
}
