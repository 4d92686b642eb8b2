import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { decompress } from '../../src/archive/decompress.ts';
import { isAircherError } from '../../src/core/errors.ts';

async function unpack(bytes: Uint8Array, maxBytes = 1 << 24): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes;
  };
  const options = { maxBytes, portableZstd: true };
  for await (const piece of decompress('tar.zst', source(), options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

function compress(bytes: Uint8Array, level: number, windowLog: number): Buffer {
  const { ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_c_checksumFlag } = zlib.constants;
  const params = { [ZSTD_c_compressionLevel]: level, [ZSTD_c_windowLog]: windowLog, [ZSTD_c_checksumFlag]: level & 1 };
  return zlib.zstdCompressSync(bytes, { params });
}

/** Content with every kind of redundancy: words, runs, copies from far behind, noise, numbers like weights. */
const part = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.tuple(fc.integer({ min: 0, max: 255 }), fc.nat(70_000)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
  fc
    .tuple(
      fc.array(fc.string({ maxLength: 12 }), { minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(39), { maxLength: 4000 }),
    )
    .map(([words, order]) => Buffer.from(order.map((at) => words[at % words.length]).join(' '))),
  fc
    .tuple(fc.nat(30_000), fc.double({ min: 1, max: 60, noNaN: true }))
    .map(([count, spread]) => Uint8Array.from({ length: count }, (_, at) => 128 + spread * Math.sin(at * at))),
);
const content = fc
  .tuple(fc.array(part, { maxLength: 8 }), fc.array(fc.nat(7), { maxLength: 12 }))
  .map(([parts, order]) =>
    Buffer.concat(
      [...parts, ...order.map((at) => parts[at % Math.max(1, parts.length)] ?? [])].map((bytes) => Buffer.from(bytes)),
    ),
  );
const runs = { numRuns: Number(process.env.ZSTD_RUNS ?? 150) };

test('what zstd packed, at any level and window, is unpacked to the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      content,
      fc.integer({ min: -7, max: 19 }),
      fc.integer({ min: 10, max: 22 }),
      async (bytes, level, log) => {
        assert.ok((await unpack(compress(bytes, level, log))).equals(bytes));
      },
    ),
    runs,
  );
});

test('text and weights of many blocks are unpacked to the same bytes', async () => {
  const words = Array.from({ length: 500 }, (_, at) => `token${(at * 7919) % 997} `);
  const text = Buffer.from(Array.from({ length: 90_000 }, (_, at) => words[(at * at * 31 + at) % 500]).join(''));
  const weights = Buffer.from(
    Float32Array.from({ length: 200_000 }, (_, at) => Math.sin(at) / 7 + Math.cos(at * at)).buffer,
  );
  for (const bytes of [text, weights, Buffer.concat([text, weights, text])]) {
    for (const level of [1, 3, 9, 19]) assert.ok((await unpack(compress(bytes, level, 20))).equals(bytes));
  }
});

test('damaged data gives other bytes or `integrity`, soon and within bounds, never another error', async () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(content, fc.integer({ min: 1, max: 19 }), damage, fc.nat(), async (bytes, level, changes, cut) => {
      const packed = compress(bytes, level, 17);
      for (const [at, value] of changes) packed[6 + (at % Math.max(1, packed.length - 6))] = value;
      const end = cut % 3 === 0 ? cut % packed.length : packed.length;
      try {
        await unpack(packed.subarray(0, end));
      } catch (error) {
        assert.ok(isAircherError(error, 'integrity'), String((error as Error).stack));
      }
    }),
    { numRuns: runs.numRuns * 4 },
  );
});
