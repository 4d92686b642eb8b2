import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';

/** 1.0.0 for users, and 1.1.0-rc.1 with another alpha 1.1.0, on a mirror. */
async function withCandidate(t: TestContext): Promise<ReleaseWorkspace> {
  const workspace = await createReleaseWorkspace(t);
  await workspace.json(['release']);
  await workspace.writeModel('alpha', { seed: 5 });
  await workspace.configure({ release: '1.1.0-rc.1', models: candidate });
  await workspace.json(['release']);
  return workspace;
}

const candidate = { alpha: modelConfig('alpha', '1.1.0', { changes: 'Retrained.' }), beta: modelConfig('beta') };

describe('the release after a prerelease', () => {
  it('tells users what changed since the release that they have, and that indices must be rebuilt', async (t) => {
    const workspace = await withCandidate(t);
    await workspace.configure({ release: '1.1.0', models: candidate });
    await workspace.json(['release']);
    const notes = await readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8');
    assert.match(notes, /Since models-v1\.0\.0: 1 model new or changed, 1 carried forward\./);
    assert.match(notes, /Indices built with alpha must be rebuilt/);
    assert.match(notes, /\| `alpha` \| 1\.1\.0 \|.*minor, was 1\.0\.0 \| \*\*changed: rebuild indices\*\*/);
    assert.match(
      notes,
      /## Changes since models-v1\.0\.0\n\n- \*\*alpha 1\.0\.0 → 1\.1\.0\*\*: Retrained\.\n {2}- changed: weights/,
    );
  });

  it('is signed by a key that users trust: one that only the prerelease announced is refused', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const key = (name: string) => newSigningKey(workspace.path(name));
    const [old, fresh] = [await key('old'), await key('fresh')];
    const release = async (version: string, keys: readonly string[], env: Readonly<Record<string, string>>) => {
      const former = keys.includes(old.publicKey) ? [] : [{ key: old.publicKey, last_release: '1.1.0-rc.1' }];
      await workspace.configure({ release: version, signing: { public_keys: keys, former_keys: former } });
      return workspace.run(['release'], { env });
    };
    assert.equal((await release('1.0.0', [old.publicKey], old.env)).exitCode, 0);
    assert.equal((await release('1.1.0-rc.1', [old.publicKey, fresh.publicKey], old.env)).exitCode, 0);
    const refused = await release('1.1.0', [fresh.publicKey], fresh.env);
    assert.equal(refused.exitCode, 6, refused.stderr);
    assert.match(refused.stderr, /not be by a key that models-v1\.0\.0 announced/);
  });

  it('made by yank says first what else it brings to users', async (t) => {
    const workspace = await withCandidate(t);
    const yank = ['yank', 'beta@1.0.0', '--reason', 'wrong', '--no-release'];
    const run = await workspace.run(yank);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stderr, /also has what isn't published yet: alpha 1\.1\.0/);
    assert.match(run.stdout, /with release 1\.1\.0;/);
  });

  it('made by yank is never a prerelease, of which no client would be told', async (t) => {
    const workspace = await withCandidate(t);
    await workspace.configure({ release: '1.1.0-rc.2', models: candidate });
    const run = await workspace.run(['yank', 'beta@1.0.0', '--reason', 'wrong', '--no-release']);
    assert.match(run.stdout, /with release 1\.1\.0;/, run.stderr);
  });
});

describe('a yanked version', () => {
  it('gives way to no prerelease of itself', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const next = async (release: string, version: string, changes: object = {}) => {
      await workspace.configure({
        release,
        models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', version) },
        ...changes,
      });
      await workspace.json(['release']);
    };
    await workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await next('1.1.0-rc.1', '1.1.0-rc.1');
    await workspace.writeModel('beta', { seed: 4, hidden: 16 });
    await next('1.1.0', '1.1.0');
    await rm(workspace.path('models/beta'), { recursive: true });
    await next('1.1.1', '1.1.0', { yanked: [{ model: 'beta', version: '1.1.0', reason: 'wrong' }] });
    const manifest = (await workspace.readJson('mirror/manifest.json')) as { models: { beta: { version: string } } };
    assert.equal(manifest.models.beta.version, '1.0.0');
  });
});
