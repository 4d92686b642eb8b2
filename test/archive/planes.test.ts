import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePatch, decodePlanes } from '../../src/archive/decode-planes.ts';
import { applyDifference, differenceOf } from '../../src/archive/difference.ts';
import { type Element, elementOf } from '../../src/archive/element.ts';
import { encodePatch, encodePlanes } from '../../src/archive/encode-planes.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { dtypeBits } from '../../src/weights/dtypes.ts';
import { tensorTypes } from '../../src/weights/gguf-types.ts';
import { dataTypes } from '../../src/weights/onnx-schema.ts';
import { elementTypes, planeSamples } from './plane-samples.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 100);

/**
 * Bit patterns that floats of any width treat apart: ±0, ±Inf, NaNs with payloads, denormals,
 * extremes.
 */
const special = fc.constantFrom(
  ...[0n, 1n, 0x7c00n, 0xfc00n, 0x7c01n, 0xfe55n, 0x8000n, 0x8001n, 0x7f80n, 0x7fc1n, 0xff81n, 0xffffn],
  ...[0x7f800000n, 0xff800000n, 0x7f800001n, 0xffc12345n, 0x80000000n, 0x80000001n, 0x7fffffffn, 0xffffffffn],
  ...[0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff0000000000001n, 0xfff8dead0000beefn, 0x8000000000000000n],
  ...[0x8000000000000001n, 0x000fffffffffffffn, 0x7fffffffffffffffn, 0xffffffffffffffffn, 0x00000000ffffffffn],
);
const number = fc.oneof(special, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

/** Two chunks of one length, which may be no multiple of the element's width. */
const pair = fc
  .record({
    element: fc.constantFrom(...elementTypes).map(elementOf),
    numbers: fc.array(fc.tuple(number, number), { maxLength: 60 }),
    rest: fc.integer({ min: 0, max: 7 }),
  })
  .map(({ element, numbers, rest }) => {
    const chunkOf = (side: 0 | 1): Buffer => {
      const all = Buffer.alloc(numbers.length * 8);
      for (const [at, both] of numbers.entries()) all.writeBigUInt64LE(both[side], at * 8);
      // Every second word, so that all widths meet the low bytes in which the special ones differ.
      const bytes = Buffer.concat(numbers.map((_, at) => all.subarray(at * 8, at * 8 + element.width)));
      return Buffer.concat([bytes, Buffer.alloc(rest % element.width, 0xa5 + side)]);
    };
    return { element, old: chunkOf(0), now: chunkOf(1) };
  });

test('a chunk comes back from its planes, and from its difference to any other', async () => {
  await fc.assert(
    fc.asyncProperty(pair, async ({ element, old, now }) => {
      const planes = Buffer.concat(await encodePlanes(now, element));
      assert.deepEqual(Buffer.from(await decodePlanes(planes, now.length)), now);
      const patch = Buffer.concat(await encodePatch(now, old, element));
      assert.deepEqual(Buffer.from(await decodePatch(patch, old)), now);
    }),
    { numRuns, verbose: true },
  );
});

/** The definition, in numbers of any size. */
function zigzagOf(now: bigint, old: bigint, { width, isFloat }: Element): bigint {
  const bits = BigInt(8 * width);
  const ord = (value: bigint): bigint => {
    const number = BigInt.asUintN(Number(bits), value);
    return isFloat && number >> (bits - 1n) === 1n ? number ^ (2n ** (bits - 1n) - 1n) : number;
  };
  const difference = BigInt.asIntN(Number(bits), ord(now) - ord(old));
  return BigInt.asUintN(Number(bits), difference < 0n ? -2n * difference - 1n : 2n * difference);
}

test('differences are those of the format: modulo the width, floats in their order, zigzag', () => {
  fc.assert(
    fc.property(fc.constantFrom(...elementTypes).map(elementOf), number, number, (element, one, other) => {
      const bytesOf = (value: bigint): Buffer => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
        return bytes.subarray(0, element.width);
      };
      const difference = differenceOf(bytesOf(one), bytesOf(other), element);
      assert.deepEqual(Buffer.from(difference), bytesOf(zigzagOf(one, other, element)));
      assert.deepEqual(Buffer.from(applyDifference(difference, bytesOf(other), element)), bytesOf(one));
    }),
    { numRuns: numRuns * 10, verbose: true },
  );
});

test('an element is what the format says of its type; what is no whole number of bytes is single bytes', () => {
  const known = new Map<string, readonly [number, boolean]>([
    ...(['F64', 'C128'] as const).map((name) => [name, [8, true]] as const),
    ...(['F32', 'C64'] as const).map((name) => [name, [4, true]] as const),
    ...(['F16', 'BF16'] as const).map((name) => [name, [2, true]] as const),
    ...(['F8_E5M2', 'F8_E4M3', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'] as const).map((name) => [name, [1, true]] as const),
    ...(['I64', 'U64'] as const).map((name) => [name, [8, false]] as const),
    ...(['I32', 'U32'] as const).map((name) => [name, [4, false]] as const),
    ...(['I16', 'U16'] as const).map((name) => [name, [2, false]] as const),
  ]);
  const names = [
    ...dtypeBits.keys(),
    ...Object.values(dataTypes).map(([name]) => name),
    ...[...tensorTypes.values()].map(([name]) => name),
  ];
  for (const name of names) {
    const [width, isFloat] = known.get(name) ?? [1, false];
    assert.deepEqual(elementOf(name), { width, isFloat }, name);
  }
});

test('the bytes of a small chunk are those that the format tells', async () => {
  // 1.0, −0, and three bytes that are no element.
  const chunk = Buffer.from('0000803f00000080aabbcc', 'hex');
  const planes = Buffer.concat(await encodePlanes(chunk, elementOf('F32')));
  assert.equal(
    planes.toString('hex'),
    '82' + '00020000000000' + '00020000000000' + '00020000008000' + '00020000003f80' + 'aabbcc',
  );
  // From −0 to +0 is one step up, from 1.0 to the float below it one down: zigzag 2 and 1.
  const old = Buffer.from('0000803f000000800102ff', 'hex');
  const now = Buffer.from('ffff7f3f00000000aabbcc', 'hex');
  const patch = Buffer.concat(await encodePatch(now, old, elementOf('F32')));
  assert.equal(
    patch.toString('hex'),
    '82' + '00020000000102' + '00020000000000' + '00020000000000' + '00020000000000' + 'aabbcc',
  );
});

test('noise is stored, and what is regular is not', async () => {
  const [f32] = planeSamples().filter(({ name }) => name === 'F32');
  const planes = Buffer.concat(await encodePlanes(f32!.now, f32!.element));
  assert.deepEqual([planes[0], planes[1], planes.readUInt32LE(2)], [0x82, 0, 17_500]);
  assert.ok(planes.length < f32!.now.length * 0.75, `${planes.length}`);
});

test('the bytes of encoded chunks never change', async () => {
  const golden = JSON.parse(
    await readFile(new URL('../golden/plane-digests.json', import.meta.url), 'utf8'),
  ) as unknown;
  const digests: Record<string, readonly string[]> = {};
  for (const { name, element, old, now } of planeSamples()) {
    const bodies = [await encodePlanes(now, element), await encodePatch(now, old, element)];
    digests[name] = bodies.map((body) => sha256(Buffer.concat(body)));
  }
  assert.deepEqual(digests, golden);
});

test('hostile bodies are refused with a reason, whatever they claim', async () => {
  const good = Buffer.concat(await encodePlanes(Buffer.alloc(4000, 7), elementOf('F32')));
  const changed = (at: number, bytes: string): Buffer => {
    const body = Buffer.from(good);
    body.write(bytes, at, 'hex');
    return body;
  };
  const bomb = Buffer.concat(await encodePlanes(Buffer.alloc(1 << 20), elementOf('U8')));
  const hostile: Record<string, readonly [Buffer, number]> = {
    'nothing at all': [Buffer.alloc(0), 4000],
    'a width that no element has': [changed(0, '40'), 4000],
    'another width': [changed(0, '80'), 4000],
    'an unknown method': [changed(1, '02'), 4000],
    'a stored plane that is too short': [changed(1, '00'), 4000],
    'a plane longer than the body': [changed(2, 'ffffffff'), 4000],
    'a body cut off': [good.subarray(0, good.length - 1), 4000],
    'a body cut off in a header': [good.subarray(0, 4), 4000],
    'bytes behind its end': [Buffer.concat([good, Buffer.of(0)]), 4000],
    'more bytes than the chunk has': [bomb, 1024],
    'fewer bytes than the chunk has': [good, 8000],
  };
  for (const [name, [body, length]] of Object.entries(hostile)) {
    const isRefused = (error: unknown): boolean => isAircherError(error, 'integrity');
    await assert.rejects(decodePlanes(body, length), isRefused, name);
    await assert.rejects(decodePatch(body, Buffer.alloc(length)), isRefused, name);
  }
});

test('any bit of a body flipped gives an error, or other bytes of the same length', async () => {
  const chunk = planeSamples()[2]!.now.subarray(0, 301);
  const body = Buffer.concat(await encodePlanes(chunk, elementOf('BF16')));
  for (let bit = 0; bit < body.length * 8; bit++) {
    const flipped = Buffer.from(body);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const found = await decodePlanes(flipped, chunk.length).catch((error: unknown) => {
      if (!isAircherError(error, 'integrity')) throw error;
    });
    if (found !== undefined) assert.equal(found.length, chunk.length, `bit ${bit}`);
  }
});
