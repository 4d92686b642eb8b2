import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { githubScene, head, hubScene, repository as name, pushToken, writeToken } from '../targets/scene.ts';
import { createModelRepository } from './model-repository.ts';

/** Stand-ins of both hosts, and what is released there. */
async function hosts(t: TestContext) {
  const github = await githubScene(t);
  const hub = await hubScene(t);
  return {
    log: github.log,
    env: {
      GITHUB_API_URL: github.apiUrl,
      GITHUB_SERVER_URL: github.url,
      HF_ENDPOINT: hub.url,
      GITHUB_REPOSITORY: name,
      GITHUB_SHA: head,
      GITHUB_REF_TYPE: 'tag',
      GITHUB_REF_NAME: 'models-v1.0.0',
    },
    /**
     * Names and digests at GitHub, and the id of the Hub's tree. Unfinished releases aren't there.
     */
    released: async () => {
      const answer = await fetch(`${github.apiUrl}/repos/${name}/releases/tags/models-v1.0.0`);
      if (answer.status === 404) return undefined;
      const release = (await answer.json()) as { assets: { name: string; digest: string }[]; body: string };
      const assets = release.assets.map((asset) => `${asset.digest} ${asset.name}`).sort();
      const trees = ['models-v1.0.0', 'main'].map((ref) => `${ref}^{tree}`);
      const tree = await execa('git', ['rev-parse', ...trees], { cwd: hub.gitDirectoryOf(name)! });
      return { assets, notes: release.body, hub: tree.stdout.split('\n') };
    },
  };
}

describe('the release workflow against stand-ins of GitHub and the Hub', {
  skip: process.platform === 'win32' && 'the release workflow runs on Linux',
}, () => {
  it('makes what one local release makes, also when it is killed while it publishes and started again from fresh clones', async (t) => {
    const repository = await createModelRepository(t, {
      mirror: undefined,
      github: { repository: name },
      huggingface: { repository: name, raw_files: true },
    });
    const [local, ci] = [await hosts(t), await hosts(t)];
    const secrets = { MODELS_GITHUB_TOKEN: pushToken, HF_TOKEN: writeToken };
    const uploads = () => ci.log.entries.filter(({ origin, status }) => origin === 'uploads' && status === 201).length;
    const [killed] = await Promise.all([
      repository.runWorkflow('none', {
        secrets,
        env: ci.env,
        kill: ({ step }) => step === 'Publish' && uploads() >= 3,
      }),
      repository.releaseLocally('none', { ...local.env, GITHUB_TOKEN: pushToken, HF_TOKEN: writeToken }),
    ]);
    const expected = await local.released();
    assert.ok(expected);
    assert.ok(expected.assets.length >= 8);
    assert.equal(expected.hub[0], expected.hub[1], 'main is the tag');
    assert.equal(killed.stopped, true, killed.log);
    assert.equal(await ci.released(), undefined, 'half a release is not public');

    const again = await repository.runWorkflow('none', { secrets, env: ci.env });
    assert.equal(again.jobs.release?.outputs.state, 'public', again.log);
    assert.equal(again.jobs.verify?.result, 'success', again.log);
    assert.deepEqual(await ci.released(), expected);
    assert.match(again.summary, /is whole on every host/);
    assert.ok(![pushToken, writeToken].some((token) => (again.log + again.summary).includes(token)));
  });
});
