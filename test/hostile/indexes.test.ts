import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type ChunkIndex, type ChunkTuple, formatChunkIndex, structure } from '../../src/contract/chunk-index.ts';
import { limits } from '../../src/contract/limits.ts';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { fitting } from '../fixtures/weights-entry.ts';
import { startServer } from '../http/http-fixture.ts';
import { type Arena, createArena, requireRefused } from './arena.ts';

type Json = Readonly<Record<string, unknown>>;

/** The attacker's manifest, whose entry of the victim is changed. */
async function plantEntry(arena: Arena, changes: Partial<ManifestModel> | Json): Promise<void> {
  const { manifest, victim } = arena;
  const models = { ...manifest.models, victim: { ...victim, ...fitting(changes) } };
  await arena.plant('manifest.json', JSON.stringify({ ...manifest, models }));
}

async function indexOf(arena: Arena): Promise<ChunkIndex> {
  const path = join(arena.world.mirrorDirectory, 'models-v1.0.0/victim.tar.gz.index.json');
  return JSON.parse(await readFile(path, 'utf8')) as ChunkIndex;
}

test('what an index may say that an unsigned manifest names by its right digest', async (t) => {
  const arena = await createArena(t);
  const good = await indexOf(arena);
  const { archive, files, chunks } = good;

  const refused = (
    name: string,
    text: string | Uint8Array,
    entry: Json = {},
    codes?: readonly number[],
  ): Promise<void> =>
    t.test(`refused: ${name}`, async () => {
      const url = await arena.plant('index.json', text);
      const index = {
        size_bytes: Buffer.from(text as string).length,
        sha256: sha256(text),
        download_urls: { mirror: url },
      };
      await plantEntry(arena, { index, ...entry });
      requireRefused(await arena.attack(['install', 'victim']), codes);
    });
  const refusedIndex = (name: string, changes: Json, entry: Json = { files: undefined }): Promise<void> =>
    refused(name, JSON.stringify({ ...good, ...changes }), entry);
  const refusedChunk = (name: string, number: number, changes: Readonly<Record<number, unknown>>): Promise<void> =>
    refusedIndex(name, {
      chunks: chunks.map((chunk, at) => (at === number ? Object.assign([...chunk], changes) : chunk)),
    });
  const refusedFiles = (name: string, change: (file: ChunkIndex['files'][number], at: number) => Json): Promise<void> =>
    refusedIndex(name, { files: files.map((file, at) => ({ ...file, ...change(file, at) })) });

  for (const path of [
    '../evil',
    '../../innocent/1.0.0/config.json',
    '/tmp/evil',
    'C:evil',
    '..\\evil',
    'nul',
    'a//b',
    '',
    'a\0',
  ]) {
    await refusedFiles(`the path ${JSON.stringify(path)}`, (_, at) => (at === 0 ? { path } : {}));
  }
  await refusedFiles('our own file', (_, at) => (at === 0 ? { path: '.version' } : {}));
  await refusedFiles('a folder in the place of our own file', (_, at) => (at === 0 ? { path: '.version/x' } : {}));
  await refusedFiles('paths twice', () => ({ path: 'same' }));
  await refusedFiles('paths that differ in case', (_, at) => ({ path: at === 0 ? 'a' : at === 1 ? 'A' : `x${at}` }));
  await refusedFiles('a file in another file', (_, at) => ({ path: `a${'/a'.repeat(at)}` }));

  await refusedIndex(
    'a file more than the manifest has',
    {
      files: [...files, { path: 'more', size_bytes: 0, sha256: sha256('') }],
    },
    {},
  );
  await refusedIndex(
    'a file less than the manifest has',
    {},
    { files: [...arena.victim.files!, { path: 'more', size_bytes: 0, sha256: sha256('') }] },
  );
  const [first] = arena.victim.files!;
  const others = arena.victim.files!.slice(1);
  await refusedIndex('another size than the manifest’s', {}, { files: [{ ...first, size_bytes: 1 }, ...others] });
  await refusedIndex(
    'another digest than the manifest’s',
    {},
    { files: [{ ...first, sha256: sha256('x') }, ...others] },
  );
  await refusedIndex('another path than the manifest’s', {}, { files: [{ ...first, path: 'other' }, ...others] });
  await refusedFiles('a digest of a file that its chunks don’t have', (_, at) =>
    at === 1 ? { sha256: sha256('x') } : {},
  );

  const other = (changes: Json): Json => ({ archive: { ...archive, ...changes } });
  await refusedIndex('another model’s archive', other({ name: 'innocent.tar.gz' }));
  await refusedIndex('an archive with a path for a name', other({ name: '../victim.tar.gz' }));
  await refusedIndex('an archive of another size', other({ size_bytes: archive.size_bytes + 1 }));
  await refusedIndex('an archive of another digest', other({ sha256: sha256('x') }));
  await refusedIndex('an archive of another format', other({ name: 'victim.tar.zst', format: 'tar.zst' }));
  await refusedIndex('an archive of another format than the manifest says', {}, { format: 'tar.zst' });
  await refusedIndex('an archive of no format', other({ name: 'victim.zip', format: 'zip' }));

  const file = chunks.findIndex(([, , number]) => number !== structure);
  const [offset, length, , inFile, size] = chunks[file]!;
  const numbers: readonly unknown[] = [-1, 1.5, 1e300, Number.MAX_SAFE_INTEGER, '1', null, [], {}, true];
  for (const bad of numbers) {
    for (const field of [0, 1, 3, 4])
      await refusedChunk(`${JSON.stringify(bad)} in field ${field}`, file, { [field]: bad });
  }
  for (const bad of [-2, 0.5, files.length, 1e300, '0', null]) {
    await refusedChunk(`the file number ${JSON.stringify(bad)}`, file, { 2: bad });
  }
  await refused('more than a number can hold', JSON.stringify(good).replace(`[${offset},`, '[1e400,'));
  await refusedChunk('a chunk that overlaps the one before', file, { 0: offset - 1 });
  await refusedChunk('a gap before a chunk', file, { 0: offset + 1 });
  await refusedChunk('a chunk that reaches beyond the archive', chunks.length - 1, { 1: archive.size_bytes });
  await refusedChunk('a chunk of nothing', file, { 4: 0 });
  await refusedChunk('a chunk larger than any', file, { 4: limits.chunkBytes + 1 });
  await refusedChunk('a slice much larger than its chunk', file, { 1: length + limits.chunkBytes });
  await refusedChunk('a chunk at another place of its file', file, { 3: inFile + 1 });
  await refusedChunk('a chunk longer than its file', file, { 4: size + 1 });
  await refusedChunk('a chunk that is said to be structure', file, { 2: structure, 3: 0 });
  await refusedChunk('structure inside a file', file, { 2: structure });
  await refusedChunk('a digest that is none', file, { 5: 'ABC' });
  await refusedIndex('chunks in another order', { chunks: [...chunks].reverse() });
  await refusedIndex('files in another order', { files: [...files].reverse() });
  await refusedIndex('a chunk missing', { chunks: chunks.filter((_, at) => at !== file) });
  await refusedIndex('a chunk twice', { chunks: [...chunks.slice(0, file + 1), ...chunks.slice(file)] });
  await refusedIndex('no chunks', { chunks: [] });
  await refusedIndex('no files', { files: [] });
  await refusedIndex('a chunk with a field more', { chunks: chunks.map((chunk) => [...chunk, 0]) });
  await refusedIndex('chunks that are objects', { chunks: chunks.map((chunk) => ({ ...chunk })) });
  await refusedIndex('chunks that are no list', { chunks: { length: 1, 0: chunks[0] } });
  await refusedIndex('more files than a model may have', {
    files: Array.from({ length: limits.filesPerModel + 1 }, (_, at) => ({
      path: `${at}`,
      size_bytes: 0,
      sha256: sha256(''),
    })),
  });

  const text = JSON.stringify(good);
  await refusedIndex('a newer index', { index_version: 2 });
  await refused('the key __proto__', `{"__proto__":{},${text.slice(1)}`);
  await refused('a key twice', `{"files":[],${text.slice(1)}`);
  await refused('lists in lists', `{"x":${'['.repeat(9)}${']'.repeat(9)},${text.slice(1)}`);
  await refused('a million lists', `{"x":[${'[],'.repeat(limits.indexValues)}[]],${text.slice(1)}`);
  await refused('a web page', '<!doctype html>', {}, [5]);
  await refused('nothing', '', {}, [5]);
  await refused('no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]));

  await t.test('refused: an index of another digest, however often it is asked for', async () => {
    await arena.plant('index.json', JSON.stringify({ ...good, more: 1 }));
    const url = `${arena.world.mirror.url}/index.json`;
    await plantEntry(arena, { index: { ...arena.victim.index, download_urls: { mirror: url } } });
    requireRefused(await arena.attack(['install', 'victim']), [4]);
  });

  await t.test('refused: an index without an end', async (t) => {
    const endless = await startServer(t, (_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(65536, 0x20))) if (response.destroyed) return;
        response.once('drain', more);
      };
      more();
    });
    await plantEntry(arena, {
      index: { ...arena.victim.index, size_bytes: limits.indexBytes, download_urls: { mirror: endless.url } },
    });
    requireRefused(await arena.attack(['install', 'victim']), [4]);
  });
});

/**
 * An archive and index of one file of a hundred bytes, whose slice in the archive is `slice`.
 * Nothing of it is a tar.
 */
function bombOf(
  slice: Uint8Array,
  format: 'tar.gz' | 'tar.zst' | 'tar',
  length: number,
): { archive: Buffer; index: ChunkIndex } {
  const edge = Buffer.alloc(format === 'tar.gz' ? 10 : 0);
  const archive = Buffer.concat([edge, Buffer.from('header'), slice, edge]);
  const digest = sha256(Buffer.alloc(length));
  const chunks: ChunkTuple[] = [
    [edge.length, 6, structure, 0, format === 'tar' ? 6 : 512, digest],
    [edge.length + 6, slice.length, 0, 0, length, digest],
  ];
  return {
    archive,
    index: {
      index_version: 1,
      archive: { name: `victim.${format}`, format, size_bytes: archive.length, sha256: sha256(archive) },
      files: [{ path: 'model.safetensors', size_bytes: length, sha256: digest }],
      chunks,
    },
  };
}

test('what a chunk may hold that the index says something else of', async (t) => {
  const arena = await createArena(t);
  const refused = (
    name: string,
    format: 'tar.gz' | 'tar.zst' | 'tar',
    length: number,
    slice: Uint8Array,
  ): Promise<void> =>
    t.test(`refused: ${name}`, async () => {
      const { archive, index } = bombOf(slice, format, length);
      const bytes = formatChunkIndex(index);
      await plantEntry(arena, {
        format,
        size_bytes: archive.length,
        sha256: sha256(archive),
        files: index.files,
        download_urls: { mirror: await arena.plant('archive', archive) },
        index: {
          size_bytes: bytes.length,
          sha256: sha256(bytes),
          download_urls: { mirror: await arena.plant('index.json', bytes) },
        },
      });
      const outcome = await arena.attack(['install', 'victim']);
      // The bytes are a mirror's fault, and there is no other one.
      requireRefused(outcome, [4]);
      assert.match(outcome.stderr, /chunk/);
    });
  const zeros = deflateRawSync(Buffer.alloc(1_000_000));
  await refused('a slice that inflates to ten thousand times its chunk', 'tar.gz', 100, zeros);
  await refused('a slice that inflates to one byte more', 'tar.gz', 100, deflateRawSync(Buffer.alloc(101)));
  await refused('a slice that inflates to one byte less', 'tar.gz', 100, deflateRawSync(Buffer.alloc(99)));
  await refused(
    'a slice with something behind its chunk',
    'tar.gz',
    100,
    Buffer.concat([deflateRawSync(Buffer.alloc(100)), Buffer.from('x')]),
  );
  await refused('a slice of other bytes', 'tar.gz', 100, deflateRawSync(Buffer.alloc(100, 1)));
  await refused('a slice that is no deflate data', 'tar.gz', 100, Buffer.alloc(50, 0xff));
  await refused('a chunk of other bytes, as it is', 'tar', 100, Buffer.alloc(100, 1));
  // RFC 8878: a frame with a window of 128 MiB and one block of a single byte, repeated as often as
  // a block may.
  const repeated = (blocks: number, windowDescriptor: number): Buffer =>
    Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, windowDescriptor]),
      ...Array.from({ length: blocks }, (_, at) => {
        const header = (at === blocks - 1 ? 1 : 0) | (1 << 1) | ((128 * 1024) << 3);
        return Buffer.from([header & 0xff, (header >> 8) & 0xff, header >> 16, 0]);
      }),
    ]);
  await refused('a frame that grows to a hundred thousand times its chunk', 'tar.zst', 100, repeated(200, 0x88));
  await refused('a frame that asks for two gigabytes', 'tar.zst', 100, repeated(1, 0xa8));
  await refused('a frame that is none', 'tar.zst', 100, Buffer.alloc(50, 0xff));
});
