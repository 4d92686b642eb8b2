import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { bertMetadata, type GgufTensor, ggufFile, ggufTensors, text, u32, u64 } from '../fixtures/gguf-file.ts';
import { readAs } from './reading.ts';

const [first, second] = ggufTensors as readonly [GgufTensor, GgufTensor];

/** A file whose first tensor is changed. */
const withTensor = (change: Partial<GgufTensor>): Buffer => ggufFile({ tensors: [{ ...first, ...change }, second] });

/** One with a key whose value stands there as given. */
const withValue = (...value: readonly Buffer[]): Buffer =>
  ggufFile({ moreKeys: [Buffer.concat([text('key'), ...value])] });

/** An array of an array of … */
const nested = (depth: number): Buffer =>
  Buffer.concat([u32(9), ...Array.from({ length: depth }, () => [u32(9), u64(1)]).flat(), u32(4), u64(0)]);

const hostile: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'an empty file': [Buffer.alloc(0), /does not begin with GGUF/],
  'another magic': [Buffer.concat([Buffer.from('GGML'), ggufFile().subarray(4)]), /does not begin with GGUF/],
  'version 1': [ggufFile({ version: 1 }), /version 1 of GGUF/],
  'version 4': [ggufFile({ version: 4 }), /version 4 of GGUF/],
  'big-endian numbers': [ggufFile({ version: 0x03000000 }), /version 50331648 of GGUF/],
  'a header that is cut': [ggufFile().subarray(0, 30), /cut short/],
  '2^64 - 1 keys': [ggufFile({ counts: [2, 2n ** 64n - 1n] }), /is no count/],
  '2^64 - 1 tensors': [ggufFile({ counts: [2n ** 64n - 1n, 8] }), /is no count/],
  'more keys than stand there': [ggufFile({ counts: [2, 2 ** 40] }), /.+/],
  'more tensors than stand there': [ggufFile({ counts: [2 ** 40, 8] }), /.+/],
  'a key of 2^63 bytes': [ggufFile({ moreKeys: [u64(2n ** 63n)] }), /is no count/],
  'a key of a gigabyte': [ggufFile({ moreKeys: [u64(2 ** 30)] }), /longer than any/],
  'a key twice': [ggufFile({ moreKeys: [Buffer.concat([text('general.name'), u32(7), Buffer.from([1])])] }), /twice/],
  'a value of an unknown type': [withValue(u32(13)), /unknown type 13/],
  'a text that goes beyond the file': [withValue(u32(8), u64(2 ** 32)), /more than the file has/],
  'a text of 2^64 - 1 bytes': [withValue(u32(8), u64(2n ** 64n - 1n)), /more than the file has/],
  'an array of 2^60 numbers': [withValue(u32(9), u32(10), u64(2n ** 60n)), /more than the file has/],
  'an array that goes beyond the file': [withValue(u32(9), u32(10), u64(9000)), /goes beyond the file/],
  'an array of an unknown type': [withValue(u32(9), u32(77), u64(1)), /unknown type 77/],
  'arrays nested 9 deep': [withValue(nested(9)), /nested more than 8/],
  'arrays nested 100,000 deep': [withValue(nested(100_000)), /nested more than 8/],
  'texts of 20 MB together': [
    ggufFile({ metadata: Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, 'x'.repeat(4000)])) }),
    /more names and texts than any model/,
  ],
  'metadata of 70 MB': [withValue(u32(9), u32(0), u64(70e6), Buffer.alloc(70e6)), /more metadata than/],
  'an alignment of 0': [ggufFile({ metadata: { ...bertMetadata, 'general.alignment': 0 } }), /no multiple of 8/],
  'an alignment of 12': [ggufFile({ metadata: { ...bertMetadata, 'general.alignment': 12 } }), /no multiple of 8/],
  'an alignment that is a text': [
    ggufFile({ metadata: { ...bertMetadata, 'general.alignment': '32' } }),
    /no multiple of 8/,
  ],
  'a tensor twice': [ggufFile({ tensors: [first, first] }), /is described twice/],
  'a tensor of an unknown type': [withTensor({ type: 4 }), /unknown type 4/],
  'nine dimensions': [withTensor({ shape: [1, 1, 1, 1, 1, 1, 1, 64, 32] }), /has 9 dimensions/],
  'a dimension of 2^63': [withTensor({ shape: [2n ** 63n, 1] }), /is no count/],
  'dimensions whose product overflows': [withTensor({ shape: [2 ** 40, 2 ** 40] }), /no whole number of blocks/],
  'a block that is not filled': [withTensor({ type: 8, shape: [64, 33] }), /no whole number of blocks/],
  'an offset that is not aligned': [withTensor({ offset: 4 }), /begins at 4 of the data, and should at 0/],
  'a tensor over another': [
    ggufFile({ tensors: [first, { ...second, offset: 0 }] }),
    /begins at 0 of the data, and should at 8192/,
  ],
  'a gap between tensors': [ggufFile({ tensors: [first, { ...second, offset: 8224 }] }), /should at 8192/],
  'an offset of 2^62': [withTensor({ offset: 2n ** 62n }), /is no count/],
  'tensors behind the end': [ggufFile().subarray(0, -160), /its tensors end at/],
  'bytes that no tensor owns': [Buffer.concat([ggufFile(), Buffer.alloc(500)]), /500 bytes that no tensor owns/],
};

for (const [name, [file, says]] of Object.entries(hostile)) {
  test(`refused: ${name}`, async (context) => {
    await assert.rejects(readAs(context, { 'model.gguf': file }), (error) => {
      assert.ok(isAircherError(error, 'invalid'), String(error));
      assert.match(error.message, says);
      assert.match(error.message, /^\/.*model\.gguf: /);
      assert.ok(error.message.length < 1500 && error.hint, error.message);
      return true;
    });
  });
}
