import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';

/** Makes a key in `directory` of the workspace. */
function keygen(workspace: ReleaseWorkspace, directory: string) {
  return newSigningKey(workspace.path(directory));
}

/** What was packed into --out. */
async function packed(workspace: ReleaseWorkspace): Promise<readonly string[]> {
  const names = await readdir(workspace.path('release')).catch(() => []);
  return names.filter((name) => name.endsWith('.tar.gz'));
}

const newAlpha = (version: string) => ({
  release: '1.1.0',
  models: { alpha: modelConfig('alpha', version), beta: modelConfig('beta') },
});

describe('what stops a release is told before anything is packed', () => {
  it('a key that is missing, and one that release.json does not name: exit 6; plan alone needs none', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey } = await keygen(workspace, 'keys');
    const other = await keygen(workspace, 'other');
    await workspace.configure({ signing: { public_keys: [publicKey] } });
    const missing = await workspace.run(['release']);
    assert.equal(missing.exitCode, 6, missing.stderr);
    assert.match(missing.stderr, /no signing key\nhint: Set AIRCHER_SIGNING_KEY/);
    const wrong = await workspace.run(['release'], { env: other.env });
    assert.equal(wrong.exitCode, 6, wrong.stderr);
    assert.match(wrong.stderr, /which release\.json does not name/);
    assert.deepEqual(await packed(workspace), []);
    assert.equal((await workspace.run(['plan'])).exitCode, 0);
  });

  it('a GPG key that is missing: exit 6', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ signing: { gpg_fingerprint: 'A'.repeat(40) } });
    const env = { GNUPGHOME: workspace.path('gnupg'), AIRCHER_GPG_KEY: '' };
    const missing = await workspace.run(['release'], { env });
    if (missing.stderr.includes('gpg was not found')) return t.skip('gpg is not installed');
    assert.equal(missing.exitCode, 6, missing.stderr);
    assert.match(missing.stderr, /no secret GPG key A{40}/);
    assert.deepEqual(await packed(workspace), []);
  });

  it('a key that the last release did not announce: a warning of plan, exit 6 of release', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const old = await keygen(workspace, 'old');
    const next = await keygen(workspace, 'next');
    await workspace.configure({ signing: { public_keys: [old.publicKey] } });
    assert.equal((await workspace.run(['release', '--out', 'first'], { env: old.env })).exitCode, 0);
    const former_keys = [{ key: old.publicKey, last_release: '1.0.0' }];
    await workspace.configure({ ...newAlpha('1.1.0'), signing: { public_keys: [next.publicKey], former_keys } });
    const planned = await workspace.run(['plan'], { env: {} });
    assert.equal(planned.exitCode, 0, planned.stderr);
    assert.match(planned.stderr, /warning: .*by a key that models-v1\.0\.0 announced/);
    const rash = await workspace.run(['release'], { env: next.env });
    assert.equal(rash.exitCode, 6, rash.stderr);
    assert.match(rash.stderr, /error: .*by a key that models-v1\.0\.0 announced/);
    assert.deepEqual(await packed(workspace), []);
  });

  it('a release that is signed already is finished without the key', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey, env } = await keygen(workspace, 'keys');
    await workspace.configure({ signing: { public_keys: [publicKey] } });
    assert.equal((await workspace.run(['release', '--dry-run'], { env })).exitCode, 0);
    const finished = await workspace.run(['release']);
    assert.equal(finished.exitCode, 0, finished.stderr);
  });

  for (const { what, change, version, says } of [
    {
      what: 'another tokenizer',
      change: (workspace: ReleaseWorkspace) =>
        writeFile(workspace.path('models/alpha/tokenizer_config.json'), '{"do_lower_case":false,"model_max_length":8}'),
      version: '1.1.0',
      says: /need a major one: tokenizer[\s\S]*Write 2\.0\.0/,
    },
    {
      what: 'tensors of other shapes',
      change: (workspace: ReleaseWorkspace) => workspace.writeModel('alpha', { seed: 1, hidden: 64 }),
      version: '1.1.0',
      says: /need a major one: layout[\s\S]*Write 2\.0\.0/,
    },
  ]) {
    it(`a version that is raised too little for ${what}: exit 3`, async (t) => {
      const workspace = await createReleaseWorkspace(t);
      assert.equal((await workspace.run(['release', '--out', 'first'])).exitCode, 0);
      await change(workspace);
      await workspace.configure(newAlpha(version));
      const refused = await workspace.run(['release']);
      assert.equal(refused.exitCode, 3, refused.stderr);
      assert.match(refused.stderr, says);
      assert.ok(!refused.stderr.includes('• pack'), refused.stderr);
      assert.deepEqual(await packed(workspace), []);
    });
  }

  it('what only the bytes of the weights tell is told after they were read', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    assert.equal((await workspace.run(['release', '--out', 'first'])).exitCode, 0);
    await workspace.writeModel('alpha', { seed: 1, retrained: { 1: 7 } });
    await workspace.configure(newAlpha('1.0.1'));
    const refused = await workspace.run(['release']);
    assert.equal(refused.exitCode, 3, refused.stderr);
    assert.match(refused.stderr, /• manifest[\s\S]*need a minor one: weights/);
  });

  it('an unchanged tokenizer, new words and a raised version pass', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    assert.equal((await workspace.run(['release', '--out', 'first'])).exitCode, 0);
    await writeFile(workspace.path('models/alpha/README.md'), '---\nlicense: apache-2.0\n---\nNew.\n');
    await workspace.configure(newAlpha('1.0.1'));
    const released = await workspace.run(['release']);
    assert.equal(released.exitCode, 0, released.stderr);
  });
});
