import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { decodeChunk } from '../../src/archive/decode.ts';
import { decompress } from '../../src/archive/decompress.ts';
import { readTar } from '../../src/archive/tar-reader.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { collect, formats, noise, packTree, pieces, sampleTree, temporaryDirectory, writeTree } from './fixtures.ts';

const integrity = (error: unknown): boolean => isAircherError(error, 'integrity');
const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };

test('the reader gets every file of every format back, however the bytes arrive, with and without native zstd', async (context) => {
  const directory = await temporaryDirectory(context);
  const tree = sampleTree();
  await writeTree(join(directory, 'tree'), tree);
  for (const format of formats) {
    const output = join(directory, `sample.${format}`);
    await packTree(join(directory, 'tree'), format, output);
    const archive = await readFile(output);
    for (const [length, portableZstd] of [
      [1 << 20, false],
      [1 << 16, true],
      [777, false],
    ] as const) {
      const found: Record<string, string> = {};
      const source = decompress(format, pieces(archive, length), { ...unlimited, portableZstd });
      for await (const entry of readTar(source, { topDirectory: 'sample' })) {
        if (entry.type === 'file') found[entry.path] = sha256(await collect(entry.body));
      }
      const expected = Object.entries(tree).map(([path, content]) => [path, sha256(content)]);
      assert.deepEqual(found, Object.fromEntries(expected), `${format} in pieces of ${length}`);
    }
  }
});

test('bodies that nobody reads, or only in part, are passed over', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), sampleTree());
  await packTree(join(directory, 'tree'), 'tar', join(directory, 'sample.tar'));
  const archive = await readFile(join(directory, 'sample.tar'));
  let entries = 0;
  for await (const entry of readTar(pieces(archive, 1000), { topDirectory: 'sample' })) {
    entries++;
    if (entries % 2 === 0) continue;
    for await (const _ of entry.body) break;
  }
  assert.ok(entries > Object.keys(sampleTree()).length);
});

test('a whole archive that unpacks to more than its bound is given up at the bound', async () => {
  const zeros = Buffer.alloc(64 * 1024 * 1024);
  const bombs = [
    ['tar.gz', zlib.gzipSync(zeros), undefined],
    ['tar.zst', zlib.zstdCompressSync(zeros), false],
    ['tar.zst', zlib.zstdCompressSync(zeros), true],
    ['tar', zeros, undefined],
  ] as const;
  for (const [format, bomb, portableZstd] of bombs) {
    let bytes = 0;
    const bounded = async (): Promise<void> => {
      const options = { maxBytes: 1_000_000, ...(portableZstd === undefined ? {} : { portableZstd }) };
      for await (const piece of decompress(format, pieces(bomb), options)) bytes += piece.length;
    };
    await assert.rejects(bounded(), integrity, format);
    assert.ok(bytes <= 1_000_000, `${format} gave ${bytes}`);
  }
});

test('archives cut short or damaged in the middle are integrity errors', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), { 'a.bin': noise(300_000, 1), 'b.txt': 'text '.repeat(5000) });
  for (const format of formats) {
    await packTree(join(directory, 'tree'), format, join(directory, `sample.${format}`));
    const archive = await readFile(join(directory, `sample.${format}`));
    const read = async (bytes: Uint8Array, portableZstd: boolean): Promise<void> => {
      const source = decompress(format, pieces(bytes), { ...unlimited, portableZstd });
      for await (const entry of readTar(source, { topDirectory: 'sample' })) await collect(entry.body);
    };
    for (const portable of format === 'tar.zst' ? [true, false] : [false]) {
      await read(archive, portable);
      for (const length of [0, 5, 600, archive.length >> 1, archive.length - 600]) {
        await assert.rejects(read(archive.subarray(0, length), portable), integrity, `${format} of ${length} bytes`);
      }
    }
  }
});

test('an error of the source comes through as it is, not as damaged data', async () => {
  const content = noise(100_000, 1);
  const starts = { 'tar.gz': zlib.gzipSync(content), 'tar.zst': zlib.zstdCompressSync(content), tar: content };
  for (const format of formats) {
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield starts[format].subarray(0, 1000);
      throw new Error('the line is dead');
    };
    for (const portableZstd of [true, false]) {
      await assert.rejects(
        collect(decompress(format, failing(), { ...unlimited, portableZstd })),
        /the line is dead/,
        format,
      );
    }
  }
});

test('other programs’ zstd is read: one long frame, skippable frames, checksums', async () => {
  const content = Buffer.concat([noise(400_000, 1), Buffer.alloc(400_000)]);
  const skippable = Buffer.from('502a4d1803000000616263', 'hex');
  const streamed = zlib.createZstdCompress({ params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } });
  streamed.end(content);
  const frame = await collect(streamed as AsyncIterable<Uint8Array>);
  for (const portableZstd of [true, false]) {
    const source = pieces(Buffer.concat([skippable, frame, skippable, frame]), 5000);
    const unpacked = await collect(decompress('tar.zst', source, { ...unlimited, portableZstd }));
    assert.equal(sha256(unpacked), sha256(Buffer.concat([content, content])));
  }
});

test('a zstd frame that asks for gigabytes of memory or a dictionary is refused', async () => {
  const frames = {
    window: '28b52ffd00a8',
    dictionary: '28b52ffd0158010203',
    reserved: '28b52ffd0858',
    content: '28b52ffde0ffffffffffff0000',
  };
  for (const [name, hex] of Object.entries(frames)) {
    const frame = Buffer.concat([Buffer.from(hex, 'hex'), Buffer.of(1, 0, 0)]);
    for (const portableZstd of [true, false]) {
      await assert.rejects(
        collect(decompress('tar.zst', pieces(frame), { ...unlimited, portableZstd })),
        integrity,
        name,
      );
    }
  }
});

test('a chunk decodes to exactly its length, or not at all', async () => {
  const chunk = Buffer.concat([noise(5000, 1), Buffer.alloc(5000)]);
  const slices = {
    'tar.gz': zlib.deflateRawSync(chunk, { finishFlush: zlib.constants.Z_FULL_FLUSH }),
    'tar.zst': zlib.zstdCompressSync(chunk),
    tar: chunk,
  };
  for (const format of formats) {
    const slice = slices[format];
    assert.deepEqual(Buffer.from(await decodeChunk(format, slice, chunk.length)), chunk);
    for (const length of [0, 1, chunk.length - 1, chunk.length + 1]) {
      await assert.rejects(decodeChunk(format, slice, length), integrity, `${format} as ${length}`);
    }
    await assert.rejects(decodeChunk(format, slice.subarray(0, slice.length >> 1), chunk.length), integrity, format);
    await assert.rejects(decodeChunk(format, Buffer.concat([slice, noise(9, 2)]), chunk.length), integrity, format);
    await assert.rejects(decodeChunk(format, Buffer.alloc(0), chunk.length), integrity, format);
  }
});

test('a slice that inflates to far more than its chunk is stopped at the bound', async () => {
  const zeros = Buffer.alloc(256 * 1024 * 1024);
  const bombs = {
    'tar.gz': zlib.deflateRawSync(zeros, { finishFlush: zlib.constants.Z_FULL_FLUSH }),
    'tar.zst': zlib.zstdCompressSync(zeros),
  } as const;
  for (const format of ['tar.gz', 'tar.zst'] as const) {
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(decodeChunk(format, bombs[format], 1 << 20), integrity);
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024);
  }
});
