import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

const alpha = modelConfig('alpha');

async function release(workspace: ReleaseWorkspace, changes: Readonly<Record<string, unknown>>): Promise<Manifest> {
  await workspace.configure(changes);
  await workspace.json(['release']);
  return (await workspace.readJson('mirror/manifest.json')) as Manifest;
}

describe('what was published once', () => {
  it('a model whose only version is yanked keeps no later release from being made', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const yanked = [{ model: 'beta', version: '1.0.0', reason: 'wrong' }];
    for (const version of ['1.0.1', '1.0.2', '1.0.3']) {
      const manifest = await release(workspace, { release: version, yanked });
      assert.deepEqual(Object.keys(manifest.models), ['alpha']);
    }
    const back = await release(workspace, { release: '1.0.4' });
    assert.equal(back.models.beta?.release, 'models-v1.0.0', 'no longer yanked, it is carried forward as it was');
  });

  it('release.json may go back to the version that a yank made the newest', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await release(workspace, { release: '1.1.0', models: { alpha, beta: modelConfig('beta', '1.1.0') } });
    await workspace.writeModel('beta', { seed: 2, hidden: 16 });
    const yanked = [{ model: 'beta', version: '1.1.0', reason: 'wrong' }];
    const manifest = await release(workspace, { release: '1.1.1', yanked });
    assert.equal(manifest.models.beta?.release, 'models-v1.0.0');
    assert.match(
      await readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8'),
      /`beta` \| 1\.0\.0 .* back from 1\.1\.0/,
    );
    await workspace.configure({ release: '1.1.2', yanked, models: { alpha, beta: modelConfig('beta', '1.0.5') } });
    const below = await workspace.run(['plan']);
    assert.equal(below.exitCode, 3);
    assert.match(below.stderr, /hint: Write 1\.1\.1 or higher\.$/m);
  });

  it('a model that was away in between comes back under its rules: the same content, or a higher version', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await release(workspace, { release: '1.1.0', models: { alpha } });
    await workspace.writeModel('beta', { seed: 9, hidden: 16 });
    await workspace.configure({ release: '1.2.0' });
    const changed = await workspace.run(['release']);
    assert.equal(changed.exitCode, 3, changed.stderr);
    assert.match(changed.stderr, /beta 1\.0\.0 is published, but model\.safetensors has other content/);
    await workspace.configure({ release: '1.2.0', models: { alpha, beta: modelConfig('beta', '0.9.0') } });
    assert.match((await workspace.run(['plan'])).stderr, /beta 1\.0\.0 is published already \(models-v1\.0\.0\)/);
    const raised = await release(workspace, {
      release: '1.2.0',
      models: { alpha, beta: modelConfig('beta', '1.1.0') },
    });
    assert.deepEqual(
      raised.models.beta?.published_versions?.map(({ version, release }) => ({ version, release })),
      [{ version: '1.0.0', release: 'models-v1.0.0' }],
    );
    const [published] = raised.models.beta?.published_versions ?? [];
    const bytes = await readFile(workspace.path('mirror/models-v1.0.0/manifest.json'));
    assert.equal(published?.manifest.size_bytes, bytes.length);
    assert.match(
      await readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8'),
      /- \*\*beta 1\.0\.0 → 1\.1\.0\*\* is offered again/,
    );
  });

  it('keeps its licence and score; that release.json says something else by now is told', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await release(workspace, { models: { alpha: modelConfig('alpha', '1.0.0', { quality_score: 80 }) } });
    await rm(workspace.path('models'), { recursive: true });
    await workspace.configure({
      release: '1.0.1',
      models: { alpha: modelConfig('alpha', '1.0.0', { quality_score: 90, license: 'MIT' }) },
    });
    const plan = await workspace.run(['plan']);
    assert.equal(plan.exitCode, 0, plan.stderr);
    assert.match(
      plan.stderr,
      /\$\.models\.alpha\.license: is "MIT", but alpha 1\.0\.0 was published with "Apache-2\.0"/,
    );
    assert.match(plan.stderr, /\$\.models\.alpha\.quality_score: is 90, but alpha 1\.0\.0 was published with 80/);
  });

  it('a release that would have expired on the day it is made is refused at once', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ signing: { expires_in_days: 30 } });
    const late = await workspace.run(['plan'], { env: { SOURCE_DATE_EPOCH: '1600000000' } });
    assert.equal(late.exitCode, 3, late.stdout);
    assert.match(late.stderr, /\$\.signing\.expires_in_days: the release would have expired already/);
    assert.equal((await workspace.run(['plan'])).exitCode, 0);
  });
});
