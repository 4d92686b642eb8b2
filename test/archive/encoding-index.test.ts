import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkIndex } from '../../src/contract/chunk-index.ts';
import { type EncodingIndex, formatEncodingIndex, parseEncodingIndex } from '../../src/contract/encoding-index.ts';
import { isAircherError } from '../../src/core/errors.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

const archive: ChunkIndex = {
  index_version: 1,
  archive: { name: 'x.tar.gz', format: 'tar.gz', size_bytes: 2120, sha256: a },
  files: [{ path: 'model.safetensors', size_bytes: 1500, sha256: a }],
  chunks: [
    [10, 300, -1, 0, 1536, a],
    [310, 900, 0, 0, 1000, b],
    [1210, 500, 0, 1000, 500, a],
    [1710, 400, -1, 0, 1060, b],
  ],
};

const of = { name: 'x.tar.gz', sha256: a };
const patch: EncodingIndex = {
  ...{ encoding_version: 1, kind: 'patch', archive: of, size_bytes: 700, sha256: b },
  chunks: [
    [1, 0, 300, b],
    [2, 300, 400, a],
  ],
};
const planes: EncodingIndex = { ...patch, kind: 'planes', size_bytes: 400, chunks: [[2, 0, 400]] };

const golden = `{
  "encoding_version": 1,
  "kind": "patch",
  "archive": { "name": "x.tar.gz", "sha256": "${a}" },
  "size_bytes": 700,
  "sha256": "${b}",
  "chunks": [
    [1, 0, 300, "${b}"],
    [2, 300, 400, "${a}"]
  ]
}
`;

const parse = (text: string): EncodingIndex => parseEncodingIndex(Buffer.from(text), archive, 'x.planes.index.json');

test("an encoding's index has one byte form, a chunk a line, and reads back", () => {
  assert.equal(formatEncodingIndex(patch), golden);
  assert.deepEqual(parse(golden), patch);
  assert.deepEqual(parse(formatEncodingIndex(planes)), planes);
  assert.deepEqual(parse(JSON.stringify({ note: 1, ...planes })), planes);
});

const withChunks = (...chunks: readonly unknown[]): string => JSON.stringify({ ...patch, chunks, size_bytes: 700 });

const hostile: Readonly<Record<string, string>> = {
  'no JSON': 'not json',
  'a newer version': golden.replace('"encoding_version": 1', '"encoding_version": 2'),
  'an unknown kind': golden.replace('"patch"', '"jpeg"'),
  'a key twice': golden.replace('"kind"', '"kind": "planes", "kind"'),
  'another archive': golden.replace(a, b),
  'an archive of another name': golden.replace('x.tar.gz', 'y.tar.gz'),
  'no chunks': golden.replace('"chunks"', '"other"'),
  'a size that its chunks do not have': golden.replace('700', '701'),
  'a patch without old chunks': JSON.stringify({ ...planes, kind: 'patch' }),
  'planes with old chunks': JSON.stringify({ ...patch, kind: 'planes' }),
  'a chunk that is not there': withChunks([1, 0, 300, b], [4, 300, 400, a]),
  'a negative chunk': withChunks([-1, 0, 300, b], [2, 300, 400, a]),
  'a fraction of a chunk': withChunks([1.5, 0, 300, b], [2, 300, 400, a]),
  'a chunk of 1e300': withChunks([1e300, 0, 300, b], [2, 300, 400, a]),
  'tar structure': withChunks([0, 0, 299, b], [2, 299, 401, a]),
  'a chunk twice': withChunks([1, 0, 300, b], [1, 300, 400, a]),
  'chunks in another order': withChunks([2, 0, 400, b], [1, 400, 300, a]),
  'a gap': withChunks([1, 0, 300, b], [2, 301, 399, a]),
  'an overlap': withChunks([1, 0, 300, b], [2, 299, 401, a]),
  'a body as long as the slice': withChunks([1, 0, 200, b], [2, 200, 500, a]),
  'an empty body': withChunks([1, 0, 0, b], [2, 0, 400, a]),
  'a negative length': withChunks([1, 0, -1, b], [2, -1, 400, a]),
  'a digest in upper case': withChunks([1, 0, 300, b.toUpperCase()], [2, 300, 400, a]),
  'chunks that are no lists': withChunks(1, null),
};

for (const [name, text] of Object.entries(hostile)) {
  test(`refused: ${name}`, () => {
    assert.notEqual(text, golden);
    assert.throws(
      () => parse(text),
      (error) => isAircherError(error, 'invalid') && error.message.startsWith('x.planes.index.json'),
    );
  });
}
