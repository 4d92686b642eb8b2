import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { formatManifest, parseManifest } from '../../src/contract/manifest.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { createModelRepository } from './model-repository.ts';

describe('the release workflow, where somebody else has written to the host', {
  skip: process.platform === 'win32' && 'the release workflow runs on Linux',
}, () => {
  it('signs nothing of theirs, in a job of fresh clones without any local record: the next release is built on the signed one', async (t) => {
    const repository = await createModelRepository(t);
    const first = await repository.runWorkflow('host');
    assert.equal(first.jobs.release?.outputs.state, 'public', first.log);
    const manifestAt = async (tag: string) =>
      parseManifest(await readFile(repository.mirrorPath('host', tag, 'manifest.json')), tag);
    const honest = await manifestAt('models-v1.0.0');

    const evil = { ...honest.models.alpha!, sha256: 'e'.repeat(64), size_bytes: 666 };
    const forged = { ...honest, release: 'models-v1.0.1', models: { ...honest.models, alpha: evil } };
    await mkdir(repository.mirrorPath('host', 'models-v1.0.1'));
    await writeFile(repository.mirrorPath('host', 'models-v1.0.1', 'manifest.json'), formatManifest(forged));

    const { workspace } = repository;
    await workspace.writeModel('beta', { seed: 3, hidden: 16 });
    const config = JSON.parse(await readFile(workspace.path('manifests/release.json'), 'utf8'));
    const models = { ...config.models, beta: modelConfig('beta', '1.1.0') };
    await writeFile(workspace.path('manifests/release.json'), JSON.stringify({ ...config, release: '1.1.0', models }));
    await repository.commit();
    const second = await repository.runWorkflow('host');
    assert.equal(second.jobs.release?.outputs.state, 'public', second.log);
    const released = await manifestAt('models-v1.1.0');
    assert.deepEqual(released.models.alpha, honest.models.alpha);
    assert.ok(!JSON.stringify(released).includes('e'.repeat(64)));
    assert.match(second.log, /models-v1\.0\.1: its manifest\.json is not signed; it counts for nothing/);
  });
});
