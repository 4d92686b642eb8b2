import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Header } from 'tar/header';
import { encodeEntryHeader, listEntries, padding } from '../../src/archive/tar-entries.ts';
import { parsePax, parseTarHeader } from '../../src/archive/tar-header.ts';

const mtime = 499162500;

test('a short ASCII name needs one block, with nothing of this machine in it', () => {
  const block = encodeEntryHeader('m/config.json', 5, mtime);
  assert.equal(block.length, 512);
  const header = new Header(block);
  assert.ok(header.cksumValid);
  assert.deepEqual(
    [
      header.path,
      header.type,
      header.mode,
      header.uid,
      header.gid,
      header.uname,
      header.gname,
      header.size,
      header.mtime?.getTime(),
    ],
    ['m/config.json', 'File', 0o644, 0, 0, '', '', 5, mtime * 1000],
  );
  const directory = new Header(encodeEntryHeader('m/', 0, mtime));
  assert.deepEqual([directory.path, directory.type, directory.mode], ['m/', 'Directory', 0o755]);
});

test('sizes from 8 GiB stand in a pax header and in base-256', () => {
  const limit = 8 * 1024 ** 3;
  assert.equal(encodeEntryHeader('m/big', limit - 1, mtime).length, 512);
  for (const size of [limit, 5 * limit + 7, 2 ** 45 + 1]) {
    const blocks = encodeEntryHeader('m/big', size, mtime);
    const pax = parseTarHeader(blocks.subarray(0, 512));
    assert.equal(pax?.type, 'x');
    const records = parsePax(blocks.subarray(512, 512 + (pax?.sizeBytes ?? 0)));
    assert.deepEqual(
      [...records],
      [
        ['path', 'm/big'],
        ['size', String(size)],
      ],
    );
    assert.equal(parseTarHeader(blocks.subarray(-512))?.sizeBytes, size);
    assert.equal(padding(size).length, (512 - (size % 512)) % 512);
  }
});

test('names that ustar cannot hold come back whole from pax, directories with their slash', () => {
  for (const path of [
    'm/ü',
    'm/文件/',
    `m/${'x'.repeat(150)}`,
    `m/${'d'.repeat(60)}/${'e'.repeat(60)}/`,
    `m/${'a/'.repeat(400)}b`,
  ]) {
    const blocks = encodeEntryHeader(path, 0, mtime);
    const size = parseTarHeader(blocks.subarray(0, 512))?.sizeBytes ?? 0;
    assert.equal(parsePax(blocks.subarray(512, 512 + size)).get('path'), path);
    assert.equal(parseTarHeader(blocks.subarray(-512))?.type, path.endsWith('/') ? '5' : '0');
  }
});

test('a long ASCII name that fits prefix and name needs no pax', () => {
  const path = `m/${'d'.repeat(60)}/${'f'.repeat(60)}`;
  const block = encodeEntryHeader(path, 0, mtime);
  assert.equal(block.length, 512);
  assert.equal(parseTarHeader(block)?.name, path);
});

test('entries are sorted by the bytes of the full path, where a directory has its slash', () => {
  const files = ['a/b', 'a-b', 'a.txt', 'a0', 'Z', 'ü', 'zz', 'a/a-/x', 'a/a/x'].map((path) => ({ path }));
  assert.deepEqual(
    listEntries('m', files).map(({ path }) => path),
    [
      'm/',
      'm/Z',
      'm/a-b',
      'm/a.txt',
      'm/a/',
      'm/a/a-/',
      'm/a/a-/x',
      'm/a/a/',
      'm/a/a/x',
      'm/a/b',
      'm/a0',
      'm/zz',
      'm/ü',
    ],
  );
});

test('an empty model is its top directory', () => {
  assert.deepEqual(listEntries('m', []), [{ path: 'm/', file: undefined }]);
});
