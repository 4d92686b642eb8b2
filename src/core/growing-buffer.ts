/**
 * Gathers pieces into one buffer, of which at most `maxBytes` come. The pieces aren't kept: a
 * thousand of one byte would take a hundred times their size. `add` answers false, and adds
 * nothing, for a piece that is too much.
 */
export function growingBuffer(maxBytes: number): { add(piece: Uint8Array): boolean; bytes(): Buffer } {
  let room = Buffer.allocUnsafe(Math.min(maxBytes, 64 * 1024));
  let size = 0;
  return {
    add(piece) {
      const needed = size + piece.length;
      if (needed > maxBytes) return false;
      if (needed > room.length) {
        const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(needed, room.length * 2)));
        room.copy(larger, 0, 0, size);
        room = larger;
      }
      room.set(piece, size);
      size = needed;
      return true;
    },
    bytes: () => room.subarray(0, size),
  };
}
