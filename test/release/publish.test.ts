import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createPublishScene, modelsAt, type PublishScene, repository } from './publish-scene.ts';
import { observeReleases } from './release-observer.ts';

async function succeed(scene: PublishScene, ...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await scene.start(args);
  assert.equal(exitCode, 0, `${args.join(' ')}: ${stderr}`);
  return String(stdout);
}

/** What stands on each host, all of it. */
async function everything(scene: PublishScene): Promise<unknown> {
  const refs = await fetch(`${scene.hub.url}/api/models/${repository}/refs`);
  return { releases: scene.github.repository(repository).releases, refs: await refs.json() };
}

describe('publishing to GitHub, the Hub and a mirror', () => {
  it('no default source names a release before it is whole everywhere, at whatever moment a client asks', async (t) => {
    // Slow enough that an observer sees the moments between the steps.
    const scene = await createPublishScene(t, { limits: { latencyMs: 3 } });
    const stop = await observeReleases(scene, t, 2);
    await succeed(scene, 'release');
    await scene.workspace.writeModel('beta', { seed: 7, hidden: 16 });
    await scene.configure({ release: '1.1.0', models: modelsAt('1.1.0') });
    await succeed(scene, 'release');
    const { violations, seen, polls, installs } = await stop();
    assert.deepEqual(violations, []);
    assert.equal(seen.length, 6, seen.join('\n'));
    assert.equal(installs, 12);
    assert.ok(polls > 20, `${polls} looks`);
  });

  it('a second publish of a finished release uploads nothing, writes nothing and exits with 0', async (t) => {
    const scene = await createPublishScene(t);
    await succeed(scene, 'release');
    const before = await everything(scene);
    scene.clearLogs();
    const report = JSON.parse(await succeed(scene, 'publish', '--json'));
    assert.deepEqual(scene.writes(), []);
    assert.equal(report.state, 'public');
    assert.deepEqual(
      report.sent.map(({ files }: { files: readonly string[] }) => files),
      [[], [], []],
    );
    assert.deepEqual(await everything(scene), before);
  });

  it('on another machine, packed again from the same sources, it does nothing either', async (t) => {
    const scene = await createPublishScene(t);
    await succeed(scene, 'release');
    await rm(scene.workspace.path('release'), { recursive: true });
    await rm(scene.workspace.path('manifests/published'), { recursive: true });
    scene.clearLogs();
    await succeed(scene, 'release');
    assert.deepEqual(scene.writes(), []);
  });

  it('other content under a published tag is exit 6, says what to do, and changes nothing on any host', async (t) => {
    const scene = await createPublishScene(t);
    await succeed(scene, 'release');
    const before = await everything(scene);
    const mirrored = await readFile(scene.workspace.path('mirror/models-v1.0.0/manifest.json'));
    await rm(scene.workspace.path('release'), { recursive: true });
    await scene.workspace.writeModel('beta', { seed: 9, hidden: 16 });
    scene.clearLogs();
    const refused = await scene.start(['release']);
    assert.equal(refused.exitCode, 6, String(refused.stderr));
    assert.match(String(refused.stderr), /published with other content/);
    assert.match(String(refused.stderr), /raise "release"/);
    assert.deepEqual(scene.writes(), []);
    assert.deepEqual(await everything(scene), before);
    assert.deepEqual(await readFile(scene.workspace.path('mirror/models-v1.0.0/manifest.json')), mirrored);
  });

  it('artifacts that were changed after packing are refused before anything is sent', async (t) => {
    const scene = await createPublishScene(t);
    await succeed(scene, 'release', '--dry-run');
    const path = scene.workspace.path('release/beta.tar.gz');
    const bytes = await readFile(path);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    await writeFile(path, bytes);
    scene.clearLogs();
    const refused = await scene.start(['publish']);
    assert.equal(refused.exitCode, 4, String(refused.stderr));
    assert.match(String(refused.stderr), /beta\.tar\.gz.*is not what was packed/);
    assert.deepEqual(scene.writes(), []);
  });

  it('a target that is added later gets the unchanged models in the next release, and clients find them there', async (t) => {
    const scene = await createPublishScene(t);
    await scene.configure({ huggingface: undefined });
    await succeed(scene, 'release');
    await scene.configure({ release: '1.1.0' });
    await succeed(scene, 'release');
    const manifest = JSON.parse(await readFile(scene.workspace.path('mirror/manifest.json'), 'utf8'));
    for (const model of ['alpha', 'beta']) {
      assert.equal(manifest.models[model].version, '1.0.0');
      assert.match(manifest.models[model].download_urls.huggingface, /resolve\/models-v1\.1\.0\//);
    }
    const stop = await observeReleases(scene, t);
    const { violations, installs } = await stop();
    assert.deepEqual(violations, []);
    assert.equal(installs, 6);
  });

  it('parts of a release uploaded from several machines go public when the last is there', async (t) => {
    const scene = await createPublishScene(t);
    await succeed(scene, 'release', '--dry-run');
    await cp(scene.workspace.path('release'), scene.workspace.path('elsewhere'), { recursive: true });
    for (const [target, waitingFor] of [
      ['github', ['huggingface', 'mirror']],
      ['mirror', ['huggingface']],
    ] as const) {
      const report = JSON.parse(await succeed(scene, 'publish', '--target', target, '--json'));
      assert.equal(report.state, 'waiting');
      assert.deepEqual(report.waiting_for, waitingFor);
    }
    const answer = await fetch(`${scene.github.url}/${repository}/releases/download/models-v1.0.0/manifest.json`);
    assert.equal(answer.status, 404);
    const report = JSON.parse(
      await succeed(scene, 'publish', '--target', 'huggingface', '--out', 'elsewhere', '--json'),
    );
    assert.equal(report.state, 'public');
    await succeed(scene, 'verify', 'models-v1.0.0');
  });

  for (const [what, origin] of [
    ['an upload to GitHub', 'uploads'],
    ["an upload to the Hub's storage", 'cdn'],
    ['a question to the Hub', 'hub'],
  ] as const) {
    it(`Ctrl-C during ${what} that stalls ends within two seconds with exit 130, and the next run completes it`, async (t) => {
      let reached = (): void => {};
      const asked = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const scene = await createPublishScene(t, {
        onRequest: (entry) => {
          if (entry.origin === origin && entry.faults.includes('stall')) reached();
        },
      });
      await succeed(scene, 'release', '--dry-run');
      const stall = {
        match: { origin },
        times: 'always',
        action: { kind: 'stall', of: 'request', atByte: 0 },
      } as const;
      for (const host of [scene.github, scene.hub]) host.faults.add(stall);
      const running = scene.start(['publish'], { AIRCHER_TEST_PATIENCE: 'real' });
      await asked;
      const interrupted = performance.now();
      running.kill('SIGINT');
      const { exitCode, stderr } = await running;
      assert.ok(performance.now() - interrupted < 10_000, `${performance.now() - interrupted} ms`);
      assert.equal(exitCode, 130, String(stderr));
      scene.clearFaults();
      await succeed(scene, 'publish');
      await succeed(scene, 'verify', 'models-v1.0.0');
    });
  }
});
