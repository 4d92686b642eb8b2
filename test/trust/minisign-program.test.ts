import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { execa } from 'execa';
import { generateKeys } from '../../src/trust/generate-keys.ts';
import { parsePublicKey, parseSignature, verifySignature } from '../../src/trust/minisign.ts';
import { loadSecretKey } from '../../src/trust/secret-key.ts';
import { signMessage } from '../../src/trust/sign-message.ts';

/** Both ways between us and the program minisign. */

const probe = await execa('minisign', ['-v'], { reject: false });
const skip = probe.exitCode === 0 ? false : 'the program minisign is not installed';
const message = Buffer.from('{ "manifest_version": "1.0.0" }\n');

describe('with the program minisign', { skip }, () => {
  let directory = '';
  const at = (name: string) => join(directory, name);
  const minisign = (programArguments: readonly string[], input = '') =>
    execa('minisign', programArguments, { cwd: directory, input, reject: false });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'minisign-'));
    await writeFile(at('manifest.json'), message);
    await minisign(['-G', '-W', '-p', 'program.pub', '-s', 'program.key']);
  });
  after(() => rm(directory, { recursive: true }));

  for (const legacy of [false, true]) {
    const kind = legacy ? 'legacy' : 'prehashed';

    test(`its ${kind} signature is accepted by us`, async () => {
      const flags = ['-S', ...(legacy ? ['-l'] : []), '-s', 'program.key', '-m', 'manifest.json'];
      await minisign([...flags, '-x', `${kind}.minisig`, '-t', 'größe ✓\tx']);
      const text = await readFile(at(`${kind}.minisig`), 'utf8');
      assert.equal(parseSignature(text).prehashed, !legacy);
      const key = parsePublicKey(await readFile(at('program.pub'), 'utf8'));
      assert.equal(verifySignature(message, text, [key]).trustedComment, 'größe ✓\tx');
    });

    test(`our ${kind} signature, by its key and by ours, is accepted by it, and a changed file is not`, async () => {
      const ours = await generateKeys({ keyDirectory: at(`ours-${kind}`) });
      for (const [secretPath, publicPath] of [
        [at('program.key'), at('program.pub')],
        [ours.secretKeyPath, ours.publicKeyPath],
      ] as const) {
        const key = await loadSecretKey(secretPath);
        await writeFile(at('ours.minisig'), signMessage(message, key, { trustedComment: 'release:1\tdate:2', legacy }));
        const good = await minisign(['-V', '-p', publicPath, '-x', 'ours.minisig', '-m', 'manifest.json']);
        assert.equal(good.exitCode, 0, good.stderr);
        assert.match(good.stdout, /Trusted comment: release:1\tdate:2/);
        await writeFile(at('changed.json'), `${message}x`);
        const bad = await minisign(['-V', '-p', publicPath, '-x', 'ours.minisig', '-m', 'changed.json']);
        assert.notEqual(bad.exitCode, 0);
      }
    });
  }

  test('it signs with an unencrypted key of ours, and takes our public key as a line', async () => {
    const keys = await generateKeys({ keyDirectory: at('plain') });
    const signed = await minisign(['-S', '-s', keys.secretKeyPath, '-m', 'manifest.json', '-x', 'plain.minisig']);
    assert.equal(signed.exitCode, 0, signed.stderr);
    const verified = await minisign(['-V', '-P', keys.publicKey, '-m', 'manifest.json', '-x', 'plain.minisig']);
    assert.equal(verified.exitCode, 0, verified.stderr);
    verifySignature(message, await readFile(at('plain.minisig'), 'utf8'), [parsePublicKey(keys.publicKey)]);
  });

  test('it signs with an encrypted key of ours after the password', async () => {
    const keys = await generateKeys({ keyDirectory: at('encrypted'), password: 'pass wörd' });
    const signed = await minisign(
      ['-S', '-s', keys.secretKeyPath, '-m', 'manifest.json', '-x', 'locked.minisig'],
      'pass wörd\n',
    );
    assert.equal(signed.exitCode, 0, signed.stderr);
    verifySignature(message, await readFile(at('locked.minisig'), 'utf8'), [parsePublicKey(keys.publicKey)]);
  });

  test('its encrypted key signs for us after the password', async () => {
    await minisign(['-G', '-p', 'locked.pub', '-s', 'locked.key'], 'pass wörd\npass wörd\n');
    const key = await loadSecretKey(at('locked.key'), { password: 'pass wörd' });
    await writeFile(at('locked.minisig'), signMessage(message, key, { trustedComment: 'c' }));
    const verified = await minisign(['-V', '-p', 'locked.pub', '-m', 'manifest.json', '-x', 'locked.minisig']);
    assert.equal(verified.exitCode, 0, verified.stderr);
  });
});
