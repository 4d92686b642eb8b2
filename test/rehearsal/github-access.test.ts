import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GitHubOptions } from '../../src/rehearsal/github/options.ts';
import type { GitHub } from '../../src/rehearsal/github/server.ts';
import { failure, octokitFor, place, startAcme } from './github-setup.ts';

async function withGitHub(options: GitHubOptions, body: (github: GitHub) => Promise<void>): Promise<void> {
  const github = await startAcme(options);
  try {
    await body(github);
  } finally {
    await github.close();
  }
}

const tokens = {
  push: { login: 'maintainer', push: true },
  read: { login: 'reader', read: true },
  other: { login: 'other' },
  old: { login: 'maintainer', push: true, expired: true },
  scoped: { login: 'maintainer', push: true, scopes: ['read:org'] },
  fine: { login: 'maintainer', push: true, kind: 'fine-grained', contents: 'read' },
  job: { login: 'github-actions[bot]', push: ['acme/models'], kind: 'actions' },
  weakJob: { login: 'github-actions[bot]', push: true, kind: 'actions', contents: 'read' },
} as const;

test('bad and expired credentials are 401 even for what is public; no user agent is 403', () =>
  withGitHub({ tokens }, async (github) => {
    for (const token of ['nonsense', 'old']) {
      const { status, message } = await failure(octokitFor(github, token).repos.get(place));
      assert.deepEqual([status, message.split(' - ')[0]], [401, 'Bad credentials']);
    }
    const bare = await fetch(`${github.apiUrl}/repos/acme/models`, { headers: { 'user-agent': '' } });
    assert.equal(bare.status, 403);
  }));

test('a write without the right is 401, 404 or 403, by the kind of token, as on GitHub', () =>
  withGitHub({ tokens }, async (github) => {
    const create = (token?: string) =>
      failure(octokitFor(github, token).repos.createRelease({ ...place, tag_name: 'v1', draft: true }));
    assert.equal((await create()).status, 401);
    assert.equal((await create('read')).status, 404);
    assert.equal((await create('scoped')).status, 404);
    assert.match((await create('fine')).message, /not accessible by personal access token/);
    assert.match((await create('weakJob')).message, /not accessible by integration/);
    github.repository('acme/models').set({ archived: true });
    assert.match((await create('push')).message, /archived/);
  }));

test("permissions say the person's role, whatever the token can do, and are all false for a job's token", () =>
  withGitHub({ tokens }, async (github) => {
    const push = async (token: string) => (await octokitFor(github, token).repos.get(place)).data.permissions?.push;
    assert.deepEqual(await Promise.all(['push', 'read', 'scoped', 'job'].map(push)), [true, false, true, false]);
    const scoped = await octokitFor(github, 'scoped').users.getAuthenticated();
    assert.equal(scoped.headers['x-oauth-scopes'], 'read:org');
    assert.match((await failure(octokitFor(github, 'job').users.getAuthenticated())).message, /by integration/);
    const { data } = await octokitFor(github, 'job').apps.listReposAccessibleToInstallation();
    assert.equal(data.repositories[0]?.full_name, 'acme/models');
    await octokitFor(github, 'job').repos.createRelease({ ...place, tag_name: 'v1', draft: true });
  }));

test('a private repository does not exist for strangers, in the API, on the website and for git', () =>
  withGitHub({ tokens }, async (github) => {
    const { data } = await octokitFor(github, 'push').repos.createRelease({ ...place, tag_name: 'v1' });
    github.repository('acme/models').set({ private: true });
    for (const token of [undefined, 'other', 'scoped']) {
      assert.equal((await failure(octokitFor(github, token).repos.get(place))).status, 404);
    }
    await octokitFor(github, 'read').repos.getRelease({ ...place, release_id: data.id });
    assert.equal((await fetch(`${github.url}/acme/models`)).status, 404);
    assert.equal((await fetch(`${github.url}/acme/models.git/info/refs?service=git-upload-pack`)).status, 401);
  }));

test('anonymous callers have 60 requests an hour, a 304 costs them one, and downloads cost none', () =>
  withGitHub({ tokens, rateLimits: { anonymousPerHour: 4 } }, async (github) => {
    const get = (headers: Record<string, string> = {}) => fetch(`${github.apiUrl}/repos/acme/models`, { headers });
    const first = await get();
    assert.equal(first.headers.get('x-ratelimit-remaining'), '3');
    const etag = first.headers.get('etag')!;
    assert.equal((await get({ 'if-none-match': etag })).status, 304);
    await fetch(`${github.url}/acme/models.git/info/refs?service=git-upload-pack`);
    await fetch(`${github.url}/acme/models/releases/download/v1/x`);
    assert.equal((await get()).headers.get('x-ratelimit-remaining'), '1');
    await get();
    const refused = await get();
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get('x-ratelimit-remaining'), '0');
    assert.match(await refused.text(), /API rate limit exceeded/);
    const known = await octokitFor(github, 'push').repos.get(place);
    assert.equal(known.headers['x-ratelimit-remaining'], '4999');
    const { data } = await octokitFor(github, 'push').rateLimit.get();
    assert.equal(data.rate.remaining, 4999);
  }));

test('too many writes a minute meet the secondary limit, with the wait that ends it', () =>
  withGitHub(
    { tokens, rateLimits: { contentCreationsPerMinute: 3, minuteMs: 1000, secondaryStatus: 429 } },
    async (github) => {
      const create = () =>
        fetch(`${github.apiUrl}/repos/acme/models/releases`, {
          method: 'POST',
          headers: { authorization: 'Bearer push' },
          body: JSON.stringify({ tag_name: 'v1', draft: true }),
        });
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) statuses.push((await create()).status);
      assert.deepEqual(statuses, [201, 201, 201, 429]);
      const refused = await create();
      assert.equal(refused.headers.get('retry-after'), '1');
      assert.match(await refused.text(), /secondary rate limit/);
      await new Promise((resolve) => setTimeout(resolve, 1050));
      assert.equal((await create()).status, 201);
    },
  ));
