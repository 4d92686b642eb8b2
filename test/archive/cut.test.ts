import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutFile } from '../../src/archive/cut.ts';
import { parseHeader, type SafetensorsHeader } from '../../src/weights/safetensors-header.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

/** A header whose tensors have these sizes, in this order; `headerBytes` as given. */
function header(sizes: readonly number[], headerBytes = 1000): SafetensorsHeader {
  let end = 0;
  const tensors = sizes.map((size, index) => {
    const begin = end;
    end += size;
    return { name: `t${index}`, dtype: 'U8', shape: [size], begin, end };
  });
  return { headerBytes, metadata: {}, tensors };
}

function cut(sizes: readonly number[], headerBytes?: number): number[] {
  return [...cutFile(0, header(sizes, headerBytes))];
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

test('cuts follow the data, not the order in which the header names tensors', () => {
  const json = Buffer.from(
    JSON.stringify({
      b: { dtype: 'U8', shape: [70000], data_offsets: [10, 70010] },
      a: { dtype: 'U8', shape: [10], data_offsets: [0, 10] },
    }),
  );
  const size = 8 + json.length + 70010;
  assert.deepEqual([...cutFile(size, parseHeader(json, size))], [8 + json.length, 10, 70000]);
});
