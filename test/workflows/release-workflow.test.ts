import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { tinyModelFiles } from '../fixtures/tiny-model.ts';
import { createModelRepository } from './model-repository.ts';
import { identityToken, type StepMoment, type WorkflowReport } from './run-workflow.ts';

/**
 * All kill points take minutes; without the variable, those after which something lasting has
 * happened, and one before.
 */
const everyStep = process.env.AIRCHER_TEST_EVERY_STEP === '1';
const verifyStep = 'verify / Download and hash every byte from every host';
const skip = process.platform === 'win32' && 'the release workflow runs on Linux';

/** Differs from the tiny model's in a way that its embed command doesn't look at. */
const sameNetwork = `${JSON.stringify({
  ...JSON.parse(tinyModelFiles().get('config.json')!.toString()),
  hidden_act: 'gelu_new',
})}\n`;

describe('the release workflow', { skip }, () => {
  it('as two packing jobs and a publishing job it makes the same bytes as one local release, and leaks no secret', async (t) => {
    const seen = 'check-environment.txt';
    // What it is given, and what it can read of the processes above it.
    const look = `{ env; tr '\\0' '\\n' < /proc/$PPID/environ; } >> ../${seen}`;
    const repository = await createModelRepository(t, { check: ['bash', '-c', look] });
    await repository.releaseLocally('local');
    const canaries = { MODELS_GITHUB_TOKEN: 'ghp_canaryOfGitHub', HF_TOKEN: 'hf_canaryOfTheHub' };
    const pieces: string[] = [];
    let checked = '';
    let bill: { specVersion?: string; components?: { name: string }[] } = {};
    const report = await repository.runWorkflow('ci', {
      secrets: { ...canaries, AIRCHER_GPG_PASSPHRASE: 'canaryOfGpg' },
      meddle: async ({ job, step, when, directory }) => {
        // What the check's machine hands on beside the proof is taken by nobody.
        if (job === 'prove' && step === 'actions/upload-artifact' && when === 'after')
          for (const name of ['plan.json', 'alpha.pack.json', 'alpha.tar.gz', 'aircher.mjs', 'manifest.json.asc'])
            await writeFile(join(directory, '../artifacts/proof-alpha', name), '{}');
        if (step === 'Pack' && when === 'after') pieces.push(...readdirSync(join(directory, 'release')));
        if (step === 'Bill of models' && when === 'after')
          bill = JSON.parse(await readFile(join(directory, 'release/models.cdx.json'), 'utf8'));
        if (step === 'Prove' && when === 'after') checked = await readFile(join(directory, '..', seen), 'utf8');
      },
    });
    assert.equal(report.jobs.release?.result, 'success', report.log);
    assert.equal(report.steps.at(-1), verifyStep);
    assert.deepEqual(await repository.mirror('ci'), await repository.mirror('local'));
    assert.equal(report.steps.filter((step) => step === 'pack / Pack').length, 2);
    assert.equal(pieces.filter((name) => name.endsWith('.tar.gz')).length, 2, 'each job packs its own models only');
    assert.deepEqual(
      [bill.specVersion, bill.components?.map(({ name }) => name)],
      ['1.6', ['alpha', 'beta']],
      'what is attested beside the provenance',
    );
    assert.match(report.summary, /## Plan of models-v1\.0\.0/);
    assert.match(report.summary, /## models-v1\.0\.0 is public[\s\S]*\| `alpha` \| 1\.0\.0 \|/);
    const secretLine = repository.signingKey.trim().split('\n')[1]!;
    assert.match(checked, /MODEL_NAME=alpha/);
    assert.match(checked, /GITHUB_OUTPUT=/, 'the environment of the command line was read too');
    for (const secret of [...Object.values(canaries), 'canaryOfGpg', secretLine, identityToken]) {
      assert.ok(!(report.log + report.summary + checked).includes(secret), secret);
    }
  });

  it('killed after a step, or in the middle of publishing, and started again from fresh clones it finishes the same release', async (t) => {
    const repository = await createModelRepository(t);
    await repository.releaseLocally('local');
    const expected = await repository.mirror('local');
    // Steps of several jobs may have one name: the first packing job's alone is meant here.
    const points = everyStep
      ? (await repository.runWorkflow('whole')).steps
      : ['pack / actions/upload-artifact', 'release / Publish'];
    for (const [number, step] of [...new Set(points)].entries()) {
      const mirror = `killed-${number}`;
      const killed = await repository.runWorkflow(mirror, {
        stop: (moment: StepMoment) => moment.when === 'after' && `${moment.job} / ${moment.step}` === step,
      });
      assert.equal(killed.stopped, true);
      const again = await repository.runWorkflow(mirror);
      assert.equal(again.jobs.release?.result, 'success', again.log);
      assert.deepEqual(await repository.mirror(mirror), expected, `killed after ${step}`);
    }

    const begun = () => readdirSync(repository.mirrorPath('torn'), { recursive: true }).length > 1;
    const torn = await repository.runWorkflow('torn', { kill: ({ step }) => step === 'Publish' && begun() });
    assert.equal(torn.stopped, true);
    const mended = await repository.runWorkflow('torn');
    assert.equal(mended.jobs.release?.result, 'success', mended.log);
    const names = Object.entries(await repository.mirror('torn')).filter(([path]) => !path.includes('.tmp-'));
    assert.deepEqual(Object.fromEntries(names), expected);
  });

  it('a missing or foreign piece handed over is an error that names it; running the failed job again publishes', async (t) => {
    const repository = await createModelRepository(t);
    const cases: readonly { step: string; meddle: (release: string) => Promise<void>; said: RegExp }[] = [
      {
        step: 'Manifest',
        meddle: (release) => rm(join(release, 'beta.pack.json')),
        said: /beta\.pack\.json is not there: beta is not packed/,
      },
      {
        step: 'Manifest',
        meddle: (release) => cp(join(release, 'alpha.pack.json'), join(release, 'beta.pack.json')),
        said: /beta\.pack\.json is of alpha 1\.0\.0, the plan wants beta 1\.0\.0/,
      },
      {
        step: 'Manifest',
        meddle: (release) => writeFile(join(release, 'plan.json'), '{}'),
        said: /plan\.json is not a plan/,
      },
      {
        step: 'Validate',
        meddle: (release) => cp(join(release, 'beta.tar.gz'), join(release, 'alpha.tar.gz')),
        said: /alpha\.tar\.gz: is not what the manifest says/,
      },
      {
        step: 'Validate',
        meddle: (release) => writeFile(join(release, 'alpha.tar.gz.index.json'), '{}'),
        said: /alpha\.tar\.gz\.index\.json: is not what/,
      },
    ];
    let report: WorkflowReport | undefined;
    for (const { meddle, step: failing, said } of cases) {
      report = await repository.runWorkflow('pieces', {
        ...(report ? { rerun: report } : {}),
        meddle: async ({ step, when, directory }) => {
          if (step === 'Manifest' && when === 'before') await meddle(join(directory, 'release'));
        },
      });
      assert.equal(report.jobs.release?.result, 'failure');
      assert.equal(report.steps.at(-1), `release / ${failing}`, report.log);
      assert.match(report.log, said);
      assert.match(report.log, /^::error/m);
      assert.equal(report.jobs.verify?.result, 'skipped');
    }
    assert.deepEqual(await repository.mirror('pieces'), {});
    const again = await repository.runWorkflow('pieces', { ...(report ? { rerun: report } : {}) });
    assert.equal(again.jobs.release?.outputs.state, 'public', again.log);
    assert.ok(!again.steps.includes('pack / Pack'), 'what was packed is used again');
  });

  it('a check that replaces what was packed, or the plan, reaches no signature', async (t) => {
    const repository = await createModelRepository(t);
    for (const [artifact, name, key] of [
      ['packed-alpha', 'alpha.pack.json', '"sha256": "'],
      ['plan', 'plan.json', '"reason": "'],
    ] as const) {
      const report = await repository.runWorkflow('replaced', {
        meddle: async ({ job, step, when, directory }) => {
          if (job !== 'prove' || step !== 'Prove' || when !== 'after') return;
          const path = join(directory, '../artifacts', artifact, name);
          await writeFile(path, (await readFile(path, 'utf8')).replaceAll(key, `${key}0`));
        },
      });
      assert.equal(report.jobs.release?.result, 'failure', report.log);
      assert.equal(report.steps.at(-1), 'release / What arrived is what was packed');
      assert.match(report.log, /^::error::plan\.json or a pack record changed after it was packed/m);
    }
    assert.deepEqual(await repository.mirror('replaced'), {});
  });

  it('vectors go from the proving job to the release, and into its next version what they are measured by', async (t) => {
    const mirror = { base_url: 'http://127.0.0.1:9', directory: '../mirror', probe: false };
    const reference = { command: ['node', 'embed.mjs'] };
    const models = (version: string, changes: object = {}) => ({
      alpha: modelConfig('alpha', version, { reference, ...changes }),
      beta: modelConfig('beta'),
    });
    const repository = await createModelRepository(t, { models: models('1.0.0') });
    const { workspace } = repository;
    await cp(new URL('../fixtures/embed-command.mjs', import.meta.url), workspace.path('embed.mjs'));
    await repository.commit();
    await repository.releaseLocally('local');
    const hostile = await repository.runWorkflow('vectors', {
      meddle: async ({ job, step, when, directory }) => {
        if (job !== 'prove' || step !== 'actions/upload-artifact' || when !== 'after') return;
        const path = join(directory, '../artifacts/proof-alpha/alpha.vectors.json');
        await writeFile(path, (await readFile(path, 'utf8')).replace('"model": "alpha"', '"model": "gamma"'));
      },
    });
    assert.equal(hostile.steps.at(-1), 'release / Manifest', hostile.log);
    assert.match(hostile.log, /alpha\.vectors\.json is not of alpha 1\.0\.0 as it is packed and to be proved now/);
    const report = await repository.runWorkflow('vectors');
    assert.equal(report.jobs.release?.result, 'success', report.log);
    assert.deepEqual(await repository.mirror('vectors'), await repository.mirror('local'));

    const { signing } = (await workspace.readJson('manifests/release.json')) as { signing: object };
    await workspace.writeModel('alpha', { seed: 1, dtype: 'F16' });
    await workspace.configure({ release: '1.1.0', mirror, signing, models: models('1.1.0', { keep_space: true }) });
    await repository.commit();
    const refused = await repository.runWorkflow('vectors');
    assert.equal(refused.steps.at(-1), 'prove / Prove', refused.log);
    assert.match(refused.log, /the space of alpha 1\.0\.0 can't be kept: over 24 texts/);
    await workspace.writeModel('alpha', { seed: 1, files: { 'config.json': sameNetwork } });
    await repository.commit();
    const kept = await repository.runWorkflow('vectors');
    assert.equal(kept.jobs.release?.result, 'success', kept.log);
    const manifest = await readFile(repository.mirrorPath('vectors', 'manifest.json'), 'utf8');
    assert.match(manifest, /"space_evidence": \{\s+"origin": \{\s+"version": "1\.0\.0"/);
  });

  it('with nothing to pack, the packing jobs are skipped and the release goes on', async (t) => {
    const repository = await createModelRepository(t);
    await repository.releaseLocally('carried');
    const { signing } = (await repository.workspace.readJson('manifests/release.json')) as { signing: object };
    await repository.workspace.configure({
      release: '1.0.1',
      mirror: { base_url: 'http://127.0.0.1:9', directory: '../mirror', probe: false },
      signing,
    });
    await repository.commit();
    const report = await repository.runWorkflow('carried');
    for (const job of ['pack', 'digests', 'prove']) assert.equal(report.jobs[job]?.result, 'skipped', report.log);
    assert.ok(report.steps.includes('plan / Check that what is carried forward did not change'));
    assert.equal(report.jobs.release?.outputs.state, 'public', report.log);
    assert.equal(report.steps.at(-1), verifyStep);
  });

  it('what is carried forward under an unchanged version must not have changed', async (t) => {
    const repository = await createModelRepository(t);
    await repository.releaseLocally('changed');
    await repository.workspace.writeModel('alpha', { seed: 9 });
    const { signing } = (await repository.workspace.readJson('manifests/release.json')) as { signing: object };
    await repository.workspace.configure({
      release: '1.0.1',
      mirror: { base_url: 'http://127.0.0.1:9', directory: '../mirror', probe: false },
      signing,
      models: { alpha: modelConfig('alpha'), beta: modelConfig('beta') },
    });
    await repository.commit();
    const report = await repository.runWorkflow('changed');
    assert.equal(report.jobs.plan?.result, 'failure');
    assert.match(report.log, /alpha 1\.0\.0 is published, but model\.safetensors has other content/);
    assert.match(report.log, /^::error file=manifests\/release\.json,line=\d+::/m);
    assert.equal(report.jobs.release?.result, 'skipped');
  });

  it('a dry run does everything but the uploads', async (t) => {
    const repository = await createModelRepository(t);
    const report = await repository.runWorkflow('dry', { inputs: { 'dry-run': true } });
    assert.equal(report.jobs.release?.result, 'success', report.log);
    assert.equal(report.steps.at(-1), 'release / Say what would be published');
    assert.match(report.log, /alpha\.tar\.gz/);
    assert.equal(report.jobs.verify?.result, 'skipped');
    assert.deepEqual(await repository.mirror('dry'), {});
  });
});
