import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';

/** Makes a key in `directory` of the workspace. */
function keygen(workspace: ReleaseWorkspace, directory: string) {
  return newSigningKey(workspace.path(directory));
}

describe('signed releases', () => {
  it('a key in release.json signs every release, and minisign agrees', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey, env } = await keygen(workspace, 'keys');
    if (process.platform !== 'win32')
      assert.equal((await stat(workspace.path('keys/aircher.key'))).mode & 0o777, 0o600);
    await workspace.configure({ signing: { public_keys: [publicKey], expires_in_days: 30 } });
    const released = await workspace.run(['release'], { env });
    assert.equal(released.exitCode, 0, released.stderr);
    const manifest = JSON.parse(await readFile(workspace.path('mirror/manifest.json'), 'utf8'));
    assert.deepEqual(manifest.signing, { public_keys: [publicKey] });
    assert.equal(Date.parse(manifest.expires_at) - Date.parse(manifest.generated_at), 30 * 86_400_000);
    assert.match(
      await readFile(workspace.path('mirror/models-v1.0.0/aircher.mjs'), 'utf8'),
      new RegExp(publicKey.replaceAll('+', '\\+')),
    );
    const program = spawnSync('minisign', ['-Vm', 'manifest.json', '-P', publicKey], { cwd: workspace.path('mirror') });
    if (program.error) t.diagnostic('minisign is not installed');
    else assert.equal(program.status, 0, String(program.stderr));
    assert.equal((await workspace.run(['validate'], { env: {} })).exitCode, 0);
  });

  it('without a matching key nothing is uploaded, and the error says what to set', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const first = await keygen(workspace, 'keys');
    const other = await keygen(workspace, 'other');
    await workspace.configure({ signing: { public_keys: [first.publicKey] } });
    const missing = await workspace.run(['release']);
    assert.equal(missing.exitCode, 6, missing.stderr);
    assert.match(missing.stderr, /no signing key\nhint: Set AIRCHER_SIGNING_KEY/);
    const wrong = await workspace.run(['release'], { env: other.env });
    assert.equal(wrong.exitCode, 6, wrong.stderr);
    assert.match(wrong.stderr, /which release\.json does not name/);
    await assert.rejects(stat(workspace.path('mirror')), { code: 'ENOENT' });
  });

  it('an unsigned or foreign signature beside the manifest stops publish', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey, env } = await keygen(workspace, 'keys');
    await workspace.configure({ signing: { public_keys: [publicKey] } });
    for (const step of ['plan', 'pack', 'prove', 'manifest', 'notes', 'checksums', 'sign']) {
      assert.equal((await workspace.run([step], { env })).exitCode, 0, step);
    }
    const path = workspace.path('release/manifest.json.minisig');
    const good = await readFile(path, 'utf8');
    await writeFile(path, good.replace('release:models-v1.0.0', 'release:models-v9.0.0'));
    const altered = await workspace.run(['publish']);
    assert.equal(altered.exitCode, 4, altered.stderr);
    assert.equal((await workspace.run(['validate'])).exitCode, 4);
    await rm(path);
    const unsigned = await workspace.run(['publish']);
    assert.equal(unsigned.exitCode, 6, unsigned.stderr);
    assert.match(unsigned.stderr, /the manifest is not signed/);
    await writeFile(path, good);
    assert.equal((await workspace.run(['publish'])).exitCode, 0);
  });

  it('a new key is announced by a release that the old one signs; signing with the new one at once is refused', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const old = await keygen(workspace, 'old');
    const next = await keygen(workspace, 'next');
    await workspace.configure({ signing: { public_keys: [old.publicKey] } });
    await workspace.run(['release'], { env: old.env });
    await workspace.configure({ release: '1.0.1', signing: { public_keys: [old.publicKey, next.publicKey] } });
    const rash = await workspace.run(['release'], { env: next.env });
    assert.equal(rash.exitCode, 6, rash.stderr);
    assert.match(rash.stderr, /by a key that models-v1\.0\.0 announced/);
    await rm(workspace.path('release'), { recursive: true });
    const announced = await workspace.run(['release'], { env: old.env });
    assert.equal(announced.exitCode, 0, announced.stderr);
    const rotation = {
      public_keys: [next.publicKey],
      former_keys: [{ key: old.publicKey, last_release: '1.0.1' }],
    };
    await workspace.configure({ release: '1.0.2', signing: rotation });
    const rotated = await workspace.run(['release'], { env: next.env });
    assert.equal(rotated.exitCode, 0, rotated.stderr);
    await workspace.configure({ release: '1.0.3' });
    const stripped = await workspace.run(['release']);
    assert.equal(stripped.exitCode, 6, stripped.stderr);
    assert.equal((await workspace.run(['release', '--break-trust'])).exitCode, 0);
  });

  it('a public key that is announced and secret keys never meet: the secret is in no artifact', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey, env } = await keygen(workspace, 'keys');
    const secret = (await readFile(env.AIRCHER_SIGNING_KEY, 'utf8')).trim().split('\n')[1]!;
    await cp(workspace.path('keys'), workspace.path('elsewhere'), { recursive: true });
    await workspace.configure({ signing: { public_keys: [publicKey] } });
    const result = await workspace.run(['release', '--verbose'], { env: { AIRCHER_SIGNING_KEY: secret } });
    assert.equal(result.exitCode, 0, result.stderr);
    assert.ok(!`${result.stdout}${result.stderr}`.includes(secret));
    for (const directory of ['release', 'mirror', 'manifests']) {
      for (const entry of await readdir(workspace.path(directory), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        assert.ok(!(await readFile(path, 'latin1')).includes(secret), path);
      }
    }
  });
});
