import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

async function refused(workspace: ReleaseWorkspace, changes: Readonly<Record<string, unknown>>): Promise<string> {
  await workspace.configure(changes);
  const result = await workspace.run(['release']);
  assert.equal(result.exitCode, 3, result.stderr);
  return result.stderr;
}

describe('version rules, against what is published', () => {
  it('a release or a model never goes back', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ release: '1.2.0', models: { alpha: modelConfig('alpha', '2.0.0') } });
    await workspace.json(['release']);
    assert.match(
      await refused(workspace, { release: '1.1.0' }),
      /\$\.release: goes back: models-v1\.2\.0.*\n.*Write 1\.2\.1/,
    );
    assert.match(
      await refused(workspace, { release: '1.3.0', models: { alpha: modelConfig('alpha', '1.9.0') } }),
      /\$\.models\.alpha\.version: goes back: alpha 2\.0\.0.*\n.*Write 2\.0\.1/,
    );
  });

  it('where the release goes back, models that go back and sources that are missing are told in the same run', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ release: '1.2.0', models: { alpha: modelConfig('alpha', '2.0.0') } });
    await workspace.json(['release']);
    const models = { alpha: modelConfig('alpha', '1.9.0'), gone: modelConfig('gone') };
    const stderr = await refused(workspace, { release: '1.1.0', models });
    assert.match(stderr, /3 problems/);
    for (const place of [
      '$.release: goes back',
      '$.models.alpha.version: goes back',
      '$.models.gone.source.directory',
    ]) {
      assert.ok(stderr.includes(place), stderr);
    }
  });

  it('retrained weights need a minor version, other dimensions a major one, a new README a patch', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    const next = (version: string) => ({
      release: '1.1.0',
      models: { alpha: modelConfig('alpha', version), beta: modelConfig('beta') },
    });
    await workspace.writeModel('alpha', { seed: 1, retrained: { 1: 7 } });
    assert.match(await refused(workspace, next('1.0.1')), /weights[\s\S]*1\.1\.0/);
    await workspace.writeModel('alpha', { seed: 1, hidden: 64 });
    assert.match(await refused(workspace, next('1.1.0')), /layout[\s\S]*2\.0\.0/);
    await workspace.writeModel('alpha', {
      seed: 1,
      files: { 'README.md': '---\nlicense: apache-2.0\n---\nNew words.\n' },
    });
    await workspace.configure(next('1.0.1'));
    await workspace.json(['release']);
  });

  it('a model that was only saved again needs a patch, and keeps the space', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const spaces = async () => {
      const { models } = (await workspace.readJson('release/manifest.json')) as Manifest;
      return models.alpha?.embedding?.space;
    };
    await workspace.json(['release']);
    const before = await spaces();
    for (const file of ['model.safetensors', 'vocab.txt']) await rm(workspace.path(`models/alpha/${file}`));
    await workspace.writeModel('alpha', { seed: 1, shards: 3, files: { 'vocab.txt': undefined } });
    await workspace.configure({
      release: '1.1.0',
      models: { alpha: modelConfig('alpha', '1.0.1'), beta: modelConfig('beta') },
    });
    await workspace.json(['release']);
    assert.equal(await spaces(), before);
  });
});
