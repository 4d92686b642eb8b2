import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pax } from 'tar/pax';
import { readTar } from '../../src/archive/tar-reader.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { collect, pieces } from './fixtures.ts';
import { end, entry, pax, rawEntry } from './tar-parts.ts';

async function read(...parts: readonly Buffer[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { type, path, body } of readTar(pieces(Buffer.concat(parts), 700), { topDirectory: 'm' })) {
    found[type === 'directory' ? `${path}/` : path] = (await collect(body)).toString();
  }
  return found;
}

test('ordinary archives of other programs are read: GNU long names, global comments, directories late or absent', async () => {
  const long = `m/${'d'.repeat(90)}/${'f'.repeat(90)}`;
  const found = await read(
    pax({ comment: 'abc' }, 'g'),
    entry({ path: 'm/a/b', type: 'File' }, 'one'),
    entry({ path: 'm/a/', type: 'Directory' }),
    rawEntry('L', `${long}\0`, '././@LongLink'),
    entry({ path: long.slice(0, 99) }, 'two'),
    new Pax({ path: 'm/ü' }).encode(),
    entry({ path: 'm/x' }, 'three'),
    end,
    Buffer.alloc(8192),
  );
  assert.deepEqual(found, { 'a/b': 'one', 'a/': '', [long.slice(2)]: 'two', ü: 'three' });
});

test('a size in base-256, as GNU tar writes it from 8 GiB, is understood', async () => {
  const small = entry({ path: 'm/x' }, 'abc');
  const block = Buffer.from(small.subarray(0, 512));
  block.fill(0, 124, 136);
  block[124] = 0x80;
  block[135] = 3;
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  assert.deepEqual(await read(block, small.subarray(512), end), { x: 'abc' });
});

const file = entry({ path: 'm/ok' }, 'ok');
const hostile: Readonly<Record<string, readonly Buffer[]>> = {
  'symbolic link': [entry({ path: 'm/l', type: 'SymbolicLink', linkpath: '/etc/passwd' }), end],
  'hard link': [file, entry({ path: 'm/l', type: 'Link', linkpath: 'm/ok' }), end],
  'character device': [entry({ path: 'm/d', type: 'CharacterDevice' }), end],
  'block device': [entry({ path: 'm/d', type: 'BlockDevice' }), end],
  'named pipe': [entry({ path: 'm/p', type: 'FIFO' }), end],
  'sparse file': [rawEntry('S', '', 'm/s'), end],
  'unknown type': [rawEntry('Z', '', 'm/s'), end],
  'GNU long link': [rawEntry('K', 'm/x\0', '././@LongLink'), file, end],
  'setuid file': [entry({ path: 'm/s', mode: 0o4755 }), end],
  'setgid directory': [entry({ path: 'm/s/', type: 'Directory', mode: 0o2755 }), end],
  'path with ..': [entry({ path: 'm/../x' }), end],
  'absolute path': [entry({ path: '/m/x' }), end],
  'path with a backslash': [entry({ path: 'm/..\\x' }), end],
  'path with a drive': [entry({ path: 'm/c:x' }), end],
  'path outside the top directory': [entry({ path: 'n/x' }), end],
  'path that only begins like the top directory': [entry({ path: 'mm/x' }), end],
  'file in the place of the top directory': [entry({ path: 'm' }), end],
  'pax path with ..': [pax({ path: 'm/../../x' }), file, end],
  'pax link': [pax({ linkpath: '/etc/passwd' }), file, end],
  'pax sparse file': [pax({ 'GNU.sparse.major': '1' }), file, end],
  'global pax path': [pax({ path: 'm/other' }, 'g'), file, end],
  'pax size that lies about being a number': [pax({ size: '1e3' }), file, end],
  'pax record with a wrong length': [rawEntry('x', '99 path=m/x\n'), file, end],
  'pax record without a length': [rawEntry('x', 'path=m/x\n'), file, end],
  'pax header without an entry': [pax({ path: 'm/x' }), end],
  'path twice': [file, file, end],
  'paths that differ in case': [file, entry({ path: 'm/OK' }), end],
  'file below a file': [file, entry({ path: 'm/ok/x' }), end],
  'file in the place of a directory': [entry({ path: 'm/a/b' }), entry({ path: 'm/a' }), end],
  'directory in the place of a file': [file, entry({ path: 'm/ok/', type: 'Directory' }), end],
  'directories that differ in case': [entry({ path: 'm/a/b' }), entry({ path: 'm/A/c' }), end],
  'directory with content': [rawEntry('5', 'content', 'm/d/'), end],
  'no end': [file],
  'one zero block only': [file, Buffer.alloc(512)],
  'a file behind the end': [file, end, file, end],
  'a file between the zero blocks': [file, Buffer.alloc(512), file, end],
  'wrong checksum': [Buffer.concat([Buffer.from('x'), file.subarray(1)]), end],
  'no tar at all': [Buffer.from('<html>'.repeat(200))],
  'name that is not UTF-8': [rawEntry('L', Buffer.from('m/\xff\0', 'latin1'), '././@LongLink'), file, end],
};

for (const [name, parts] of Object.entries(hostile)) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(read(...parts), (error) => isAircherError(error, 'integrity'));
  });
}
