import assert from 'node:assert/strict';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createModelRepository } from './model-repository.ts';

const skip = process.platform === 'win32' && 'the workflows run on Linux';
const drift = { workflow: '.github/workflows/drift.yml' };

describe('the weekly workflow', { skip }, () => {
  it('passes while nothing was ever published, and only then', async (t) => {
    const repository = await createModelRepository(t);
    const before = await repository.runWorkflow('host', drift);
    assert.equal(before.jobs.verify?.result, 'success', before.log);
    assert.match(before.log, /Nothing is published yet/);

    await repository.releaseLocally('host');
    const whole = await repository.runWorkflow('host', drift);
    assert.equal(whole.jobs.verify?.result, 'success', whole.log);
    assert.match(whole.log, /models-v1\.0\.0 is whole/);
    const { workspace } = repository;
    await mkdir(workspace.path('manifests/published'), { recursive: true });
    for (const [name, copy] of [
      ['manifest.json', 'models-v1.0.0.json'],
      ['manifest.json.minisig', 'models-v1.0.0.json.minisig'],
    ] as const)
      await cp(repository.mirrorPath('host', 'models-v1.0.0', name), workspace.path('manifests/published', copy));
    await rm(repository.mirrorPath('host', 'models-v1.0.0', 'alpha.tar.gz'));
    const torn = await repository.runWorkflow('host', drift);
    assert.equal(torn.jobs.verify?.result, 'failure', torn.log);

    await repository.commit();
    const lost = await repository.runWorkflow('empty host', drift);
    assert.equal(lost.jobs.verify?.result, 'failure', lost.log);
    assert.doesNotMatch(lost.log, /Nothing is published yet/);
  });
});

describe('the workflow for pull requests', { skip }, () => {
  const check = { workflow: '.github/workflows/check-models.yml', github: { event: {} } };

  it('validates, plans and rehearses without a secret, and fails where the release would', async (t) => {
    const repository = await createModelRepository(t);
    const secrets = { HF_TOKEN: 'hf_canaryOfTheHub', MODELS_GITHUB_TOKEN: 'ghp_canaryOfGitHub' };
    const good = await repository.runWorkflow('host', { ...check, secrets });
    assert.equal(good.jobs.check?.result, 'success', good.log);
    assert.deepEqual(good.steps.slice(-3), ['check / Validate', 'check / Plan', 'check / Rehearse']);
    assert.deepEqual(await repository.mirror('host'), {}, 'nothing is uploaded');

    const { workspace } = repository;
    const config = (await workspace.readJson('manifests/release.json')) as object;
    await writeFile(workspace.path('manifests/release.json'), JSON.stringify({ ...config, check: ['false'] }));
    await repository.commit();
    const bad = await repository.runWorkflow('host', { ...check, secrets });
    assert.equal(bad.jobs.check?.result, 'failure');
    assert.match(bad.log, /the check of alpha 1\.0\.0 failed/);
  });
});
