import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { generateKeys } from '../../src/trust/generate-keys.ts';
import { formatPublicKey, parsePublicKey, verifySignature } from '../../src/trust/minisign.ts';
import { loadSecretKey } from '../../src/trust/secret-key.ts';
import { signMessage } from '../../src/trust/sign-message.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keygen-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('a new pair signs and verifies, and only the owner can read the secret key', async () => {
  const keys = await generateKeys({ keyDirectory: join(directory, 'new', 'keys') });
  assert.deepEqual((await readdir(join(directory, 'new', 'keys'))).sort(), ['aircher.key', 'aircher.pub']);
  if (process.platform !== 'win32') assert.equal((await stat(keys.secretKeyPath)).mode & 0o777, 0o600);
  const secret = await loadSecretKey(keys.secretKeyPath);
  const publicKey = parsePublicKey(await readFile(keys.publicKeyPath, 'utf8'));
  assert.equal(formatPublicKey(publicKey), keys.publicKey);
  const message = Buffer.from('m');
  const { keyId } = verifySignature(message, signMessage(message, secret, { trustedComment: 'c' }), [publicKey]);
  assert.equal(keyId, keys.keyId);
});

test('two pairs differ in key and id', async () => {
  const [first, second] = [
    await generateKeys({ keyDirectory: join(directory, 'a') }),
    await generateKeys({ keyDirectory: join(directory, 'b') }),
  ];
  assert.notEqual(first.publicKey, second.publicKey);
  assert.notEqual(first.keyId, second.keyId);
});

for (const name of ['aircher.key', 'aircher.pub']) {
  test(`an ${name} that is there is not overwritten, and nothing is written beside it`, async () => {
    await writeFile(join(directory, name), 'precious');
    await assert.rejects(generateKeys({ keyDirectory: directory }), { code: 'conflict' });
    assert.deepEqual(await readdir(directory), [name]);
    assert.equal(await readFile(join(directory, name), 'utf8'), 'precious');
  });
}

test('a dangling link in the place of the secret key is not followed', {
  skip: process.platform === 'win32',
}, async () => {
  await symlink(join(directory, 'elsewhere'), join(directory, 'aircher.key'));
  await assert.rejects(generateKeys({ keyDirectory: directory }), { code: 'conflict' });
  assert.deepEqual(await readdir(directory), ['aircher.key']);
});

test('of two that run at once, one pair is left whole and the other run is refused', async () => {
  const runs = await Promise.allSettled([
    generateKeys({ keyDirectory: directory }),
    generateKeys({ keyDirectory: directory }),
  ]);
  const made = runs.flatMap((run) => (run.status === 'fulfilled' ? [run.value] : []));
  assert.equal(made.length, 1);
  const secret = await loadSecretKey(join(directory, 'aircher.key'));
  assert.equal(formatPublicKey(secret.publicKey), made[0]?.publicKey);
  assert.ok((await readFile(join(directory, 'aircher.pub'), 'utf8')).includes(made[0]?.publicKey ?? '?'));
});

test('a place inside the output directory is refused, also through a link, and before it exists', async () => {
  const out = join(directory, 'release');
  for (const keyDirectory of [out, join(out, 'keys'), join(directory, 'x', '..', 'release')]) {
    await assert.rejects(generateKeys({ keyDirectory, outDirectory: out }), { code: 'usage' });
  }
  await mkdir(out);
  if (process.platform !== 'win32') {
    await symlink(out, join(directory, 'link'));
    await assert.rejects(generateKeys({ keyDirectory: join(directory, 'link', 'k'), outDirectory: out }), {
      code: 'usage',
    });
  }
  assert.deepEqual(await readdir(out), []);
});

test('a neighbour of the output directory, or what it lies in, is allowed', async () => {
  const out = join(directory, 'release');
  await generateKeys({ keyDirectory: join(directory, 'release-keys'), outDirectory: out });
  await generateKeys({ keyDirectory: join(directory, '..release'), outDirectory: out });
  await generateKeys({ keyDirectory: directory, outDirectory: out });
});

test('an empty password is refused instead of making a key without one', async () => {
  await assert.rejects(generateKeys({ keyDirectory: directory, password: '' }), { code: 'usage' });
  assert.deepEqual(await readdir(directory), []);
});
