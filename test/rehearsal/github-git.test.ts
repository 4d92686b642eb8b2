import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { GitHub } from '../../src/rehearsal/github/server.ts';
import { head, missing, octokitFor, place, run, startAcme } from './github-setup.ts';

let github: GitHub;
let noGit: string | false;
const environment = { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' };

before(async () => {
  noGit = await missing('git');
  github = await startAcme();
  github.repository('acme/models').tag('v0.9.0', head, 'c'.repeat(40));
  const octokit = octokitFor(github, 'push-token');
  await octokit.repos.createRelease({ ...place, tag_name: 'v1.0.0' });
  await octokit.repos.createRelease({ ...place, tag_name: 'v2.0.0', draft: true });
});
after(() => github.close());

const remote = (): string => `${github.url}/acme/models.git`;
const everything = [
  `${head}\tHEAD`,
  `${head}\trefs/heads/main`,
  `${'c'.repeat(40)}\trefs/tags/v0.9.0`,
  `${head}\trefs/tags/v0.9.0^{}`,
  `${head}\trefs/tags/v1.0.0`,
];

for (const version of ['0', '2']) {
  test(`git ls-remote lists refs by protocol version ${version}: annotated tags peeled, no tag of a draft`, async (t) => {
    if (noGit) return t.skip(noGit);
    github.log.clear();
    const git = (...args: string[]) =>
      run('git', ['-c', `protocol.version=${version}`, 'ls-remote', ...args], { env: environment });
    assert.deepEqual((await git(remote())).stdout.trim().split('\n'), everything);
    assert.equal((await git('--tags', '--refs', remote(), 'v1*')).stdout.trim(), everything[4]);
    assert.match((await git('--symref', remote(), 'HEAD')).stdout, /^ref: refs\/heads\/main\tHEAD/);
    assert.equal(
      github.log.entries.some(({ method }) => method === 'POST'),
      version === '2',
    );
  });
}

test('git asks for credentials of a private repository, gets in with a token, and hears of a missing one', async (t) => {
  if (noGit) return t.skip(noGit);
  github.repository('acme/models').set({ private: true });
  const git = (url: string) => run('git', ['ls-remote', url], { env: environment });
  await assert.rejects(git(remote()), /could not read Username/);
  const withToken = remote().replace('://', '://x-access-token:push-token@');
  assert.match((await git(withToken)).stdout, /refs\/tags\/v1\.0\.0/);
  await assert.rejects(git(withToken.replace('models.git', 'nothing.git')), /not found/i);
  await assert.rejects(git(withToken.replace('push-token', 'wrong')), /Authentication failed/);
  github.repository('acme/models').set({ private: false });
});

test('a clone fails with a message that says why: there are refs but no objects', async (t) => {
  if (noGit) return t.skip(noGit);
  const directory = await mkdtemp(join(tmpdir(), 'clone-'));
  t.after(() => rm(directory, { recursive: true }));
  const cloning = run('git', ['clone', '-q', remote(), join(directory, 'models')], { env: environment });
  await assert.rejects(cloning, /this repository has refs only/);
});
