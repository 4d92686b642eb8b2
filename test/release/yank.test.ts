import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import fc from 'fast-check';
import type { Manifest } from '../../src/contract/manifest.ts';
import { runRelease } from '../../src/release/pipeline.ts';
import { editReleaseConfig } from '../../src/release/publish/yank-edit.ts';
import { createPublishScene, modelsAt, type PublishScene } from './publish-scene.ts';

const client = fileURLToPath(new URL('../../src/fetch-cli.ts', import.meta.url));

async function release(scene: PublishScene, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await scene.configure(changes);
  const { loaded, targets, workspace } = await scene.inside();
  await runRelease(loaded, targets, workspace);
}

/** beta 1.0.0 in models-v1.0.0, beta 1.1.0 in models-v1.1.0, on all three hosts. */
async function twoReleases(t: TestContext): Promise<PublishScene> {
  const scene = await createPublishScene(t);
  await release(scene);
  await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
  await release(scene, { release: '1.1.0', models: modelsAt('1.1.0') });
  return scene;
}

const config = (scene: PublishScene) => readFile(scene.workspace.path('manifests/release.json'), 'utf8');

async function newest(scene: PublishScene): Promise<Manifest> {
  const answer = await fetch(`${scene.hub.url}/acme/models/resolve/main/manifest.json`);
  return (await answer.json()) as Manifest;
}

describe('yank', () => {
  it('prints nothing that steers a terminal, as text and as JSON, whatever somebody wrote', async (t) => {
    const scene = await twoReleases(t);
    for (const json of [[], ['--json']]) {
      const reason = 'wrong\u001b[2J\u009b31m\u202epooling';
      const run = await scene.start(['yank', 'beta@1.1.0', '--reason', reason, '--no-release', ...json]);
      assert.equal(run.exitCode, 0, String(run.stderr));
      assert.match(String(run.stdout), /wrong.*pooling/);
      assert.doesNotMatch(String(run.stdout), /[\u001b\u009b\u202e]/);
    }
  });

  it('of the newest version: a fresh install gets the one before it, holders are told, nothing is deleted', async (t) => {
    const scene = await twoReleases(t);
    const user = async (cache: string, ...args: readonly string[]) =>
      execa(process.execPath, [client, 'model', ...args], {
        cwd: scene.workspace.directory,
        env: {
          AIRCHER_CACHE_DIR: scene.workspace.path(cache),
          AIRCHER_MANIFEST_URL: `${scene.hub.url}/acme/models/resolve/main/manifest.json`,
          HF_ENDPOINT: scene.hub.url,
          GITHUB_SERVER_URL: scene.github.url,
        },
        reject: false,
      });
    await user('holder', 'install', 'beta');
    scene.clearLogs();
    const run = await scene.start(['yank', 'beta@1.1.0', '--reason', 'wrong pooling config']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    const said = String(run.stdout);
    assert.match(said, /beta 1\.1\.0 is yanked by release 1\.1\.1\./);
    assert.match(said, /Fresh installs of beta get 1\.0\.0 again/);
    assert.match(said, /is told "wrong pooling config".*takes them to 1\.0\.0/);
    assert.deepEqual(JSON.parse(await config(scene)).yanked, [
      { model: 'beta', version: '1.1.0', reason: 'wrong pooling config' },
    ]);
    const manifest = await newest(scene);
    assert.equal(manifest.release, 'models-v1.1.1');
    assert.equal(manifest.models.beta?.version, '1.0.0');
    assert.deepEqual(manifest.yanked, [{ model: 'beta', version: '1.1.0', reason: 'wrong pooling config' }]);
    assert.deepEqual(
      scene.writes().filter((line) => /^DELETE/.test(line) && !/branch/.test(line)),
      [],
    );
    for (const tag of ['models-v1.0.0', 'models-v1.1.0']) {
      const verified = await scene.start(['verify', tag]);
      assert.equal(verified.exitCode, 0, String(verified.stderr));
    }

    const fresh = await user('fresh', 'install', 'beta');
    assert.equal(fresh.exitCode, 0, fresh.stderr);
    assert.match(await readFile(scene.workspace.path('fresh/models/beta/.version'), 'utf8'), /^1\.0\.0\n$/);
    const told = await user('holder', 'check-updates');
    assert.match(told.stdout + told.stderr, /beta 1\.1\.0 was withdrawn: wrong pooling config/);
  });

  it('a second time says so and does nothing', async (t) => {
    const scene = await twoReleases(t);
    await scene.start(['yank', 'beta@1.1.0', '--reason', 'wrong']);
    const before = await config(scene);
    scene.clearLogs();
    const again = await scene.start(['yank', 'beta@1.1.0', '--reason', 'other words']);
    assert.equal(again.exitCode, 0, String(again.stderr));
    assert.match(String(again.stdout), /beta 1\.1\.0 is yanked already: wrong/);
    assert.equal(await config(scene), before);
    assert.deepEqual(scene.writes(), []);
  });

  it('with --no-release only release.json changes; run again without it, the release follows', async (t) => {
    const scene = await twoReleases(t);
    scene.clearLogs();
    const run = await scene.start(['yank', 'beta@1.0.0', '--reason', 'old bug', '--no-release', '--json']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.deepEqual(JSON.parse(String(run.stdout)).yank, {
      model: 'beta',
      version: '1.0.0',
      reason: 'old bug',
      replacement: '1.1.0',
      was_newest: false,
      state: 'edited',
      release: '1.1.1',
    });
    assert.deepEqual(scene.writes(), []);
    const before = await config(scene);
    const follow = await scene.start(['yank', 'beta@1.0.0', '--reason', 'old bug']);
    assert.equal(follow.exitCode, 0, String(follow.stderr));
    assert.equal(await config(scene), before, 'not listed twice, not raised twice');
    const manifest = await newest(scene);
    assert.equal(manifest.models.beta?.version, '1.1.0');
    assert.deepEqual(
      manifest.yanked?.map(({ version }) => version),
      ['1.0.0'],
    );
  });

  it('of the only version: it is no longer offered, and that is said', async (t) => {
    const scene = await twoReleases(t);
    const run = await scene.start(['yank', 'alpha@1.0.0', '--reason', 'wrong licence']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.match(String(run.stdout), /No good version is left: alpha can't be installed anew/);
    assert.deepEqual(Object.keys((await newest(scene)).models), ['beta']);
  });

  it('what was never published is exit 3, and names what was', async (t) => {
    const scene = await twoReleases(t);
    const before = await config(scene);
    for (const [spec, code, says] of [
      ['beta@9.0.0', 3, /beta 9\.0\.0 was never published[\s\S]*1\.1\.0, 1\.0\.0/],
      ['betta@1.0.0', 3, /no model "betta" was ever published[\s\S]*Did you mean beta/],
      ['beta', 2, /is not MODEL@VERSION/],
      ['beta@1', 2, /is not MODEL@VERSION/],
    ] as const) {
      const run = await scene.start(['yank', spec, '--reason', 'x']);
      assert.equal(run.exitCode, code, `${spec}: ${run.stderr}`);
      assert.match(String(run.stderr), says);
    }
    assert.equal(await config(scene), before);
    const blank = await scene.start(['yank', 'beta@1.0.0', '--reason', ' ']);
    assert.equal(blank.exitCode, 2);
  });

  it('a release.json that is ahead keeps its release, and what else it would publish is told first', async (t) => {
    const scene = await twoReleases(t);
    await scene.configure({ release: '2.0.0', models: modelsAt('1.1.0', '1.0.1') });
    const run = await scene.start(['yank', 'beta@1.1.0', '--reason', 'wrong', '--no-release']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.equal(JSON.parse(await config(scene)).release, '2.0.0');
    assert.match(String(run.stderr), /also has what isn't published yet: alpha 1\.0\.1/);
  });
});

describe('the edit of release.json', () => {
  const yank = { model: 'beta', version: '1.0.0', reason: 'say "no" \\ # , ]' };

  it('keeps every other character, whatever the form of the list', () => {
    const entry = '{ "model": "beta", "version": "1.0.0", "reason": "say \\"no\\" \\\\ # , ]" }';
    for (const [before, after] of [
      [
        '{\n\t"release" :  "1.0.0",\n\t"models": {}\n}\n',
        `{\n\t"release" :  "1.0.1",\n\t"yanked": [\n\t\t${entry}\n\t],\n\t"models": {}\n}\n`,
      ],
      ['{"release":"1.0.0","models":{}}', `{"release":"1.0.1","yanked": [${entry}], "models":{}}`],
      [
        '{\r\n  "yanked": [],\r\n  "release": "1.0.0", "models": {}\r\n}',
        `{\r\n  "yanked": [\r\n    ${entry}\r\n  ],\r\n  "release": "1.0.1", "models": {}\r\n}`,
      ],
      [
        '{\n  "release": "1.0.0",\n  "yanked": [ {"model":"a"} ],\n  "models": {}\n}',
        `{\n  "release": "1.0.1",\n  "yanked": [ {"model":"a"}, ${entry} ],\n  "models": {}\n}`,
      ],
      [
        '{\n  "release": "1.0.0",\n  "yanked": [\n    {"model":"a"},\n    {"model":"b"}\n  ],\n  "models": {}\n}',
        `{\n  "release": "1.0.1",\n  "yanked": [\n    {"model":"a"},\n    {"model":"b"},\n    ${entry}\n  ],\n  "models": {}\n}`,
      ],
    ] as const) {
      assert.equal(editReleaseConfig(before, yank, '1.0.1'), after);
    }
  });

  it('always ends as the same JSON with one more entry', () => {
    const text = fc.tuple(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.nat(4),
      fc.option(fc.array(fc.jsonValue()), { nil: undefined }),
    );
    fc.assert(
      fc.property(text, fc.string({ unit: 'grapheme' }), ([others, indent, yanked], reason) => {
        const value = { ...others, release: '1.0.0', ...(yanked && { yanked }), models: {} };
        if (yanked === undefined) delete (value as { yanked?: unknown }).yanked;
        const edited = JSON.parse(editReleaseConfig(JSON.stringify(value, null, indent), { ...yank, reason }, '1.0.1'));
        assert.deepEqual(
          edited,
          JSON.parse(JSON.stringify({ ...value, release: '1.0.1', yanked: [...(yanked ?? []), { ...yank, reason }] })),
        );
      }),
      { numRuns: 100 },
    );
  });
});
