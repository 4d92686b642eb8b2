import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { type Manifest, parseManifest } from '../../src/contract/manifest.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

async function published(workspace: ReleaseWorkspace): Promise<Manifest> {
  return parseManifest(await readFile(workspace.path('mirror/manifest.json')), 'mirror/manifest.json');
}

async function releaseNext(workspace: ReleaseWorkspace, changes: Readonly<Record<string, unknown>>): Promise<Manifest> {
  await rm(workspace.path('release'), { recursive: true, force: true });
  await workspace.configure(changes);
  await workspace.json(['release']);
  return published(workspace);
}

describe('carried-forward models', () => {
  it('an unchanged model keeps its entry and old addresses, and nothing of it is packed', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const first = await published(workspace);
    await workspace.writeModel('beta', { seed: 3, hidden: 16 });
    const second = await releaseNext(workspace, {
      release: '1.1.0',
      models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', '1.1.0') },
    });
    assert.deepEqual(second.models.alpha, first.models.alpha);
    assert.equal(second.models.beta?.release, 'models-v1.1.0');
    assert.deepEqual(
      (await readdir(workspace.path('mirror/models-v1.1.0'))).filter((name) => name.startsWith('alpha')),
      [],
    );
    assert.deepEqual(
      second.models.beta?.published_versions?.map(({ version, release }) => ({ version, release })),
      [{ version: '1.0.0', release: 'models-v1.0.0' }],
    );
  });

  it('its source may be absent, and changed content under its version is an error', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await workspace.configure({ release: '1.0.1' });
    await writeFile(workspace.path('models/alpha/README.md'), '---\nlicense: apache-2.0\n---\nOther words.\n');
    const refused = await workspace.run(['release']);
    assert.equal(refused.exitCode, 3, refused.stderr);
    assert.match(refused.stderr, /alpha 1\.0\.0 is published, but README\.md has/);
    assert.match(refused.stderr, /Write a new version/);
    await rm(workspace.path('models'), { recursive: true });
    await workspace.json(['release']);
    assert.equal((await published(workspace)).release, 'models-v1.0.1');
  });

  it('a release of carried-forward models only is valid, and says so', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const manifest = await releaseNext(workspace, { release: '1.0.1' });
    assert.deepEqual(
      Object.values(manifest.models).map((model) => model.release),
      ['models-v1.0.0', 'models-v1.0.0'],
    );
    assert.match(
      await readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8'),
      /0 models new or changed, 2 carried forward/,
    );
    const checksums = await readFile(workspace.path('release/checksums.sha256'), 'utf8');
    assert.deepEqual(
      checksums
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(66)),
      ['aircher.mjs', 'manifest.json'],
    );
  });

  it('two releases from fresh clones, nothing committed between them, carry forward and hold the version rules', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await rm(workspace.path('manifests/published'), { recursive: true });
    const manifest = await releaseNext(workspace, { release: '1.0.1' });
    assert.equal(manifest.models.alpha?.release, 'models-v1.0.0');
    await rm(workspace.path('manifests/published'), { recursive: true });
    await workspace.configure({ release: '1.0.0' });
    assert.match((await workspace.run(['plan'])).stderr, /goes back: models-v1\.0\.1 is published already/);
  });

  it('with --offline the copies in manifests/published stand in for the hosts', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await rm(workspace.path('mirror'), { recursive: true });
    await workspace.configure({ release: '1.0.1' });
    const plan = (await workspace.json(['plan', '--offline'])) as {
      base: { tag: string };
      models: { action: string }[];
    };
    assert.equal(plan.base.tag, 'models-v1.0.0');
    assert.deepEqual(
      plan.models.map((model) => model.action),
      ['carry', 'carry'],
    );
  });

  it('a target added later gets the unchanged model under its old version, with the same file digests', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const first = await published(workspace);
    await workspace.configure({
      release: '1.0.1',
      mirror: { base_url: 'http://127.0.0.1:9/moved', directory: 'mirror', probe: false },
    });
    await workspace.json(['release']);
    const second = await published(workspace);
    assert.equal(second.models.alpha?.version, '1.0.0');
    assert.equal(second.models.alpha?.release, 'models-v1.0.1');
    assert.deepEqual(second.models.alpha?.files, first.models.alpha?.files);
    await workspace.writeModel('alpha', { seed: 9 });
    await workspace.configure({
      release: '1.0.2',
      mirror: { base_url: 'http://127.0.0.1:9/again', directory: 'mirror', probe: false },
    });
    const refused = await workspace.run(['release']);
    assert.equal(refused.exitCode, 3);
    assert.match(refused.stderr, /alpha.*published with other content/);
  });

  it('a yanked newest version gives way to the newest good one, whose entry comes back', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const first = await published(workspace);
    await workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await releaseNext(workspace, {
      release: '1.1.0',
      models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', '1.1.0') },
    });
    const yanked = await releaseNext(workspace, {
      release: '1.1.1',
      models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', '1.1.0') },
      yanked: [{ model: 'beta', version: '1.1.0', reason: 'wrong pooling' }],
    });
    assert.equal(yanked.models.beta?.version, '1.0.0');
    assert.equal(yanked.models.beta?.sha256, first.models.beta?.sha256);
    assert.deepEqual(
      yanked.models.beta?.published_versions?.map(({ version }) => version),
      ['1.1.0'],
    );
    assert.deepEqual(yanked.yanked, [{ model: 'beta', version: '1.1.0', reason: 'wrong pooling' }]);
    assert.match(await readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8'), /beta 1\.1\.0\*\*: wrong pooling/);
    const next = await releaseNext(workspace, {
      release: '1.1.2',
      models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', '1.1.1') },
      yanked: [{ model: 'beta', version: '1.1.0', reason: 'wrong pooling' }],
    });
    assert.deepEqual(
      next.models.beta?.published_versions?.map(({ version }) => version),
      ['1.1.0', '1.0.0'],
    );
  });
});
