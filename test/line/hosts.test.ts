import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { createPublishScene, type PublishScene } from '../release/publish-scene.ts';

/**
 * A published release, and users behind odd networks, who run the client that the release carries.
 */
describe('the client of a release', () => {
  let scene: PublishScene;

  before(async () => {
    scene = await createPublishScene(undefined);
    await scene.configure();
    const released = await scene.start(['release']);
    assert.equal(released.exitCode, 0, String(released.stderr));
  });

  after(() => scene?.close());

  /** Runs aircher.mjs as a user who has nothing but these variables. */
  async function user(t: TestContext, args: readonly string[], env: Readonly<Record<string, string>>) {
    const cache = await mkdtemp(join(tmpdir(), 'aircher-user-'));
    t.after(() => rm(cache, { recursive: true, force: true }));
    const run = await execa(process.execPath, [scene.workspace.path('release/aircher.mjs'), 'model', ...args], {
      extendEnv: false,
      env: { PATH: process.env.PATH ?? '', AIRCHER_CACHE_DIR: cache, ...env },
      reject: false,
    });
    return { ...run, cache };
  }

  it('installs from GitHub alone while the API refuses every anonymous call', async (t) => {
    t.after(() => scene.clearFaults());
    scene.github.faults.add({ match: { origin: 'api' }, times: 'always', action: { kind: 'status', status: 403 } });
    const source = `github:acme/models#models-v`;
    const run = await user(t, ['install', 'alpha', '--manifest', source], {
      GITHUB_SERVER_URL: scene.github.url,
      HF_ENDPOINT: 'http://127.0.0.1:9',
    });
    assert.equal(run.exitCode, 0, run.stderr);
    assert.deepEqual((await readdir(join(run.cache, 'models'))).includes('alpha'), true);
  });

  it("works with both hosts' names unresolvable where overrides name mirrors of them", async (t) => {
    // The manifest's URLs are those of github.com and huggingface.co, which nobody answers for
    // here.
    const run = await user(t, ['install', 'alpha', 'beta'], {
      GITHUB_SERVER_URL: scene.github.url,
      HF_ENDPOINT: scene.hub.url,
    });
    assert.equal(run.exitCode, 0, run.stderr);
  });

  it('says what it needs, and keeps nothing half-done, where no host can be reached', async (t) => {
    const nowhere = { GITHUB_SERVER_URL: 'http://127.0.0.1:9', HF_ENDPOINT: 'http://127.0.0.1:9' };
    scene.mirror.faults.add({ times: 'always', action: { kind: 'reset' } });
    t.after(() => scene.clearFaults());
    const run = await user(t, ['install', 'alpha'], nowhere);
    assert.equal(run.exitCode, 5, run.stderr);
    assert.match(run.stderr, /^hint: /m);
    assert.deepEqual(
      (await readdir(join(run.cache, 'models')).catch(() => [])).filter((name) => name === 'alpha'),
      [],
    );
  });
});
