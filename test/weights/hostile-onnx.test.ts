import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { bytes, node, number, onnxFile, type Part, tensor, varint } from '../fixtures/onnx-file.ts';
import { readAs } from './reading.ts';

const eight = Buffer.alloc(8);
const data = Buffer.alloc(256);
const sound = tensor({ name: 'sound', dims: [2], raw: eight });

/** A model with one initializer as given, and a sound one. */
const withTensor = (broken: Part): Buffer => onnxFile({ initializers: [broken, sound] });

/** One whose data lie elsewhere. */
const withExternal = (external: Readonly<Record<string, string>>, dims: readonly number[] = [2]): Buffer =>
  withTensor(tensor({ dims, external }));

const at = (location: string): Record<string, string> => ({ location, offset: '0', length: '8' });

/** Graphs in attributes of nodes in graphs. */
function nested(depth: number): Buffer {
  let graph: Buffer = Buffer.alloc(0);
  for (let level = 0; level < depth; level++) {
    const attribute = Buffer.concat([bytes(1, 'body'), bytes(6, graph)]);
    graph = bytes(1, node('If', [attribute]));
  }
  return onnxFile({ inGraph: [graph] });
}

const two = (one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): Buffer =>
  onnxFile({
    initializers: [tensor({ name: 'a', dims: [2], external: one }), tensor({ name: 'b', dims: [2], external: other })],
  });

/**
 * Broken files by what is wrong with them, and what the message says. Beside each lies `data.bin`
 * of 256 bytes.
 */
const hostile: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
  'an empty file': [Buffer.alloc(0), /no graph/],
  'a web page': [Buffer.from('<!DOCTYPE html><html></html>'), /.+/],
  'zeros alone': [Buffer.alloc(4096), /no field with the number 0/],
  'no graph': [number(1, 10), /no graph/],
  'two graphs': [onnxFile({ inModel: [bytes(7, bytes(2, 'again'))] }), /two graphs/],
  'a graph that is a number': [Buffer.concat([number(1, 10), number(7, 3)]), /its field 7 should not be a number/],
  'a cut file': [onnxFile().subarray(0, -9), /goes beyond|does not end|cut short/],
  'a length beyond the file': [Buffer.concat([number(1, 10), bytes(7, 'x', 1000)]), /goes beyond/],
  'a length beyond its message': [onnxFile({ nodes: [bytes(1, 'x', 5000)] }), /goes beyond/],
  'a length of 2^63': [Buffer.concat([number(1, 10), bytes(7, 'x', 2n ** 63n)]), /goes beyond/],
  'a length of -1': [Buffer.concat([number(1, 10), bytes(7, 'x', -1n)]), /goes beyond/],
  'a number without an end': [Buffer.concat([varint(8), Buffer.alloc(12, 0xff)]), /does not end/],
  'a number that ends behind its message': [onnxFile({ nodes: [Buffer.from([0x08, 0xff])] }), /does not end/],
  'the field number 0': [onnxFile({ inModel: [Buffer.from([0x02, 0x00])] }), /number 0/],
  'a field number beyond 2^29': [onnxFile({ inModel: [varint(2 ** 33)] }), /no field with the number/],
  'a group': [onnxFile({ inModel: [Buffer.from([0x0b])] }), /unknown way 3/],
  'the wire type 7': [onnxFile({ inModel: [Buffer.from([0x0f])] }), /unknown way 7/],
  'graphs nested 40 deep': [nested(40), /nested more than/],
  'graphs nested 20,000 deep': [nested(20_000), /nested more than/],
  'a negative dimension': [withTensor(tensor({ dims: [-2], raw: eight })), /negative or huge/],
  'a dimension of 2^62': [withTensor(tensor({ dims: [2n ** 62n], raw: eight })), /negative or huge/],
  'dimensions whose product overflows': [
    withTensor(tensor({ dims: [2 ** 40, 2 ** 40], raw: eight })),
    /more elements than a file can hold/,
  ],
  'dimensions whose product is 2^64, and so 0 to others': [
    withTensor(tensor({ dims: [2 ** 32, 2 ** 32], raw: Buffer.alloc(0) })),
    /more elements than a file can hold/,
  ],
  'a hundred dimensions': [
    withTensor(tensor({ dims: Array.from({ length: 100 }, () => 1), raw: eight })),
    /more than 64 dimensions/,
  ],
  'dimensions as bytes that do not end': [
    withTensor(tensor({ raw: eight, more: [bytes(1, Buffer.from([0xff]))] })),
    /does not end/,
  ],
  'dimensions as a fixed number': [
    withTensor(tensor({ raw: eight, more: [Buffer.concat([varint(1 * 8 + 1), eight])] })),
    /its field 1 should be a number/,
  ],
  'fewer bytes than the dimensions need': [withTensor(tensor({ dims: [3], raw: eight })), /has 8 bytes, but needs 12/],
  'more bytes than the dimensions need': [withTensor(tensor({ dims: [1], raw: eight })), /has 8 bytes, but needs 4/],
  'an unknown type of data': [withTensor(tensor({ dims: [2], type: 99, raw: eight })), /unknown type of data/],
  'the type 0': [withTensor(tensor({ dims: [2], type: 0, raw: eight })), /unknown type of data/],
  'a type beyond 2^53': [
    withTensor(Buffer.concat([number(1, 2), number(2, 2n ** 60n), bytes(9, eight)])),
    /unknown type of data/,
  ],
  'no type of data': [withTensor(Buffer.concat([number(1, 2), bytes(8, 'w'), bytes(9, eight)])), /no type of data/],
  'a type that is a text': [withTensor(Buffer.concat([bytes(2, 'F32'), bytes(9, eight)])), /should be a number/],
  'texts as raw bytes': [withTensor(tensor({ dims: [2], type: 8, raw: eight })), /can't hold raw data/],
  'raw bytes twice': [withTensor(tensor({ dims: [2], raw: eight, more: [bytes(9, eight)] })), /field 9 twice/],
  'two names': [withTensor(tensor({ dims: [2], raw: eight, more: [bytes(8, 'again')] })), /field 8 twice/],
  'raw bytes and numbers': [withTensor(tensor({ dims: [2], raw: eight, floats: [1, 2] })), /in two ways/],
  'raw bytes and external data': [
    withTensor(tensor({ dims: [2], raw: eight, external: at('data.bin') })),
    /in two ways/,
  ],
  'raw bytes that are a number': [withTensor(Buffer.concat([number(2, 1), number(9, 7)])), /should not be a number/],
  'an initializer without data': [withTensor(tensor({ dims: [2] })), /has no data/],
  'an initializer that is cut': [withTensor(tensor({ dims: [2], raw: eight }).subarray(0, -4)), /goes beyond/],
  'two initializers of one name': [
    onnxFile({ initializers: [sound, sound] }),
    /two initializers have the name "sound"/,
  ],
  'a name of a million bytes': [
    withTensor(tensor({ name: 'n'.repeat(1_000_000), dims: [2], raw: eight })),
    /longer than in any model/,
  ],
  'names of 20 MB together': [
    onnxFile({
      initializers: Array.from({ length: 400 }, (_, n) => tensor({ name: `${n}${'n'.repeat(50_000)}`, dims: [0] })),
    }),
    /longer than in any model/,
  ],
  'an input with a million dimensions': [
    onnxFile({ inputs: { x: Array.from({ length: 300_000 }, () => 1) } }),
    /longer than in any model/,
  ],
  'millions of empty nodes': [
    onnxFile({ inGraph: [Buffer.from('0a00'.repeat(2_100_000), 'hex')] }),
    /more parts than any model/,
  ],
  'external data without a place': [withExternal({ offset: '0' }), /which is empty/],
  'external data one level up': [withExternal(at('../data.bin')), /which has the part/],
  'external data far up': [withExternal(at('a/../../../etc/passwd')), /which has the part/],
  'external data at an absolute place': [withExternal(at('/etc/passwd')), /which is absolute/],
  'external data on a drive': [withExternal(at('C:/data.bin')), /which has the character/],
  'external data behind backslashes': [withExternal(at('..\\data.bin')), /which has the character/],
  'external data of a zero byte': [withExternal(at('data.bin\0')), /which has the character/],
  'external data in a device': [withExternal(at('nul')), /a device name/],
  'external data in a file that is missing': [withExternal(at('other.bin')), /not among the released files/],
  'external data in the file itself': [withExternal(at('model.onnx')), /which is a graph/],
  'external data in an ONNX file whose own lie in this one': [withExternal(at('other.onnx')), /which is a graph/],
  'external data behind the end': [withExternal({ location: 'data.bin', offset: '250' }), /ends at 258/],
  'external data from 2^60 on': [withExternal({ location: 'data.bin', offset: String(2n ** 60n) }), /has the offset/],
  'a negative offset': [withExternal({ location: 'data.bin', offset: '-8' }), /has the offset/],
  'an offset that is no number': [withExternal({ location: 'data.bin', offset: '0x10' }), /has the offset/],
  'a length that is another': [withExternal({ location: 'data.bin', length: '12' }), /has 12 bytes, but needs 8/],
  'a place that is said twice': [
    withTensor(
      tensor({ dims: [2], external: at('data.bin'), more: [bytes(13, [bytes(1, 'location'), bytes(2, 'x')])] }),
    ),
    /says twice/,
  ],
  'a place of a megabyte': [withExternal(at('x'.repeat(1_000_000))), /longer than in any model/],
  'external data that overlap': [
    two({ location: 'data.bin', offset: '0' }, { location: 'data.bin', offset: '4' }),
    /overlap in data.bin: 0 to 8, 4 to 12/,
  ],
  'external data of which one holds the other': [
    onnxFile({
      initializers: [
        tensor({ name: 'a', dims: [8], external: { location: 'data.bin' } }),
        tensor({ name: 'b', dims: [2], external: { location: 'data.bin', offset: '8' } }),
      ],
    }),
    /overlap in data.bin/,
  ],
  'external data of a node that escape': [
    onnxFile({
      nodes: [
        node('Constant', [Buffer.concat([bytes(1, 'value'), bytes(5, tensor({ dims: [2], external: at('../x') }))])]),
      ],
    }),
    /which has the part/,
  ],
};

for (const [name, [file, says]] of Object.entries(hostile)) {
  test(`refused: ${name}`, async (context) => {
    await assert.rejects(
      readAs(context, { 'model.onnx': file, 'data.bin': data, 'other.onnx': onnxFile() }),
      (error) => {
        assert.ok(isAircherError(error), String(error));
        assert.equal(error.code, 'invalid');
        assert.match(error.message, says);
        assert.match(error.message, /^\/.*model\.onnx: /);
        assert.ok(error.message.length < 1500 && error.hint, error.message);
        return true;
      },
    );
  });
}
