import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { runRelease } from '../../src/release/pipeline.ts';
import {
  type ReleaseStatus,
  type ReleasesStatus,
  releaseStatus,
  releasesStatus,
} from '../../src/release/publish/release-status.ts';
import { createPublishScene, modelsAt, type PublishScene, tokens } from './publish-scene.ts';

async function release(scene: PublishScene, changes: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await scene.configure(changes);
  const { loaded, targets, workspace } = await scene.inside();
  await runRelease(loaded, targets, workspace);
}

async function statusOfAll(scene: PublishScene): Promise<ReleasesStatus> {
  const { targets, workspace } = await scene.inside();
  return releasesStatus(targets, workspace);
}

async function statusOf(scene: PublishScene, tag: string): Promise<ReleaseStatus> {
  const { loaded, targets, workspace } = await scene.inside();
  return releaseStatus(loaded.config, tag, targets, workspace);
}

/** A release of which GitHub has a part, as a draft, and the other hosts nothing. */
async function interrupted(t: TestContext): Promise<PublishScene> {
  const scene = await createPublishScene(t);
  scene.github.faults.add({
    match: { origin: 'uploads', path: /alpha\.tar\.gz($|&)/ },
    times: 'always',
    action: { kind: 'status', status: 400 },
  });
  const run = await scene.start(['release']);
  assert.notEqual(run.exitCode, 0);
  scene.clearFaults();
  return scene;
}

describe('status', () => {
  it('lists every release with its state on each host, and what the pointers name', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await release(scene, { release: '1.1.0', models: modelsAt('1.1.0') });
    await release(scene, { release: '1.2.0-rc.1', models: modelsAt('1.1.0') });
    const { targets, workspace } = await scene.inside();
    const status = await releasesStatus(targets, workspace);
    assert.deepEqual(status.problems, []);
    assert.deepEqual(
      status.releases.map(({ tag, targets: on }) => [tag, on.map(({ state }) => state).join(' ')]),
      [
        ['models-v1.2.0-rc.1', 'public public public'],
        ['models-v1.1.0', 'public public public'],
        ['models-v1.0.0', 'public public public'],
      ],
    );
    assert.deepEqual(
      status.targets.map(({ target, pointer }) => [target, pointer?.tag]),
      [
        ['github', 'models-v1.1.0'],
        ['huggingface', 'models-v1.1.0'],
        ['mirror', 'models-v1.1.0'],
      ],
    );
    const run = await scene.start(['status']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.match(String(run.stdout), /models-v1\.1\.0 +public \(newest\) +public \(newest\) +public \(newest\)/);
    assert.match(String(run.stdout), /models-v1\.0\.0 +public +public +public/);
    assert.match(String(run.stdout), /acme\/models: main is models-v1\.1\.0/);
  });

  it('says that nothing is published only where every host said so', async (t) => {
    const scene = await createPublishScene(t);
    assert.match(String((await scene.start(['status'])).stdout), /^nothing is published$/m);
    scene.hub.faults.add({ times: 'always', action: { kind: 'status', status: 404 } });
    const run = await scene.start(['status']);
    assert.equal(run.exitCode, 5, 'as `plan` has it: the token may not see the repository');
    assert.doesNotMatch(String(run.stdout), /nothing is published$/m);
    assert.match(String(run.stdout), /^nothing is published where an answer came$/m);
  });

  it('shows the draft of an interrupted release, and what is still missing against the manifest in --out', async (t) => {
    const scene = await interrupted(t);
    const { targets, workspace } = await scene.inside();
    const all = await releasesStatus(targets, workspace);
    assert.deepEqual(all.releases[0]?.targets[0], { target: 'github', state: 'draft', downloads: null });
    assert.deepEqual(
      all.targets.map(({ pointer }) => pointer?.tag),
      [undefined, undefined, undefined],
    );
    const status = await statusOf(scene, 'models-v1.0.0');
    assert.match(status.compared_with ?? '', /release.manifest\.json$/);
    const [github, hub] = status.targets;
    assert.equal(github?.state, 'draft');
    assert.ok(github?.missing?.includes('alpha.tar.gz'));
    assert.deepEqual(hub?.missing, [], 'what GitHub did not take was sent to the other hosts all the same');
    const run = await scene.start(['status', 'models-v1.0.0']);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.match(String(run.stdout), /models-v1\.0\.0 is draft/);
    assert.match(String(run.stdout), /missing: .*alpha\.tar\.gz/);
    const finished = await scene.start(['release']);
    assert.equal(finished.exitCode, 0, String(finished.stderr));
    assert.deepEqual(
      (await statusOf(scene, 'models-v1.0.0')).targets.map(({ missing }) => missing),
      [[], [], []],
    );
  });

  it('before anything is packed, the plan tells what is missing', async (t) => {
    const scene = await createPublishScene(t);
    assert.equal((await scene.start(['plan'])).exitCode, 0);
    const status = await statusOf(scene, 'models-v1.0.0');
    assert.match(status.compared_with ?? '', /plan\.json$/);
    assert.deepEqual(status.targets[0]?.missing, [
      'aircher.mjs',
      'alpha.tar.gz',
      'alpha.tar.gz.index.json',
      'beta.tar.gz',
      'beta.tar.gz.index.json',
      'checksums.sha256',
      'manifest.json',
    ]);
    await rm(scene.workspace.path('release'), { recursive: true });
    assert.equal((await statusOf(scene, 'models-v1.0.0')).targets[0]?.missing, null);
  });

  it('of a tag: sizes, digests, states, revision, and downloads where the host counts them', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    const url = `${scene.github.url}/acme/models/releases/download/models-v1.0.0/beta.tar.gz`;
    for (let count = 0; count < 3; count++) await (await fetch(url)).arrayBuffer();
    const status = await statusOf(scene, 'models-v1.0.0');
    const file = (target: string, name: string) =>
      status.targets.find((one) => one.target === target)?.files.find((one) => one.name === name);
    const record = (await scene.workspace.readJson('release/beta.pack.json')) as {
      archive: { sha256: string; size_bytes: number };
    };
    const expected = {
      name: 'beta.tar.gz',
      size_bytes: record.archive.size_bytes,
      digest: { algorithm: 'sha256', hex: record.archive.sha256 },
      state: 'whole',
    };
    assert.deepEqual(file('github', 'beta.tar.gz'), { ...expected, downloads: 3 });
    assert.deepEqual(file('huggingface', 'beta.tar.gz'), { ...expected, downloads: null });
    assert.deepEqual(file('mirror', 'beta.tar.gz'), { ...expected, downloads: null });
    assert.equal(file('huggingface', 'beta/config.json')?.digest?.algorithm, 'git-blob');
    assert.match(status.targets[1]?.revision ?? '', /^[0-9a-f]{40}$/);
    const run = await scene.start(['status', 'models-v1.0.0']);
    assert.match(String(run.stdout), /beta\.tar\.gz +\d.* sha256 [0-9a-f]{12} +whole +3\n/);
    assert.match(String(run.stdout), /beta\.tar\.gz +\d.* sha256 [0-9a-f]{12} +whole +not counted\n/);
    const json = await scene.start(['status', 'models-v1.0.0', '--json']);
    assert.deepEqual(JSON.parse(String(json.stdout)), JSON.parse(JSON.stringify(status)));
    assert.ok(![run.stdout, run.stderr, json.stdout].join().includes(tokens.github));
  });

  it('counts downloads by host and release as far as hosts do, and says what a figure means', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await release(scene, { release: '1.1.0', models: modelsAt('1.1.0') });
    const ask = async (url: string): Promise<void> => void (await (await fetch(url)).arrayBuffer());
    const { releases: before } = await statusOfAll(scene);
    const asset = (tag: string, name: string): string =>
      `${scene.github.url}/acme/models/releases/download/${tag}/${name}`;
    for (let count = 0; count < 3; count++) await ask(asset('models-v1.0.0', 'beta.tar.gz'));
    await ask(asset('models-v1.0.0', 'manifest.json'));
    await ask(asset('models-v1.1.0', 'beta.tar.gz'));
    await ask(`${scene.hub.url}/acme/models/resolve/main/beta/config.json`);
    const { targets, releases } = await statusOfAll(scene);
    const grown = (index: number): readonly (number | null)[] =>
      (releases[index]?.targets ?? []).map(({ downloads }, at) =>
        downloads === null ? null : downloads - (before[index]?.targets[at]?.downloads ?? 0),
      );
    assert.deepEqual(
      [grown(0), grown(1)],
      [
        [1, null, null],
        [3, null, null],
      ],
    );
    const sum = releases.reduce((total, { targets: on }) => total + (on[0]?.downloads ?? 0), 0);
    assert.deepEqual(
      targets.map(({ downloads }) => downloads),
      [sum, 0, null],
      "a model's config.json isn't the repository's, which is the Hub's measure",
    );
    const shown = String((await scene.start(['status'])).stdout);
    assert.match(shown, /^downloads +github +huggingface +mirror$/m);
    assert.match(shown, new RegExp(`^in all +${sum} +0 +–$`, 'm'));
    assert.match(shown, /huggingface: requests for config\.json in the last 30 days/);
    assert.match(shown, /mirror: not counted here; the web server's log knows/);
  });

  it('two drafts of a tag are shown, and told as a conflict with the remedy', async (t) => {
    const scene = await createPublishScene(t);
    for (let count = 0; count < 2; count++) {
      await fetch(`${scene.github.apiUrl}/repos/acme/models/releases`, {
        method: 'POST',
        headers: { authorization: `token ${tokens.github}` },
        body: JSON.stringify({ tag_name: 'models-v1.0.0', draft: true }),
      });
    }
    const list = await scene.start(['status']);
    assert.equal(list.exitCode, 0, String(list.stderr));
    assert.match(String(list.stdout), /models-v1\.0\.0 +draft \+ draft/);
    const one = await scene.start(['status', 'models-v1.0.0']);
    assert.equal(one.exitCode, 6);
    assert.match(String(one.stderr), /2 drafts of the release models-v1\.0\.0[\s\S]*Delete all but one/);
    assert.match(String(one.stdout), /huggingface/, 'the other hosts are shown all the same');
  });

  it('of a tag that nobody has: exit 3, and with --json still one document', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    const run = await scene.start(['status', 'models-v9.0.0']);
    assert.equal(run.exitCode, 3, String(run.stderr));
    assert.match(String(run.stderr), /error: models-v9\.0\.0 is at none of/);
    const json = await scene.start(['status', 'models-v9.0.0', '--json']);
    assert.equal(json.exitCode, 3);
    const status = JSON.parse(String(json.stdout)) as ReleaseStatus;
    assert.deepEqual(
      status.problems.map(({ code }) => code),
      ['invalid'],
    );
  });

  it('a host that is down hides nothing of the others: exit 5', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    scene.hub.faults.add({ times: 'always', action: { kind: 'status', status: 503 } });
    const run = await scene.start(['status']);
    assert.equal(run.exitCode, 5);
    assert.match(String(run.stdout), /models-v1\.0\.0 +public \(newest\) +– +public \(newest\)/);
    assert.match(String(run.stdout), /acme\/models: no answer/);
  });

  it('writes nothing anywhere', async (t) => {
    const scene = await createPublishScene(t);
    await release(scene);
    scene.clearLogs();
    await scene.start(['status']);
    await scene.start(['status', 'models-v1.0.0']);
    assert.deepEqual(scene.writes(), []);
  });
});
