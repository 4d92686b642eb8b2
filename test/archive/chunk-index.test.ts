import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChunkIndex, type ChunkTuple, formatChunkIndex, parseChunkIndex } from '../../src/contract/chunk-index.ts';
import { isAircherError } from '../../src/core/errors.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

const sample: ChunkIndex = {
  index_version: 1,
  archive: { name: 'x.tar.gz', format: 'tar.gz', size_bytes: 2120, sha256: a },
  files: [
    { path: 'empty.txt', size_bytes: 0, sha256: b },
    { path: 'model "ü".safetensors'.replaceAll('"', "'"), size_bytes: 1500, sha256: a },
  ],
  chunks: [
    [10, 300, -1, 0, 1536, a],
    [310, 900, 1, 0, 1000, b],
    [1210, 500, 1, 1000, 500, a],
    [1710, 400, -1, 0, 1060, b],
  ],
};

const golden = `{
  "index_version": 1,
  "archive": { "name": "x.tar.gz", "format": "tar.gz", "size_bytes": 2120, "sha256": "${a}" },
  "files": [
    { "path": "empty.txt", "size_bytes": 0, "sha256": "${b}" },
    { "path": "model 'ü'.safetensors", "size_bytes": 1500, "sha256": "${a}" }
  ],
  "chunks": [
    [10, 300, -1, 0, 1536, "${a}"],
    [310, 900, 1, 0, 1000, "${b}"],
    [1210, 500, 1, 1000, 500, "${a}"],
    [1710, 400, -1, 0, 1060, "${b}"]
  ]
}
`;

const parse = (text: string): ChunkIndex => parseChunkIndex(Buffer.from(text), { file: 'x.tar.gz.index.json' });

test('an index has one byte form, a file and a chunk a line, and reads back', () => {
  assert.equal(formatChunkIndex(sample), golden);
  assert.deepEqual(parse(golden), sample);
});

test('white space, order and unknown members do not matter to a reader', () => {
  const { chunks, ...rest } = sample;
  assert.deepEqual(parse(JSON.stringify({ chunks, note: { x: 1 }, ...rest })), sample);
});

type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;

/** The sample with one thing changed. */
function changed(
  change: (index: {
    archive: Mutable<ChunkIndex['archive']>;
    files: Mutable<ChunkIndex['files']>;
    chunks: unknown[][];
  }) => void,
): string {
  const copy = JSON.parse(golden) as Parameters<typeof change>[0];
  change(copy);
  return JSON.stringify(copy);
}

/** The sample with one field of one chunk changed. */
const chunk = (number: number, field: number, value: unknown): string =>
  changed((index) => {
    const fields = index.chunks[number];
    assert.ok(fields);
    fields[field] = value;
  });

const hostile: Readonly<Record<string, string>> = {
  'no JSON': 'not json',
  'a list': '[]',
  'a newer version': golden.replace('"index_version": 1', '"index_version": 2'),
  'no version': golden.replace('"index_version": 1,', ''),
  'a key twice': golden.replace('"files"', '"files": [], "files"'),
  'deep nesting': golden.replace('"index_version"', `"x": ${'['.repeat(10_000)}${']'.repeat(10_000)}, "index_version"`),
  'an unknown format': golden.replace('"format": "tar.gz"', '"format": "zip"'),
  'a name of another format': golden.replace('x.tar.gz', 'x.tar.zst'),
  'a name that is a path': golden.replace('x.tar.gz', '../x.tar.gz'),
  'a digest in upper case': golden.replaceAll(a, a.toUpperCase()),
  'a short digest': golden.replaceAll(a, 'aa'),
  'no archive': changed((index) => Reflect.deleteProperty(index, 'archive')),
  'no chunks': changed((index) => Reflect.deleteProperty(index, 'chunks')),
  'an empty list of chunks': changed((index) => void index.chunks.splice(0)),
  'a path with ..': golden.replace('empty.txt', '../empty.txt'),
  'an absolute path': golden.replace('empty.txt', '/etc/passwd'),
  'a path with a drive': golden.replace('empty.txt', 'c:/x'),
  'paths that clash': golden.replace('empty.txt', "MODEL 'Ü'.safetensors"),
  'a negative size': changed((index) => Object.assign(index.files[0] ?? {}, { size_bytes: -1 })),
  'a size as text': changed((index) => Object.assign(index.files[0] ?? {}, { size_bytes: '0' })),
  'an empty file that claims bytes': changed((index) => Object.assign(index.files[0] ?? {}, { size_bytes: 1 })),
  'a file larger than its chunks': changed((index) => Object.assign(index.files[1] ?? {}, { size_bytes: 1501 })),
  'a file smaller than its chunks': changed((index) => Object.assign(index.files[1] ?? {}, { size_bytes: 1499 })),
  'an archive larger than its chunks': golden.replace('2120', '2121'),
  'an archive smaller than its chunks': golden.replace('2120', '2119'),
  'a chunk of five fields': changed((index) => void index.chunks[0]?.pop()),
  'a chunk of seven fields': changed((index) => void index.chunks[0]?.push(1)),
  'a chunk that is an object': changed((index) => void index.chunks.splice(0, 1, {} as unknown[])),
  'a chunk over the gzip header': chunk(0, 0, 0),
  'a gap between chunks': chunk(1, 0, 311),
  'chunks that overlap': chunk(1, 0, 309),
  'a missing chunk': changed((index) => void index.chunks.splice(2, 1)),
  'a chunk twice': changed((index) => void index.chunks.splice(2, 0, index.chunks[2] ?? [])),
  'chunks in another order': changed((index) => void index.chunks.reverse()),
  'a fraction as an offset': chunk(1, 0, 310.5),
  'an offset beyond exact numbers': chunk(1, 0, 2 ** 53),
  'an empty slice': chunk(1, 1, 0),
  'a slice far larger than its chunk': chunk(1, 1, 90_000),
  'a file that is not there': chunk(2, 2, 2),
  'file number -2': chunk(0, 2, -2),
  'structure with a file offset': chunk(0, 3, 1),
  'a file offset beyond the bytes so far': chunk(2, 3, 1001),
  'a file offset before the bytes so far': chunk(2, 3, 999),
  'an empty chunk': chunk(0, 4, 0),
  'a chunk over 1 MiB': chunk(3, 4, 1024 * 1024 + 1),
  'a length of 1e300': golden.replace('0, 1536,', '0, 1e300,'),
  'null as a digest': chunk(0, 5, null),
  'a chunk that is all of a file, and has another sha256': changed((index) => {
    index.chunks.splice(2, 1);
    Object.assign(index.chunks[1] ?? [], { 1: 1400, 4: 1500 });
  }),
  'structure inside a file': changed((index) => {
    index.chunks.splice(2, 0, [1210, 100, -1, 0, 100, a]);
    for (const [at, offset] of [1310, 1810].entries()) Object.assign(index.chunks[at + 3] ?? [], { 0: offset });
    index.archive.size_bytes += 100;
  }),
};

for (const [name, text] of Object.entries(hostile)) {
  test(`refused: ${name}`, () => {
    assert.notEqual(text, golden);
    assert.throws(
      () => parse(text),
      (error) => isAircherError(error, 'invalid') && error.message.startsWith('x.tar.gz.index.json'),
    );
  });
}

test('an index larger than its bound is refused unread', () => {
  assert.throws(
    () => parseChunkIndex(Buffer.from(golden), { file: 'x', maxBytes: 100 }),
    (error) => isAircherError(error, 'invalid'),
  );
});

test('a plain tar is covered to its first and last byte, and its slices are its chunks', () => {
  const plain = (chunks: readonly ChunkTuple[]): string =>
    formatChunkIndex({
      index_version: 1,
      archive: { name: 'x.tar', format: 'tar', size_bytes: 1536, sha256: a },
      files: [],
      chunks,
    });
  parse(plain([[0, 1536, -1, 0, 1536, a]]));
  assert.throws(() => parse(plain([[0, 1536, -1, 0, 1535, a]])));
  assert.throws(() => parse(plain([[10, 1526, -1, 0, 1526, a]])));
});
