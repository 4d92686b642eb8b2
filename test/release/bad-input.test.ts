import assert from 'node:assert/strict';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createReleaseWorkspace, modelConfig } from '../fixtures/release-workspace.ts';

/** A command that must fail with this code, and say all of this. */
async function fails(
  result: Promise<{ exitCode: number | undefined; stderr: string; stdout: string }>,
  exitCode: number,
  ...said: readonly RegExp[]
): Promise<void> {
  const { exitCode: found, stderr, stdout } = await result;
  assert.equal(found, exitCode, stderr + stdout);
  for (const pattern of said) assert.match(stderr, pattern);
  assert.doesNotMatch(stderr, /^\s+at /m, 'no stack trace');
}

describe('bad input', () => {
  it('every problem of release.json is told in one run, with its JSON path and a remedy', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({
      release: '1.0',
      namspace: 'x',
      models: {
        alpha: modelConfig('alpha', '1.0', { quality_score: 101, license: 'Apache 2', versoin: 1 }),
        'b.json': { ...modelConfig('beta'), license: 7 },
      },
    });
    await fails(
      workspace.run(['plan']),
      3,
      /\$\.release must be|\$\.release: must be a semantic version/,
      /\$\.namspace: unknown key "namspace"\n\s+hint: Did you mean "namespace"\?/,
      /\$\.models\.alpha\.version: must be a semantic version/,
      /\$\.models\.alpha\.quality_score: must be from 0 to 100/,
      /\$\.models\.alpha\.license: must be an SPDX/,
      /\$\.models\.alpha\.versoin: unknown key "versoin"\n\s+hint: Did you mean "version"\?/,
      /\$\.models\["b\.json"\]: "b\.json" ends like an artifact/,
      /\$\.models\["b\.json"\]\.license: must be a string/,
    );
  });

  it('a tag that git refuses is told before anything is made, not by the host at the end', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const [prefix, release, says] of [
      ['-v', '1.0.0', /\$\.tag_prefix: makes the tag -v1\.0\.0, which begins with a dot or a dash/],
      ['models..', '1.0.0', /two dots in a row/],
      ['models-v', '1.0.0-a.lock', /ends with \.lock/],
      ['m'.repeat(200), '1.0.0', /longer than 200/],
    ] as const) {
      await workspace.configure({ tag_prefix: prefix, release });
      await fails(workspace.run(['plan']), 3, says);
    }
    await workspace.configure({ tag_prefix: '' });
    await fails(workspace.run(['plan']), 0);
  });

  it('a missing release.json, a model that is not in it and an unknown option are wrong usage', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await fails(workspace.run(['plan', '--config', 'none.json']), 2, /none\.json is not there/, /init/);
    await fails(workspace.run(['plan', '--model', 'alhpa']), 2, /Did you mean alpha\?/);
    await fails(workspace.run(['plan', '--otu', 'x']), 2, /Did you mean --out\?/);
    await fails(workspace.run(['pakc']), 2, /Did you mean pack\?/);
    await workspace.configure({ models: { a: modelConfig('alpha') } });
    await fails(workspace.run(['plan', '--model', 'zz']), 2, /See `aircher-models plan` for the models/);
  });

  it('release.json that is no JSON, or names a key twice, is refused with the line', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await writeFile(workspace.path('manifests/release.json'), '{\n "release": "1.0.0",\n "release": "1.0.1"\n}');
    await fails(workspace.run(['plan']), 3, /release\.json:3: the key "release" stands twice/);
    await writeFile(workspace.path('manifests/release.json'), '{\n "release" "1.0.0" }');
    await fails(workspace.run(['plan']), 3, /line 2/);
  });

  it('missing source directories are all named, with the place where they were looked for', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await rm(workspace.path('models'), { recursive: true });
    await fails(
      workspace.run(['plan']),
      3,
      /models\/alpha of alpha is not there/,
      /models\/beta of beta is not there/,
      /2 problems/,
    );
  });

  it('links, weights that are Git LFS pointers, and files no one can read stop the release', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await symlink('config.json', workspace.path('models/alpha/linked.json'));
    await fails(workspace.run(['plan']), 3, /linked\.json.*link/);
    await rm(workspace.path('models/alpha/linked.json'));
    await writeFile(
      workspace.path('models/alpha/model.safetensors'),
      `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 90868376\n`,
    );
    await workspace.run(['plan']);
    await fails(workspace.run(['stage']), 3, /LFS pointer/, /git lfs pull/);
    await fails(workspace.run(['pack']), 3, /LFS pointer/);
  });

  it('configs, tokenizers and headers made to exhaust their reader are refused, by their place, without a stack trace', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const header = `{"a": [${'[],'.repeat(2_000_000)}[]]}`;
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const hostile: readonly (readonly [string, string | Buffer, RegExp])[] = [
      ['config.json', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, /nested more than 64 deep/],
      ['tokenizer.json', `{"model": [${'0,'.repeat(5_000_000)}0]}`, /has 50000\d\d values/],
      ['1_Pooling/config.json', `{"x": "${'x'.repeat(5_000_000)}"}`, /more than the limit of 4194304/],
      [
        'modules.json',
        JSON.stringify(Array.from({ length: 20_000 }, () => ({ type: 'a.B', path: '' }))),
        /more than 100/,
      ],
      ['model.safetensors', Buffer.concat([length, Buffer.from(header)]), /more than 2000000 values/],
    ];
    for (const [path, content] of hostile) await writeFile(workspace.path('models/alpha', path), content);
    await workspace.run(['plan']);
    const places = hostile.map(([path, , fault]) => new RegExp(`${path}.*: .*${fault.source}`));
    await fails(workspace.run(['stage']), 3, ...places);
  });

  it('a file that exclude names stops nothing: a pickle that is no copy, a script, results that are no JSON', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await writeFile(workspace.path('models/alpha/model_head.pkl'), 'x');
    await writeFile(workspace.path('models/alpha/train_script.py'), '');
    await writeFile(workspace.path('models/alpha/trainer_state.json'), '{"loss": NaN}');
    await fails(workspace.run(['plan']), 3, /model_head\.pkl.*lost without it: the classifier/);
    const models = { alpha: modelConfig('alpha', '1.0.0', { exclude: ['*.pkl', '*.py'] }), beta: modelConfig('beta') };
    await workspace.configure({ models });
    await fails(workspace.run(['plan']), 0);
    await fails(workspace.run(['stage']), 0, /warning: .*trainer_state\.json: is not valid JSON/);
  });

  it('a warning that two steps have is told once, at a path below the working directory', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await writeFile(workspace.path('models/alpha/pytorch_model.bin'), 'x');
    const { exitCode, stderr } = await workspace.run(['release', '--dry-run']);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(
      stderr.split('\n').filter((line) => line.includes('is a pickle')),
      ['warning: models/alpha/pytorch_model.bin: is a pickle and is left out: the safetensors beside it are released'],
    );
  });

  it('a file that may not be read is named', {
    skip: (process.platform === 'win32' || process.getuid?.() === 0) && 'everything can be read here',
  }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await chmod(workspace.path('models/alpha/config.json'), 0o000);
    await fails(workspace.run(['plan']), 3, /config\.json/);
  });

  it('an output directory that is a file is an error of this machine, not a stack trace', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await writeFile(workspace.path('release'), '');
    const { exitCode, stderr } = await workspace.run(['plan']);
    assert.equal(exitCode, 7, stderr);
    assert.doesNotMatch(stderr, /^\s+at /m);
  });

  it('a malformed SOURCE_DATE_EPOCH is wrong usage', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await fails(workspace.run(['plan'], { env: { SOURCE_DATE_EPOCH: 'yesterday' } }), 2, /SOURCE_DATE_EPOCH/);
  });

  it('steps without the one before, or after release.json changed, say which command to run', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await fails(workspace.run(['pack']), 3, /plan\.json is not there/, /aircher-models plan/);
    await workspace.json(['plan']);
    await fails(workspace.run(['manifest']), 3, /alpha is not packed/, /pack --model alpha/, /beta is not packed/);
    await workspace.configure({ release: '1.0.1' });
    await fails(workspace.run(['pack']), 3, /changed since/, /aircher-models plan/);
  });

  it('a pack record of another model, or none at all, is named by the manifest step', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['plan']);
    await workspace.json(['pack', '--model', 'alpha']);
    await fails(workspace.run(['manifest']), 3, /beta\.pack\.json is not there/);
    await mkdir(workspace.path('release'), { recursive: true });
    await writeFile(
      workspace.path('release/beta.pack.json'),
      JSON.stringify(await workspace.readJson('release/alpha.pack.json')),
    );
    await fails(workspace.run(['manifest']), 3, /is of alpha 1\.0\.0, the plan wants beta 1\.0\.0/);
  });

  it('with --json the failure is a document on stdout', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.configure({ release: 'x', models: {} });
    const { stdout, exitCode } = await workspace.run(['plan', '--json']);
    assert.equal(exitCode, 3);
    const document = JSON.parse(stdout);
    assert.equal(document.error.code, 'invalid');
    assert.deepEqual(
      document.error.problems.map((problem: { path: string }) => problem.path),
      ['$.release', '$.models'],
    );
  });
});
