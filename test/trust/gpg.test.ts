import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { inspect } from 'node:util';
import { execa } from 'execa';
import { type ErrorCode, isAircherError } from '../../src/core/errors.ts';
import { signWithGpg, verifyGpgSignature } from '../../src/trust/gpg.ts';
import { type GpgScene, gpgSkipReason, openGpgScene, recordCalls } from './gpg-scene.ts';

const skip = await gpgSkipReason();
const passphrase = 'pässphrase-canary 1';

describe('with the program gpg', { skip }, () => {
  let scene: GpgScene;
  let file = '';
  const keys = { plain: '', locked: '' };
  const exported = { plain: '', locked: '', plainPublic: '', lockedPublic: '' };
  const context = () => ({
    file,
    environment: scene.environment,
    temporaryDirectory: scene.temporaryDirectory,
  });
  /** A user who has no keys at all. */
  const stranger = () => ({ PATH: scene.environment.PATH, HOME: join(scene.directory, 'nobody') });

  before(async () => {
    scene = await openGpgScene();
    await mkdir(join(scene.directory, 'nobody'), { mode: 0o700 });
    file = join(scene.directory, 'manifest.json');
    await writeFile(file, '{ "manifest_version": "1.0.0" }\n');
    keys.plain = await scene.makeKey('plain');
    keys.locked = await scene.makeKey('locked', { passphrase });
    exported.plain = await scene.exportSecret(keys.plain);
    exported.locked = await scene.exportSecret(keys.locked, passphrase);
    exported.plainPublic = await scene.exportPublic(keys.plain);
    exported.lockedPublic = await scene.exportPublic(keys.locked);
  });
  after(() => scene.close());

  async function refused(code: ErrorCode, run: Promise<unknown>): Promise<string> {
    try {
      await run;
    } catch (error) {
      assert.ok(isAircherError(error, code), inspect(error));
      const shown = inspect(error, { depth: 10 });
      assert.ok(!shown.includes('canary'), shown);
      assert.ok(!shown.includes('PRIVATE KEY'), shown);
      return shown;
    } finally {
      await assertNothingLeft();
    }
    throw new assert.AssertionError({ message: 'accepted' });
  }

  async function assertNothingLeft(): Promise<void> {
    assert.deepEqual(await readdir(scene.temporaryDirectory), []);
    const { stdout } = await execa('ps', ['-A', '-o', 'args']);
    const agents = stdout.split('\n').filter((line) => line.includes(scene.temporaryDirectory));
    assert.deepEqual(agents, []);
  }

  async function gpgVerifies(signature: string): Promise<boolean> {
    await writeFile(join(scene.directory, 'a.asc'), signature);
    return scene.gpg(['--verify', join(scene.directory, 'a.asc'), file]).then(
      () => true,
      () => false,
    );
  }

  test('an armoured secret key signs, gpg and we accept it, and neither keyring nor agent is left', async () => {
    const signed = await signWithGpg({ ...context(), environment: stranger(), secretKey: exported.plain });
    assert.equal(signed.fingerprint, keys.plain);
    assert.match(signed.signature, /^-----BEGIN PGP SIGNATURE-----\n/);
    assert.ok(await gpgVerifies(signed.signature));
    await verifyGpgSignature({
      ...context(),
      environment: stranger(),
      signature: signed.signature,
      fingerprint: keys.plain.toLowerCase(),
      publicKey: exported.plainPublic,
    });
    await assertNothingLeft();
    assert.deepEqual(await readdir(join(scene.directory, 'nobody')), []);
  });

  test('a key with a passphrase signs with it; without, or with another, it is refused with the remedy', async () => {
    const options = { ...context(), secretKey: exported.locked, fingerprint: keys.locked };
    const { signature } = await signWithGpg({ ...options, passphrase });
    assert.ok(await gpgVerifies(signature));
    assert.match(await refused('conflict', signWithGpg({ ...options, passphrase: 'canary no' })), /wrong passphrase/);
    const shown = await refused('conflict', signWithGpg(options));
    assert.match(shown, /needs a passphrase/);
    assert.match(shown, /AIRCHER_GPG_PASSPHRASE/);
    await refused('invalid', signWithGpg({ ...options, passphrase: `${passphrase}\n` }));
  });

  test("the user's keyring signs by fingerprint, with a passphrase where the key has one", async () => {
    for (const options of [{ fingerprint: keys.plain }, { fingerprint: keys.locked, passphrase }]) {
      const { signature } = await signWithGpg({ ...context(), ...options });
      assert.ok(await gpgVerifies(signature));
      await verifyGpgSignature({ ...context(), signature, fingerprint: options.fingerprint });
    }
  });

  test('a key that is not there, no key at all, a public key, and what is no key are told apart', async () => {
    const missing = await refused('conflict', signWithGpg({ ...context(), fingerprint: '0'.repeat(40) }));
    assert.match(missing, /no secret GPG key 0{40}/);
    await refused('usage', signWithGpg(context()));
    assert.match(await refused('conflict', signWithGpg({ ...context(), secretKey: exported.plainPublic })), /secret/);
    assert.match(await refused('invalid', signWithGpg({ ...context(), secretKey: 'canary' })), /AIRCHER_GPG_KEY/);
    await refused('invalid', signWithGpg({ ...context(), secretKey: exported.plain, fingerprint: keys.locked }));
    await refused('invalid', signWithGpg({ ...context(), secretKey: `${exported.plain}\n${exported.locked}` }));
  });

  test('an expired key does not sign, and its signatures are refused', async () => {
    const expired = await scene.makeKey('expired', { expire: 'seconds=2' });
    const { signature } = await signWithGpg({ ...context(), fingerprint: expired });
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const check = verifyGpgSignature({ ...context(), signature, fingerprint: expired });
    assert.match(await refused('integrity', check), /expired/);
    assert.match(await refused('conflict', signWithGpg({ ...context(), fingerprint: expired })), /expired/);
  });

  test("gpg's own signature is accepted; over another file, or by another key, it is refused", async () => {
    const signature = await scene.gpg(['-u', keys.plain, '--armor', '--detach-sign', '--output', '-', file]);
    const options = { ...context(), signature, fingerprint: keys.plain };
    await verifyGpgSignature(options);
    await verifyGpgSignature({ ...options, environment: stranger(), publicKey: exported.plainPublic });
    const changed = join(scene.directory, 'changed.json');
    await writeFile(changed, '{ "manifest_version": "1.0.1" }\n');
    assert.match(await refused('integrity', verifyGpgSignature({ ...options, file: changed })), /does not match/);
    const foreign = await refused('integrity', verifyGpgSignature({ ...options, fingerprint: keys.locked }));
    assert.ok(foreign.includes(`by key ${keys.plain}, not by ${keys.locked}`));
    const byOther = { ...options, fingerprint: keys.locked, publicKey: exported.lockedPublic };
    await refused('integrity', verifyGpgSignature(byOther));
    await refused('invalid', verifyGpgSignature({ ...options, publicKey: exported.lockedPublic }));
    const unknown = await refused('conflict', verifyGpgSignature({ ...options, environment: stranger() }));
    assert.ok(unknown.includes(`--recv-keys ${keys.plain}`));
  });

  test('a signature by a subkey counts for its primary key', async () => {
    const primary = await scene.makeKey('primary');
    await scene.gpg(['--passphrase', '', '--quick-add-key', primary, 'ed25519', 'sign']);
    const { signature } = await signWithGpg({ ...context(), fingerprint: primary });
    await verifyGpgSignature({ ...context(), signature, fingerprint: primary });
    const unknown = verifyGpgSignature({ ...context(), environment: stranger(), signature, fingerprint: primary });
    assert.match(await refused('conflict', unknown), /no public GPG key/);
  });

  test('no signature, two of them, one over converted text, or a signed message are refused', async () => {
    const sign = (...flags: string[]) => scene.gpg([...flags, '--armor', '--output', '-', file]);
    const both = await sign('-u', keys.plain, '-u', keys.locked, '--passphrase', passphrase, '--detach-sign');
    const text = await sign('-u', keys.plain, '--textmode', '--detach-sign');
    const attached = await sign('-u', keys.plain, '--sign');
    const clear = await sign('-u', keys.plain, '--clear-sign');
    for (const signature of ['', '<html>', both, text, attached, clear, exported.plainPublic]) {
      await refused('integrity', verifyGpgSignature({ ...context(), signature, fingerprint: keys.plain }));
    }
  });

  test('each flipped bit of the file is refused', async () => {
    const small = join(scene.directory, 'small');
    const bytes = Buffer.from('{}\n');
    await writeFile(small, bytes);
    const { signature } = await signWithGpg({ ...context(), file: small, fingerprint: keys.plain });
    for (let place = 0; place < bytes.length * 8; place++) {
      const flipped = Buffer.from(bytes);
      flipped[place >> 3]! ^= 1 << (place & 7);
      await writeFile(small, flipped);
      await refused('integrity', verifyGpgSignature({ ...context(), file: small, signature, fingerprint: keys.plain }));
    }
  });

  test('secrets and tokens stand in no argument list and no environment of gpg', async () => {
    const calls = await recordCalls(scene);
    const environment = {
      ...scene.environment,
      PATH: calls.path,
      GITHUB_TOKEN: 'canary-github',
      HF_TOKEN: 'canary-hub',
      AIRCHER_GPG_KEY: exported.locked,
      AIRCHER_GPG_PASSPHRASE: passphrase,
      AIRCHER_SIGNING_PASSWORD: 'canary-signing',
    };
    const options = { ...context(), environment, fingerprint: keys.locked, passphrase };
    const { signature } = await signWithGpg({ ...options, secretKey: exported.locked });
    await signWithGpg(options);
    await verifyGpgSignature({ ...options, signature, publicKey: exported.lockedPublic });
    await refused('conflict', signWithGpg({ ...options, secretKey: exported.locked, passphrase: 'canary' }));
    const log = await readFile(calls.log, 'utf8');
    assert.ok(log.includes('run: --detach-sign') && log.includes('run: --verify') && log.includes('run: gpgconf'));
    assert.ok(!log.includes('canary'), log);
    assert.ok(!log.includes('PRIVATE KEY'));
    const names = new Set([...log.matchAll(/^([A-Za-z_]+)=/gm)].map((match) => match[1]));
    // The shell of the recording script adds PWD, OLDPWD, SHLVL and _.
    const allowed = ['PATH', 'HOME', 'GNUPGHOME', 'LC_ALL', 'PWD', 'OLDPWD', 'SHLVL', '_'];
    assert.deepEqual(
      [...names].filter((name) => !allowed.includes(name ?? '')),
      [],
    );
  });

  test('a temporary directory too deep for a socket is not used', async () => {
    const deep = join(scene.directory, 'd'.repeat(120));
    await mkdir(deep);
    const options = { ...context(), temporaryDirectory: deep, secretKey: exported.locked, passphrase };
    assert.ok(await gpgVerifies((await signWithGpg(options)).signature));
    assert.deepEqual(await readdir(deep), []);
  });

  test('a signal that was given before ends signing and leaves nothing', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(signWithGpg({ ...context(), secretKey: exported.plain, signal }), { name: 'AbortError' });
    await assertNothingLeft();
  });

  test('a hanging gpg is ended by the signal, and its keyring is removed', async () => {
    const bin = join(scene.directory, 'slow');
    await mkdir(bin);
    await writeFile(join(bin, 'gpg'), '#!/bin/sh\nexec sleep 60\n');
    await chmod(join(bin, 'gpg'), 0o755);
    const environment = { ...scene.environment, PATH: `${bin}:${scene.environment.PATH}` };
    const run = signWithGpg({
      ...context(),
      environment,
      secretKey: exported.plain,
      signal: AbortSignal.timeout(300),
    });
    await assert.rejects(run, { name: 'TimeoutError' });
    await assertNothingLeft();
  });

  test('where gpg is missing, signing and checking say so', async () => {
    const environment = { PATH: join(scene.directory, 'nobody') };
    const options = { ...context(), environment, fingerprint: keys.plain };
    for (const run of [
      () => signWithGpg({ ...options, secretKey: exported.plain }),
      () => signWithGpg(options),
      () => verifyGpgSignature({ ...options, signature: '', publicKey: exported.plainPublic }),
    ]) {
      assert.match(await refused('machine', run()), /gpg was not found/);
    }
  });
});
