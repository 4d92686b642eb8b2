import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { createPublishScene, type PublishScene } from './publish-scene.ts';
import { embed } from './vectors-scene.ts';

/** All three hosts, and a command whose vectors differ in the last bits from run to run. */
async function noisyScene(t: TestContext, changes: object = {}): Promise<PublishScene> {
  const scene = await createPublishScene(t);
  const reference = { command: embed('noise', '1e-7') };
  await scene.configure({ models: { alpha: modelConfig('alpha', '1.0.0', { reference, ...changes }) } });
  return scene;
}

async function run(scene: PublishScene, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await scene.start(args);
  assert.equal(exitCode, 0, String(stderr));
  return `${stdout}${stderr}`;
}

const vectorsIn = (scene: PublishScene, directory: string): Promise<Buffer> =>
  readFile(scene.workspace.path(directory, 'alpha.vectors.json'));

const steps = ['plan', 'pack', 'prove', 'manifest', 'checksums', 'notes', 'sign'];

describe('a release that was interrupted after vectors were uploaded', () => {
  for (const host of ['github', 'huggingface', 'mirror']) {
    it(`is finished by another machine with the vectors that ${host} has`, async (t) => {
      const scene = await noisyScene(t);
      for (const step of steps) await run(scene, step, '--out', 'first');
      await run(scene, 'publish', '--target', host, '--out', 'first');
      const said = await run(scene, 'release', '--out', 'second');
      assert.match(said, /alpha: the reference vectors are those that .* has already/);
      const first = await vectorsIn(scene, 'first');
      assert.deepEqual(await vectorsIn(scene, 'second'), first);
      for (const document of ['manifest.json', 'checksums.sha256']) {
        const [a, b] = await Promise.all(
          ['first', 'second'].map((out) => readFile(scene.workspace.path(out, document))),
        );
        assert.deepEqual(a, b, document);
      }
      assert.match(await run(scene, 'verify', 'models-v1.0.0', '--deep'), /models-v1\.0\.0/);

      // Public now: a third one finds everything done.
      scene.clearLogs();
      await run(scene, 'release', '--out', 'third');
      assert.deepEqual(await vectorsIn(scene, 'third'), first);
      assert.deepEqual(scene.writes(), []);
    });
  }

  it('takes vectors of nothing else: of another archive, or beyond the tolerance', async (t) => {
    const scene = await noisyScene(t);
    for (const step of steps) await run(scene, step, '--out', 'first');
    await run(scene, 'publish', '--target', 'github', '--out', 'first');
    await scene.workspace.writeModel('alpha', { seed: 5 });
    const said = await run(scene, 'release', '--out', 'second');
    assert.doesNotMatch(said, /the reference vectors are those/);
    const own = await vectorsIn(scene, 'second');
    const manifest = (await scene.workspace.readJson('second/manifest.json')) as Manifest;
    assert.equal(manifest.models.alpha?.reference?.sha256, sha256(own));
    assert.notDeepEqual(own, await vectorsIn(scene, 'first'));
    await run(scene, 'verify', 'models-v1.0.0', '--deep');
  });

  it('brings the vectors of its last version from any host', async (t) => {
    const scene = await noisyScene(t);
    await run(scene, 'release');
    await scene.workspace.writeModel('alpha', {
      seed: 1,
      files: { 'README.md': '---\nlicense: apache-2.0\n---\nNew.\n' },
    });
    const reference = { command: embed('noise', '1e-7') };
    await scene.configure({ release: '1.0.1', models: { alpha: modelConfig('alpha', '1.0.1', { reference }) } });
    await run(scene, 'release', '--out', 'second');
    const notes = await readFile(scene.workspace.path('second/RELEASE_NOTES.md'), 'utf8');
    assert.match(notes, /largest distance of vectors from those of 1\.0\.0, over 24 texts: model\.safetensors \d/);
  });
});
