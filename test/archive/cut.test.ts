import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutFile } from '../../src/archive/cut.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

interface Stretch {
  readonly gap: number;
}

/** Cuts of a file: a header, then tensors of these sizes, and gaps between them. */
function cut(parts: readonly (number | Stretch)[], headerBytes = 1000, describedInPlace = false): number[] {
  const ranges: { begin: number; end: number }[] = [];
  let at = headerBytes;
  for (const part of parts) {
    const bytes = typeof part === 'number' ? part : part.gap;
    if (typeof part === 'number' && bytes > 0) ranges.push({ begin: at, end: at + bytes });
    at += bytes;
  }
  return [...cutFile(at, { ranges, describedInPlace })];
}

test('an ordinary file is cut every 1 MiB, an empty one not at all', () => {
  assert.deepEqual([...cutFile(0)], []);
  assert.deepEqual([...cutFile(1)], [1]);
  assert.deepEqual([...cutFile(MiB)], [MiB]);
  assert.deepEqual([...cutFile(MiB + 1)], [MiB, 1]);
  assert.deepEqual([...cutFile(3 * MiB)], [MiB, MiB, MiB]);
});

test('the header is cut off, and cut every 1 MiB itself', () => {
  assert.deepEqual(cut([]), [1000]);
  assert.deepEqual(cut([10]), [1000, 10]);
  assert.deepEqual(cut([10], 2 * MiB + 5), [MiB, MiB, 5, 10]);
});

test('a tensor of 64 KiB or more stands alone and is cut every 1 MiB from its start', () => {
  assert.deepEqual(cut([64 * KiB, 64 * KiB]), [1000, 64 * KiB, 64 * KiB]);
  assert.deepEqual(cut([MiB, MiB + 1, 2 * MiB]), [1000, MiB, MiB, 1, MiB, MiB]);
});

test('smaller tensors are merged up to 1 MiB, and never across a bigger one', () => {
  assert.deepEqual(cut([1, 2, 3]), [1000, 6]);
  assert.deepEqual(cut([64 * KiB - 1, 64 * KiB - 1]), [1000, 128 * KiB - 2]);
  assert.deepEqual(cut([1, 64 * KiB, 2, 3]), [1000, 1, 64 * KiB, 5]);
  assert.deepEqual(cut(Array.from({ length: 40 }, () => 32 * KiB)), [1000, MiB, 8 * 32 * KiB]);
  const almost = 64 * KiB - 1;
  assert.deepEqual(cut([...Array.from({ length: 16 }, () => almost), 17]), [1000, 16 * almost, 17]);
});

test('empty tensors make no chunks and end no run', () => {
  assert.deepEqual(cut([0, 5, 0, 6, 0]), [1000, 11]);
  assert.deepEqual(cut([64 * KiB, 0, 64 * KiB, 0]), [1000, 64 * KiB, 64 * KiB]);
});

test('padding is a chunk of its own, cut every 1 MiB', () => {
  assert.deepEqual(cut([MiB, { gap: 32 }, 64 * KiB]), [1000, MiB, 32, 64 * KiB]);
  assert.deepEqual(cut([MiB, { gap: MiB + 7 }, 5]), [1000, MiB, MiB, 7, 5]);
  assert.deepEqual(cut([MiB, { gap: 9 }]), [1000, MiB, 9]);
});

test('descriptions between tensors are merged like small ones; padding between small ones is not', () => {
  const parts = [5, { gap: 40 }, 6, { gap: 40 }, 64 * KiB, { gap: 40 }, 7];
  assert.deepEqual(cut(parts, 1000, true), [1000, 91, 64 * KiB, 47]);
  assert.deepEqual(cut(parts), [1000, 5, 40, 6, 40, 64 * KiB, 40, 7]);
});
