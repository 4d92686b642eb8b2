import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeChunk } from '../../src/archive/decode.ts';
import { decompress } from '../../src/archive/decompress.ts';
import { readTar } from '../../src/archive/tar-reader.ts';
import { type ChunkIndex, parseChunkIndex, structure } from '../../src/contract/chunk-index.ts';
import { filePathFault, pathClashes } from '../../src/contract/names.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import {
  collect,
  formats,
  noise,
  packTree,
  pieces,
  safetensors,
  type Tree,
  temporaryDirectory,
  writeTree,
} from './fixtures.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 12);
const mebibyte = 1024 * 1024;

const part = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,7}$/),
  fc.constantFrom('a', 'a-b', 'ü', '文件', 'x'.repeat(101), '.hidden', 'with space'),
);
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));

/** Sizes around what the format treats apart: blocks of tar, stored blocks of deflate, chunks. */
const size = fc.oneof(
  fc.integer({ min: 0, max: 3000 }),
  fc.constantFrom(0, 1, 511, 512, 513, 65535, 65536, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte),
);
const content = fc
  .record({ size, seed: fc.nat(), noisy: fc.boolean() })
  .map(({ size, seed, noisy }) => (noisy ? noise(size, seed) : Buffer.alloc(size, 'abc')));
const weights = fc.array(fc.record({ size, seed: fc.nat() }), { maxLength: 6 }).map((tensors) =>
  safetensors(
    tensors.map((tensor, index) => ({
      name: `t${index}`,
      dtype: 'U8',
      shape: [tensor.size],
      data: noise(tensor.size, tensor.seed),
    })),
  ),
);
const tree: fc.Arbitrary<Tree> = fc
  .record({ files: fc.dictionary(path, content, { maxKeys: 6 }), weights: fc.option(weights) })
  .map(({ files, weights }) => (weights === null ? { ...files } : { ...files, 'model.safetensors': weights }))
  .filter((files) => {
    const paths = Object.keys(files);
    return paths.every((one) => filePathFault(one) === undefined) && pathClashes(paths).length === 0;
  });

/** Decodes every chunk alone; gives the files and the tar stream that they make. */
async function reassemble(index: ChunkIndex, archive: Buffer): Promise<{ files: Buffer[]; stream: Buffer }> {
  const chunks: { readonly bytes: Uint8Array; readonly file: number }[] = [];
  for (const [offset, archiveLength, file, , length, digest] of index.chunks) {
    const bytes = await decodeChunk(index.archive.format, archive.subarray(offset, offset + archiveLength), length);
    assert.equal(sha256(bytes), digest);
    chunks.push({ bytes, file });
  }
  const join = (wanted: (file: number) => boolean): Buffer =>
    Buffer.concat(chunks.filter(({ file }) => wanted(file)).map(({ bytes }) => bytes));
  return { files: index.files.map((_, number) => join((file) => file === number)), stream: join(() => true) };
}

for (const format of formats) {
  test(`any tree packs to ${format} whose chunks decode alone, cover everything and reassemble every file`, async (context) => {
    const directory = await temporaryDirectory(context);
    await fc.assert(
      fc.asyncProperty(tree, async (files) => {
        await rm(join(directory, 'tree'), { recursive: true, force: true });
        await writeTree(join(directory, 'tree'), files);
        const output = join(directory, `sample.${format}`);
        await packTree(join(directory, 'tree'), format, output);
        const archive = await readFile(output);
        // Parsing checks that chunks cover archive and files exactly.
        const index = parseChunkIndex(await readFile(`${output}.index.json`), { file: 'index' });
        const found = await reassemble(index, archive);
        assert.deepEqual(index.files.map((file) => file.path).sort(), Object.keys(files).sort());
        for (const [number, file] of index.files.entries()) {
          assert.equal(sha256(found.files[number] ?? ''), sha256(files[file.path] ?? ''), file.path);
          assert.equal(file.sha256, sha256(files[file.path] ?? ''));
        }
        const stream = await collect(decompress(format, pieces(archive), { maxBytes: found.stream.length }));
        assert.equal(sha256(stream), sha256(found.stream));
        const read: Record<string, string> = {};
        for await (const entry of readTar(pieces(stream), { topDirectory: 'sample' })) {
          if (entry.type === 'file') read[entry.path] = sha256(await collect(entry.body));
        }
        assert.deepEqual(read, Object.fromEntries(index.files.map((file) => [file.path, file.sha256])));
        const neighbours = index.chunks.filter(
          (chunk, at) => chunk[2] === structure && index.chunks[at - 1]?.[2] === structure,
        );
        assert.deepEqual(neighbours, [], 'neighbouring structure is one chunk');
      }),
      { numRuns },
    );
  });
}

test('a slice with any byte changed is an integrity error or has the length of the chunk, nothing else', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), { 'a.bin': noise(3000, 1), 'b.txt': 'some text '.repeat(300) });
  for (const format of formats) {
    const output = join(directory, `sample.${format}`);
    const { index } = await packTree(join(directory, 'tree'), format, output);
    const archive = await readFile(output);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...index.chunks),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async ([offset, archiveLength, , , length], where, change) => {
          const slice = Buffer.from(archive.subarray(offset, offset + archiveLength));
          const at = where % slice.length;
          slice[at] = (slice[at] ?? 0) ^ change;
          try {
            assert.equal((await decodeChunk(format, slice, length)).length, length);
          } catch (error) {
            assert.ok(isAircherError(error, 'integrity'), String(error));
          }
        },
      ),
      { numRuns: numRuns * 10 },
    );
  }
});
