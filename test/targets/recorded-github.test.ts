import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { GithubApi } from '../../src/targets/github/github-api.ts';
import { createGithubTarget } from '../../src/targets/github/github-target.ts';
import { createOctokit } from '../../src/targets/github/octokit.ts';
import { createPatience } from '../../src/targets/remote.ts';
import { hasStatus } from '../../src/targets/request-failure.ts';
import { failureOf, makeRelease, quick } from './scene.ts';

/** One recorded exchange of @octokit/fixtures, as far as it is used. */
interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly status: number;
  readonly reqheaders: Readonly<Record<string, string | number>>;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly response: unknown;
}

const token = '0000000000000000000000000000000000000001';
const scenarios = createRequire(import.meta.url)
  .resolve('@octokit/fixtures/package.json')
  .replace(/package\.json$/, 'scenarios/api.github.com/');

/**
 * Serves a scenario's answers over HTTP, URLs in them led back here. A request gets the first
 * answer not yet given to its method and path; the token, the accepted type and the length of its
 * body must be those of the recording.
 */
async function replay(t: TestContext, scenario: string): Promise<{ readonly url: string; left(): readonly string[] }> {
  const recorded: Recorded[] = JSON.parse(await readFile(`${scenarios}${scenario}/normalized-fixture.json`, 'utf8'));
  const left = [...recorded];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const asked = new URL(request.url ?? '/', 'http://localhost');
      const index = left.findIndex(({ method, path }) => {
        const wanted = new URL(path, 'http://localhost');
        return method.toUpperCase() === request.method && wanted.pathname === asked.pathname && isPage(wanted, asked);
      });
      const [found] = index === -1 ? [] : left.splice(index, 1);
      const faults =
        found === undefined ? ['not recorded'] : headerFaults(found, request.headers, Buffer.concat(pieces));
      if (found === undefined || faults.length > 0) {
        response.writeHead(418, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ message: `${request.method} ${request.url}: ${faults.join(', ')}` }));
        return;
      }
      const { 'content-length': _, connection: __, ...headers } = found.headers;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, localized(String(value)));
      response.writeHead(found.status);
      response.end(found.response === '' ? undefined : localized(JSON.stringify(found.response)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const localized = (text: string): string => text.replaceAll(/https:\/\/(api|uploads)\.github\.com/g, url);
  return { url, left: () => left.map(({ method, path }) => `${method} ${path}`) };
}

function isPage(wanted: URL, asked: URL): boolean {
  return (wanted.searchParams.get('page') ?? '1') === (asked.searchParams.get('page') ?? '1');
}

function headerFaults(
  found: Recorded,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: Buffer,
): readonly string[] {
  const faults = ['accept', 'authorization'].filter(
    (name) => found.reqheaders[name] !== undefined && headers[name] !== String(found.reqheaders[name]),
  );
  const length = found.reqheaders['content-length'];
  if (typeof found.body === 'string' && length !== undefined && String(length) !== headers['content-length']) {
    faults.push('content-length');
  }
  if (typeof found.body === 'string' && found.body !== body.toString()) faults.push('body');
  return faults;
}

function apiOf(url: string, repository: string): GithubApi {
  const patience = createPatience({ ...quick, attempts: 2 });
  return new GithubApi({ repository, apiUrl: url, serverUrl: url, token, patience }, {});
}

test('recorded: an asset is uploaded, listed and deleted', async (t) => {
  const { url, left } = await replay(t, 'release-assets');
  const api = apiOf(url, 'octokit-fixture-org/release-assets');
  const octokit = createOctokit({
    apiUrl: url,
    serverUrl: url,
    token,
    network: api.settings.patience,
    signal: undefined,
  });
  const { data: release } = await octokit.rest.repos.getReleaseByTag({
    owner: 'octokit-fixture-org',
    repo: 'release-assets',
    tag: 'v1.0.0',
  });
  const planned = await makeRelease(t, { files: { 'test-upload.txt': 'Hello, world!\n' } });
  const sent: number[] = [];
  const asset = await api.uploadAsset({ ...release, body: '' }, planned.files[0]!, (bytes) => sent.push(bytes));
  assert.deepEqual([asset.name, asset.state, asset.size], ['test-upload.txt', 'uploaded', 14]);
  assert.equal(sent.at(-1), 14);
  assert.deepEqual(await api.assets(release.id), [asset]);
  await api.deleteAsset(asset.id);
  // What the recording goes on with: a look at the asset, and a new name for it.
  const path = '/repos/octokit-fixture-org/release-assets/releases/assets/1000';
  assert.deepEqual(left(), [`get ${path}`, `patch ${path}`]);
});

test('recorded: an asset of that name is there already', async (t) => {
  const { url } = await replay(t, 'release-assets-conflict');
  const api = apiOf(url, 'octokit-fixture-org/release-assets-conflict');
  const octokit = createOctokit({
    apiUrl: url,
    serverUrl: url,
    token,
    network: api.settings.patience,
    signal: undefined,
  });
  const { data: release } = await octokit.rest.repos.getReleaseByTag({
    owner: 'octokit-fixture-org',
    repo: 'release-assets-conflict',
    tag: 'v1.0.0',
  });
  const planned = await makeRelease(t, { files: { 'test-upload.txt': 'Hello, world!\n' } });
  const outcomes: string[] = [];
  for (let i = 0; i < 2; i++) {
    await api
      .uploadAsset({ ...release, body: '' }, planned.files[0]!, () => {})
      .then(
        (asset) => outcomes.push(asset.state),
        (error: unknown) => {
          assert.ok(hasStatus(error, 422));
          assert.equal(error.retryable, false);
          outcomes.push(error.reasons.join());
        },
      );
  }
  assert.deepEqual(outcomes.sort(), ['already_exists', 'uploaded']);
});

test('recorded: pages are followed by the Link header to the last one', async (t) => {
  const { url, left } = await replay(t, 'paginate-issues');
  const api = apiOf(url, 'octokit-fixture-org/paginate-issues');
  const octokit = createOctokit({
    apiUrl: url,
    serverUrl: url,
    token,
    network: api.settings.patience,
    signal: undefined,
  });
  const issues = await octokit.paginate('GET /repos/octokit-fixture-org/paginate-issues/issues', { per_page: 3 });
  assert.equal(issues.length, 13);
  assert.deepEqual(left(), []);
});

test("recorded: a refusal carries GitHub's reasons and is final", async (t) => {
  const { url } = await replay(t, 'errors');
  const api = apiOf(url, 'octokit-fixture-org/errors');
  const octokit = createOctokit({
    apiUrl: url,
    serverUrl: url,
    token,
    network: api.settings.patience,
    signal: undefined,
  });
  const request = octokit.request('POST /repos/octokit-fixture-org/errors/labels', { name: 'foo', color: 'invalid' });
  await assert.rejects(request, (error: Error) => {
    assert.ok(hasStatus(error.cause, 422));
    assert.match(error.cause.message, /Validation Failed: invalid/);
    assert.deepEqual([...error.cause.reasons], ['invalid']);
    assert.equal(error.cause.retryable, false);
    return true;
  });
});

test('recorded: another token than the recorded one is refused by the replay, so the check above holds', async (t) => {
  const { url } = await replay(t, 'release-assets');
  const target = createGithubTarget({
    repository: 'octokit-fixture-org/release-assets',
    tagPrefix: 'v',
    apiUrl: url,
    serverUrl: url,
    token: 'other',
    tuning: quick,
  });
  assert.equal((await failureOf(target.published({}))).code, 'conflict');
});
