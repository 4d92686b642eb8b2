import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { chmod, link, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { packArchive } from '../../src/archive/pack-archive.ts';
import { formatChunkIndex, parseChunkIndex } from '../../src/contract/chunk-index.ts';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { formats, noise, packTree, sampleTree, sourceFiles, temporaryDirectory, writeTree } from './fixtures.ts';

const goldenPath = new URL('../golden/archive-digests.json', import.meta.url);

test('archives and indexes of a fixed tree have the golden digests', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), sampleTree());
  const golden = JSON.parse(await readFile(goldenPath, 'utf8')) as Record<string, Record<string, string>>;
  for (const format of formats) {
    const packed = await packTree(join(directory, 'tree'), format, join(directory, `sample.${format}`));
    const found = { archive: packed.archive.sha256, index: packed.indexSha256 };
    const expected = golden[format === 'tar.zst' ? `tar.zst, libzstd ${process.versions.zstd}` : format];
    if (expected === undefined)
      context.diagnostic(`no golden digest: ${format} ${JSON.stringify(found)} ${process.versions.zstd}`);
    else assert.deepEqual(found, expected, format);
  }
});

test('what packArchive returns is what stands on disk', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), sampleTree());
  for (const format of formats) {
    const output = join(directory, 'release', `sample.${format}`);
    const packed = await packTree(join(directory, 'tree'), format, output);
    const archive = await readFile(output);
    const index = await readFile(`${output}.index.json`);
    assert.equal(packed.archive.size_bytes, archive.length);
    assert.equal(packed.archive.sha256, sha256(archive));
    assert.equal(packed.indexSizeBytes, index.length);
    assert.equal(packed.indexSha256, sha256(index));
    assert.deepEqual(parseChunkIndex(index, { file: 'index' }), packed.index);
    assert.equal(formatChunkIndex(packed.index), index.toString());
    assert.deepEqual(packed.files, packed.index.files);
  }
  const left = await readdir(join(directory, 'release'));
  assert.deepEqual(
    left.filter((name) => name.startsWith('.tmp-')),
    [],
  );
});

test('mode, mtime, hard links and the order of files leave no trace in the archive', async (context) => {
  const directory = await temporaryDirectory(context);
  const tree = join(directory, 'tree');
  await writeTree(tree, sampleTree());
  const before = await packTree(tree, 'tar.gz', join(directory, 'one', 'sample.tar.gz'));
  await chmod(join(tree, 'config.json'), 0o700);
  await utimes(join(tree, 'one-byte.txt'), 1, 1);
  await link(join(tree, 'block.txt'), join(directory, 'other-name'));
  const files = await sourceFiles(tree);
  const after = await packArchive({
    model: 'sample',
    files: files.sort(() => -1).reverse(),
    format: 'tar.gz',
    output: join(directory, 'two', 'sample.tar.gz'),
    mtimeSeconds: 499162500,
    parallel: 1,
  });
  assert.equal(after.archive.sha256, before.archive.sha256);
  assert.equal(after.indexSha256, before.indexSha256);
});

test('a file that is not the size that was listed is named as invalid', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), { 'config.json': '{}' });
  const [file] = await sourceFiles(join(directory, 'tree'));
  assert.ok(file);
  for (const sizeBytes of [1, 3]) {
    await assert.rejects(
      packArchive({
        model: 'm',
        files: [{ ...file, sizeBytes }],
        format: 'tar',
        output: join(directory, 'm.tar'),
        mtimeSeconds: 0,
      }),
      (error) => isAircherError(error, 'invalid') && error.message.includes('config.json'),
    );
  }
  assert.deepEqual(await readdir(directory), ['tree']);
});

test('a file that grows while it is read stops the packing, and nothing appears', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), { 'weights.bin': noise(3 * 1024 * 1024, 1) });
  const files = await sourceFiles(join(directory, 'tree'));
  const grow = (event: Event): void => {
    if (event.type === 'progress') appendFileSync(join(directory, 'tree', 'weights.bin'), 'x');
  };
  await assert.rejects(
    packArchive({
      model: 'm',
      files,
      format: 'tar.gz',
      output: join(directory, 'out', 'm.tar.gz'),
      mtimeSeconds: 0,
      onEvent: grow,
    }),
    (error) => isAircherError(error, 'invalid') && error.message.includes('weights.bin'),
  );
  assert.deepEqual(await readdir(join(directory, 'out')), []);
});

test('a broken safetensors file is invalid by name, and the archive of before stays', async (context) => {
  const directory = await temporaryDirectory(context);
  const tree = join(directory, 'tree');
  const output = join(directory, 'out', 'm.tar');
  await writeTree(tree, { 'model.safetensors': sampleTree()['model.safetensors'] ?? '' });
  await packTree(tree, 'tar', output, 'm');
  const before = await readFile(output);
  await writeFile(join(tree, 'model.safetensors'), before.subarray(0, 100));
  await assert.rejects(
    packTree(tree, 'tar', output, 'm'),
    (error) => isAircherError(error, 'invalid') && error.message.includes('model.safetensors'),
  );
  assert.deepEqual(await readFile(output), before);
  assert.deepEqual((await readdir(join(directory, 'out'))).sort(), ['m.tar', 'm.tar.index.json']);
});

test('an abort while packing leaves nothing behind', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), { 'weights.bin': noise(3 * 1024 * 1024, 1) });
  const files = await sourceFiles(join(directory, 'tree'));
  const controller = new AbortController();
  await assert.rejects(
    packArchive({
      model: 'm',
      files,
      format: 'tar.gz',
      output: join(directory, 'out', 'm.tar.gz'),
      mtimeSeconds: 0,
      signal: controller.signal,
      onEvent: () => controller.abort(),
    }),
    { name: 'AbortError' },
  );
  assert.deepEqual(await readdir(join(directory, 'out')), []);
});

test('names that no client would take are refused before anything is read', async (context) => {
  const directory = await temporaryDirectory(context);
  const pack = (model: string, paths: readonly string[], mtimeSeconds = 0) =>
    packArchive({
      model,
      files: paths.map((path) => ({ path, absolutePath: join(directory, 'missing'), sizeBytes: 0 })),
      format: 'tar',
      output: join(directory, 'm.tar'),
      mtimeSeconds,
    });
  const invalid = (error: unknown): boolean => isAircherError(error, 'invalid');
  await assert.rejects(pack('no/slash', []), invalid);
  await assert.rejects(pack('m', ['../up']), invalid);
  await assert.rejects(pack('m', ['/absolute']), invalid);
  await assert.rejects(pack('m', ['README.md', 'readme.md']), invalid);
  await assert.rejects(pack('m', ['a', 'a/b']), invalid);
  await assert.rejects(pack('m', [], -1), invalid);
  await assert.rejects(pack('m', [], 0.5), invalid);
});

test('progress counts every byte of the sources once', async (context) => {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), sampleTree());
  const files = await sourceFiles(join(directory, 'tree'));
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  const done: number[] = [];
  await packArchive({
    model: 'm',
    files,
    format: 'tar',
    output: join(directory, 'm.tar'),
    mtimeSeconds: 0,
    onEvent: (event) => {
      if (event.type === 'progress') done.push(event.done);
    },
  });
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
  assert.equal(done.at(-1), total);
});
