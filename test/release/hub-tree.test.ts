import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { runRelease } from '../../src/release/pipeline.ts';
import { createPublishScene, modelsAt, type PublishScene, repository } from './publish-scene.ts';

async function release(scene: PublishScene, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await scene.configure(changes);
  const { loaded, targets, workspace } = await scene.inside();
  await runRelease(loaded, targets, workspace);
}

async function read(scene: PublishScene, revision: string, path: string): Promise<Buffer> {
  const answer = await fetch(`${scene.hub.url}/${repository}/resolve/${revision}/${path}`);
  assert.equal(answer.status, 200, `${revision} ${path}`);
  return Buffer.from(await answer.arrayBuffer());
}

/**
 * Every file of a model that the revision's own manifest promises, at the places where Hub
 * libraries look.
 */
async function requireManifestsFiles(scene: PublishScene, revision: string, model: string): Promise<void> {
  const manifest = JSON.parse((await read(scene, revision, 'manifest.json')).toString()) as Manifest;
  const entry = manifest.models[model]!;
  assert.equal(sha256(await read(scene, revision, `${model}.tar.gz`)), entry.sha256);
  for (const file of entry.files ?? []) {
    assert.equal(sha256(await read(scene, revision, `${model}/${file.path}`)), file.sha256, `${revision} ${file.path}`);
  }
  const weights = entry.files?.find(({ path }) => path === 'model.safetensors');
  assert.equal(sha256(await read(scene, revision, `${model}.safetensors`)), weights?.sha256);
}

describe("the Hub's tree holds the versions that its manifest names", () => {
  it('after a yank: the withdrawn weights give way to the good ones, and nothing large is sent again', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16, files: { 'only-in-1.1.0.txt': 'x' } });
    await release(scene, { release: '1.1.0', models: modelsAt('1.1.0') });
    scene.clearLogs();
    const yanked = [{ model: 'beta', version: '1.1.0', reason: 'wrong weights' }];
    await release(scene, { release: '1.1.1', models: modelsAt('1.1.0'), yanked });
    assert.deepEqual(
      scene.writes().filter((line) => /^PUT|lfs/.test(line)),
      [],
    );
    for (const revision of ['models-v1.1.1', 'main']) {
      await requireManifestsFiles(scene, revision, 'beta');
      await requireManifestsFiles(scene, revision, 'alpha');
      const gone = await fetch(`${scene.hub.url}/${repository}/resolve/${revision}/beta/only-in-1.1.0.txt`);
      assert.equal(gone.status, 404);
    }
    await requireManifestsFiles(scene, 'models-v1.1.0', 'beta');
  });

  it('after a prerelease: the release that carries its models forward has them on main', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await release(scene, { release: '1.1.0-rc.1', models: modelsAt('1.1.0') });
    await requireManifestsFiles(scene, 'main', 'beta');
    await release(scene, { release: '1.1.0', models: modelsAt('1.1.0') });
    for (const revision of ['models-v1.1.0', 'main']) await requireManifestsFiles(scene, revision, 'beta');
  });
});
