import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { type ErrorCode, isAircherError } from '../../src/core/errors.ts';
import { formatPublicKey } from '../../src/trust/minisign.ts';
import { formatSecretKey, loadSecretKey, parseSecretKey, secretKeyOf } from '../../src/trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import * as fixture from './keys.ts';

/** Everything that a user or a log could get to see of an error. */
async function refused(code: ErrorCode, run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.ok(isAircherError(error, code), String(error));
    assert.ok(error.hint);
    return inspect(error, { depth: 10 });
  }
  throw new assert.AssertionError({ message: 'accepted' });
}

const line = fixture.plainSecretKey.split('\n')[1] ?? '';

test('a signature has exactly the bytes that the program minisign makes of the same key, message and comment', async () => {
  const key = await parseSecretKey(fixture.plainSecretKey);
  const { message, trustedComment } = fixture;
  const ours = (legacy: boolean) => signMessage(message, key, { trustedComment, legacy }).split('\n');
  assert.deepEqual(ours(false).slice(1), fixture.prehashedSignature.split('\n').slice(1));
  assert.deepEqual(ours(true).slice(1), fixture.legacySignature.split('\n').slice(1));
  assert.equal(ours(false)[0], 'untrusted comment: signature from aircher-models secret key');
});

test('the trusted comment of a manifest holds its release and date, and nothing that changes between runs', () => {
  assert.equal(
    trustedCommentOf('manifest.json', { release: 'models-v1.0.0', generated_at: '2026-01-01T00:00:00Z' }),
    'file:manifest.json\trelease:models-v1.0.0\tgenerated_at:2026-01-01T00:00:00Z',
  );
});

test('a comment that would add lines to the signature file is refused', async () => {
  const key = await parseSecretKey(fixture.plainSecretKey);
  for (const trustedComment of ['a\nb', 'a\rb', 'a\0b', '\ud800', 'x'.repeat(9000)]) {
    assert.throws(() => signMessage(fixture.message, key, { trustedComment }), { code: 'invalid' });
  }
});

test('an unencrypted key is read from its file, its text, its line, and its text on one line', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'key-'));
  try {
    const path = join(directory, 'aircher.key');
    await writeFile(path, fixture.plainSecretKey);
    const oneLine = fixture.plainSecretKey.trim().replace('\n', ' ');
    for (const input of [
      path,
      fixture.plainSecretKey,
      line,
      oneLine,
      fixture.plainSecretKey.replaceAll('\n', '\r\n'),
    ]) {
      const key = await loadSecretKey(input, { password: 'not needed' });
      assert.equal(formatPublicKey(key.publicKey), fixture.plainPublicKey);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('an encrypted key of minisign is read with its password, and refused with another', async () => {
  const key = await loadSecretKey(fixture.encryptedSecretKey, { password: 'pw' });
  assert.equal(formatPublicKey(key.publicKey), fixture.encryptedPublicKey);
  const shown = await refused('conflict', () => loadSecretKey(fixture.encryptedSecretKey, { password: 'Pw-canary' }));
  assert.match(shown, /wrong password/);
  assert.match(shown, /AIRCHER_SIGNING_PASSWORD/);
  assert.ok(!shown.includes('Pw-canary'));
});

test('an encrypted key without a password is refused with the remedy, an empty one counting as none', async () => {
  for (const password of [undefined, '']) {
    const shown = await refused('conflict', () => loadSecretKey(fixture.encryptedSecretKey, { password }));
    assert.match(shown, /no password/);
    assert.match(shown, /AIRCHER_SIGNING_PASSWORD/);
  }
});

test('an unencrypted key that we wrote is read back, and has a checksum that is held', async () => {
  const key = secretKeyOf(new Uint8Array(32).fill(5), new Uint8Array(8).fill(9));
  const text = await formatSecretKey(key);
  const back = await parseSecretKey(text);
  assert.deepEqual(Buffer.from(back.seed), Buffer.from(key.seed));
  assert.deepEqual(Buffer.from(back.publicKey.keyId), Buffer.from(key.publicKey.keyId));
  const bytes = Buffer.from(text.split('\n')[1] ?? '', 'base64');
  for (let place = 0; place < bytes.length * 8; place++) {
    const flipped = Buffer.from(bytes);
    flipped[place >> 3]! ^= 1 << (place & 7);
    // Salt and limits mean nothing in a key that isn't encrypted.
    if (place >= 6 * 8 && place < 54 * 8) continue;
    await refused('invalid', () => parseSecretKey(flipped.toString('base64')));
  }
});

test('a key whose public half is not that of its seed is refused, checksum or not', async () => {
  const bytes = Buffer.from(line, 'base64');
  bytes[54 + 40]! ^= 1;
  assert.match(await refused('invalid', () => parseSecretKey(bytes.toString('base64'))), /halves/);
});

test('a key that asks for more memory or work than minisign does is refused before it gets them', async () => {
  for (const [offset, value] of [
    [38, 1n << 40n],
    [46, 1n << 33n],
  ] as const) {
    const bytes = Buffer.from(fixture.encryptedSecretKey.split('\n')[1] ?? '', 'base64');
    bytes.writeBigUInt64LE(value, offset);
    assert.match(await refused('invalid', () => parseSecretKey(bytes.toString('base64'), { password: 'pw' })), /work/);
  }
});

test('input that is no key and no file is refused without repeating any of it', async () => {
  const canary = 'CANARYcanaryCANARYcanary';
  const inputs = [
    `RW${canary.repeat(8)}`,
    `RW${canary}`,
    `/nowhere/${canary}`,
    `untrusted comment: x\n${canary}\n`,
    `untrusted comment: x ${canary}`,
    `-----BEGIN PRIVATE KEY-----\n${canary}\n`,
    canary.repeat(400),
    `${line.slice(0, -9)}CANARY==`,
    `nul\0${canary}`,
    '',
  ];
  for (const input of inputs) {
    const shown = await refused('invalid', () => loadSecretKey(input));
    assert.ok(!shown.toUpperCase().includes('CANARY'), shown);
    assert.match(shown, /AIRCHER_SIGNING_KEY/);
  }
});

test('a public key given as the signing key is refused', async () => {
  await refused('invalid', () => parseSecretKey(fixture.plainPublicKey));
});
