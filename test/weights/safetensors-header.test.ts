import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAircherError } from '../../src/core/errors.ts';
import { dtypeBits } from '../../src/weights/dtypes.ts';
import { readHeader } from '../../src/weights/read-safetensors.ts';
import { parseHeader, type SafetensorsHeader } from '../../src/weights/safetensors-header.ts';

function parse(header: unknown, dataBytes: number): SafetensorsHeader {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  return parseHeader(json, 8 + json.length + dataBytes, 'model.safetensors');
}

const tensor = (dtype: string, shape: readonly unknown[], begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

test('tensors come by offset, with metadata and the place where the data starts', () => {
  const json = Buffer.from(
    JSON.stringify({
      z: tensor('F16', [2, 3], 4, 16),
      __metadata__: { format: 'pt' },
      a: tensor('F32', [], 0, 4),
    }),
  );
  assert.deepEqual(parseHeader(json, 8 + json.length + 16), {
    headerBytes: 8 + json.length,
    metadata: { format: 'pt' },
    tensors: [
      { name: 'a', dtype: 'F32', shape: [], begin: 0, end: 4 },
      { name: 'z', dtype: 'F16', shape: [2, 3], begin: 4, end: 16 },
    ],
  });
});

const good: Readonly<Record<string, readonly [unknown, number]>> = {
  'no tensors': [{}, 0],
  'padding with spaces': ['{}      ', 0],
  'an empty tensor between others': [
    { b: tensor('U8', [4], 0, 4), e: tensor('F32', [3, 0], 4, 4), c: tensor('U8', [1], 4, 5) },
    5,
  ],
  'an empty tensor named behind the one that begins at its place': [
    { a: tensor('U8', [4], 0, 4), b: tensor('U8', [0], 0, 0) },
    4,
  ],
  'four-bit elements that fill bytes': [{ a: tensor('F4', [2, 3], 0, 3) }, 3],
  'six-bit elements that fill bytes': [{ a: tensor('F6_E2M3', [4], 0, 3), b: tensor('F6_E3M2', [8], 3, 9) }, 9],
  'names that are like numbers or escaped': [{ 1: tensor('U8', [1], 0, 1), 'a"b': tensor('U8', [1], 1, 2) }, 2],
  'members of a tensor that nobody knows': [{ a: { ...tensor('U8', [1], 0, 1), note: [1, { x: null }] } }, 1],
};

for (const [name, [header, dataBytes]] of Object.entries(good)) {
  test(`accepted: ${name}`, () => {
    parse(header, dataBytes);
  });
}

const bad: Readonly<Record<string, readonly [unknown, number]>> = {
  'an empty header': ['', 0],
  'a header that is a list': ['[]', 0],
  'a header that begins with a space': [' {}', 0],
  'a header that begins with a byte order mark': ['\ufeff{}', 0],
  'a header that ends with a newline': ['{}\n', 0],
  'text behind the header': ['{} {}', 0],
  'JSON that ends early': ['{"a":', 0],
  'a tensor twice': [
    '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
    1,
  ],
  'a member twice, once escaped': ['{"a":{"dtype":"U8","dt\\u0079pe":"I8","shape":[1],"data_offsets":[0,1]}}', 1],
  'metadata that is no map': [{ __metadata__: ['pt'] }, 0],
  'metadata with a number': [{ __metadata__: { epoch: 3 } }, 0],
  'a tensor that is null': [{ a: null }, 0],
  'an unknown dtype': [{ a: tensor('F33', [1], 0, 4) }, 4],
  'a dtype in lower case': [{ a: tensor('f32', [1], 0, 4) }, 4],
  'no shape': [{ a: { dtype: 'U8', data_offsets: [0, 1] } }, 1],
  'a negative size': [{ a: tensor('U8', [-1], 0, 1) }, 1],
  'a fraction as a size': [{ a: tensor('U8', [0.5], 0, 1) }, 1],
  'a size beyond exact numbers': ['{"a":{"dtype":"U8","shape":[9007199254740993,0],"data_offsets":[0,0]}}', 0],
  'a size as text': [{ a: tensor('U8', ['1'], 0, 1) }, 1],
  'a shape whose product overflows': [{ a: tensor('U8', [2 ** 40, 2 ** 40], 0, 1) }, 1],
  'a shape that only overflows before its zero': [{ a: tensor('U8', [2 ** 40, 2 ** 40, 0], 0, 0) }, 0],
  'one offset': [{ a: { dtype: 'U8', shape: [1], data_offsets: [0] } }, 1],
  'offsets that run backwards': [{ a: tensor('U8', [0], 1, 0) }, 1],
  'offsets that do not fit the shape': [{ a: tensor('F32', [2], 0, 4) }, 4],
  'four-bit elements that leave half a byte': [{ a: tensor('F4', [3], 0, 2) }, 2],
  'a gap before the first tensor': [{ a: tensor('U8', [1], 1, 2) }, 2],
  'a gap between tensors': [{ a: tensor('U8', [1], 0, 1), b: tensor('U8', [1], 2, 3) }, 3],
  'tensors that overlap': [{ a: tensor('U8', [2], 0, 2), b: tensor('U8', [2], 1, 3) }, 3],
  'two tensors over the same bytes': [{ a: tensor('U8', [2], 0, 2), b: tensor('U8', [2], 0, 2) }, 2],
  'data that is cut short': [{ a: tensor('U8', [2], 0, 2) }, 1],
  'data behind the last tensor': [{ a: tensor('U8', [2], 0, 2) }, 3],
  'an empty tensor inside another': [{ a: tensor('U8', [4], 0, 4), b: tensor('U8', [0], 2, 2) }, 4],
  'deep nesting': [`{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`, 0],
};

for (const [name, [header, dataBytes]] of Object.entries(bad)) {
  test(`refused: ${name}`, () => {
    assert.throws(
      () => parse(header, dataBytes),
      (error) => isAircherError(error, 'invalid') && error.message.includes('model.safetensors'),
    );
  });
}

test('any layout of tensors is read back as it was written', () => {
  const shape = fc.array(fc.nat({ max: 9 }), { maxLength: 4 });
  const spec = fc.record({ dtype: fc.constantFrom(...dtypeBits.keys()), shape });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), spec, { maxKeys: 8 }), fc.nat({ max: 7 }), (specs, spaces) => {
      let end = 0;
      const tensors = Object.entries(specs).flatMap(([name, { dtype, shape }]) => {
        const bits = shape.reduce((product, size) => product * size, 1) * (dtypeBits.get(dtype) ?? 0);
        if (bits % 8 !== 0 || name === '__proto__' || name === '__metadata__') return [];
        const begin = end;
        end += bits / 8;
        return [{ name, dtype, shape, begin, end }];
      });
      const header = Object.fromEntries(
        tensors.map(({ name, dtype, shape, begin, end }) => [name, tensor(dtype, shape, begin, end)]),
      );
      const found = parse(JSON.stringify(header) + ' '.repeat(spaces), end);
      const byName = (list: SafetensorsHeader['tensors']) => Object.fromEntries(list.map((one) => [one.name, one]));
      assert.deepEqual(byName(found.tensors), byName(tensors));
      for (const [at, one] of found.tensors.entries())
        assert.ok(at === 0 || (found.tensors[at - 1]?.begin ?? 0) <= one.begin);
    }),
  );
});

test('readHeader reads good files, and names files that are cut short, pointers or claim too long a header', async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-test-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, 'model.safetensors');
  const write = async (length: bigint, rest: string): Promise<void> => {
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(length);
    await writeFile(path, Buffer.concat([prefix, Buffer.from(rest)]));
  };
  const json = JSON.stringify({ a: tensor('U8', [2], 0, 2) });
  await write(BigInt(json.length), `${json}xy`);
  assert.equal((await readHeader(path)).tensors[0]?.name, 'a');

  const refused = (): Promise<void> =>
    assert.rejects(readHeader(path), (error) => isAircherError(error, 'invalid') && error.message.includes(path));
  await write(BigInt(json.length), json.slice(0, 10));
  await refused();
  await write(100_000_001n, json);
  await refused();
  await write(2n ** 64n - 1n, json);
  await refused();
  await write(0n, '');
  await refused();
  await writeFile(path, 'short');
  await refused();
  await writeFile(path, '');
  await refused();
  await writeFile(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 90868376\n');
  await refused();
  await writeFile(path, '<!DOCTYPE html>\n<html><title>Not found</title></html>\n');
  await assert.rejects(readHeader(path), /a web page or the like, not weights/);
});
