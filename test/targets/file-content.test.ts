import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { packArchive } from '../../src/archive/pack-archive.ts';
import {
  contentProblems,
  gitBlobId,
  gitBlobIdOf,
  readContent,
  readContentWhole,
} from '../../src/targets/file-content.ts';
import type { ReleaseFile } from '../../src/targets/target.ts';
import { bytesOf, failureOf, temporaryDirectory } from './scene.ts';

const weights = bytesOf('weights', 2_500_000);

/** The same content as a plain file, and inside an archive of each format. */
async function bothKinds(directory: string, format: 'tar.gz' | 'tar'): Promise<readonly [ReleaseFile, ReleaseFile]> {
  const plain = join(directory, 'model.bin');
  await writeFile(plain, weights);
  const archive = join(directory, `tiny.${format}`);
  await packArchive({
    model: 'tiny',
    files: [
      { path: 'a.json', absolutePath: await written(directory, 'a.json', '{}'), sizeBytes: 2 },
      { path: 'empty.txt', absolutePath: await written(directory, 'empty.txt', ''), sizeBytes: 0 },
      { path: 'model.bin', absolutePath: plain, sizeBytes: weights.length },
    ],
    format,
    output: archive,
    mtimeSeconds: 499162500,
  });
  const base = {
    name: 'tiny/model.bin',
    sizeBytes: weights.length,
    sha256: createHash('sha256').update(weights).digest('hex'),
  };
  return [
    { ...base, content: { kind: 'file', path: plain } },
    { ...base, content: { kind: 'archived', archive, index: `${archive}.index.json`, path: 'model.bin' } },
  ];
}

async function written(directory: string, name: string, text: string): Promise<string> {
  await writeFile(join(directory, name), text);
  return join(directory, name);
}

test('any range of a file is the same from disk and out of an archive', async (t) => {
  for (const format of ['tar.gz', 'tar'] as const) {
    const files = await bothKinds(await temporaryDirectory(t), format);
    const offset = fc.integer({ min: 0, max: weights.length });
    await fc.assert(
      fc.asyncProperty(offset, offset, async (a, b) => {
        const [start, end] = a < b ? [a, b] : [b, a];
        for (const file of files) {
          assert.ok((await readContentWhole(file, { start, end })).equals(weights.subarray(start, end)));
        }
      }),
      { numRuns: 15 },
    );
    for (const file of files) assert.ok((await readContentWhole(file)).equals(weights));
  }
});

test('an empty file out of an archive is empty', async (t) => {
  const [, archived] = await bothKinds(await temporaryDirectory(t), 'tar.gz');
  assert.ok(archived.content.kind === 'archived');
  const empty = { ...archived, sizeBytes: 0, content: { ...archived.content, path: 'empty.txt' } };
  assert.equal((await readContentWhole(empty)).length, 0);
});

test('the git blob id is the one that git itself computes', async (t) => {
  const [plain, archived] = await bothKinds(await temporaryDirectory(t), 'tar.gz');
  assert.ok(plain.content.kind === 'file');
  const git = execFileSync('git', ['hash-object', plain.content.path]).toString().trim();
  assert.equal(await gitBlobId(plain), git);
  assert.equal(await gitBlobId(archived), git);
  assert.equal(gitBlobIdOf(weights), git);
});

test('a changed, damaged or missing source is told, not sent', async (t) => {
  const directory = await temporaryDirectory(t);
  const [plain, archived] = await bothKinds(directory, 'tar.gz');
  assert.ok(plain.content.kind === 'file' && archived.content.kind === 'archived');
  const archive = await readFile(archived.content.archive);
  archive.writeUInt8(archive.readUInt8(archive.length - 5000) ^ 0xff, archive.length - 5000);
  await writeFile(archived.content.archive, archive);
  assert.equal((await failureOf(readContentWhole(archived))).code, 'integrity');
  await writeFile(plain.content.path, 'short');
  assert.match((await failureOf(readContentWhole(plain))).message, /has 5 bytes instead of 2500000/);
  const gone = { ...plain, content: { kind: 'file', path: join(directory, 'nowhere') } } as const;
  assert.match((await failureOf(readContentWhole(gone))).message, /is missing/);
  const problems = await contentProblems([plain, gone, archived]);
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['has 5 bytes instead of 2500000', 'is missing'],
  );
});

const noProc = existsSync('/proc/self/fd') ? false : 'open files are counted in /proc';

test('a reader that stops early leaves no file open', { skip: noProc }, async (t) => {
  const [plain] = await bothKinds(await temporaryDirectory(t), 'tar');
  const before = openFiles();
  for (let i = 0; i < 5; i++) {
    for await (const piece of readContent(plain)) {
      assert.ok(piece.length > 0);
      break;
    }
  }
  assert.equal(openFiles(), before);
});

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}
