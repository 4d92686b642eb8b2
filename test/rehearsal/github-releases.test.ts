import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import type { Octokit } from '@octokit/rest';
import { sha256 } from '../../src/core/hashing.ts';
import type { GitHub } from '../../src/rehearsal/github/server.ts';
import { failure, head, octokitFor, place, startAcme, upload } from './github-setup.ts';

let github: GitHub;
let octokit: Octokit;
let stranger: Octokit;

before(async () => {
  github = await startAcme({ maximumAssetBytes: 100_000, maximumAssets: 4 });
  octokit = octokitFor(github, 'push-token');
  stranger = octokitFor(github);
});
after(() => github.close());

const bytes = randomBytes(50_000);

test('a draft is invisible to others, has no tag, and becomes a release with a lightweight tag at its target', async () => {
  const { data: draft } = await octokit.repos.createRelease({
    ...place,
    tag_name: 'v1.0.0',
    target_commitish: head,
    draft: true,
    name: 'One',
    body: 'Text',
  });
  const asset = await upload(octokit, draft, 'a.tar.gz', bytes);
  assert.equal(asset.state, 'uploaded');
  assert.equal(asset.digest, `sha256:${sha256(bytes)}`);
  assert.match(asset.browser_download_url, /\/releases\/download\/untagged-[0-9a-f]+\/a\.tar\.gz$/);
  assert.equal((await stranger.repos.listReleases(place)).data.length, 0);
  assert.equal((await failure(stranger.repos.getRelease({ ...place, release_id: draft.id }))).status, 404);
  assert.equal((await failure(octokit.repos.getReleaseByTag({ ...place, tag: 'v1.0.0' }))).status, 404);
  assert.equal((await failure(octokit.git.getRef({ ...place, ref: 'tags/v1.0.0' }))).status, 404);
  assert.equal((await fetch(`${github.url}/acme/models/releases/download/v1.0.0/a.tar.gz`)).status, 404);
  assert.equal((await fetch(asset.browser_download_url)).status, 404);

  await octokit.repos.updateRelease({ ...place, release_id: draft.id, draft: false });
  const { data: published } = await stranger.repos.getReleaseByTag({ ...place, tag: 'v1.0.0' });
  assert.equal(published.created_at, '2025-05-05T05:05:05Z');
  assert.match(published.assets[0]!.browser_download_url, /\/releases\/download\/v1\.0\.0\/a\.tar\.gz$/);
  const { data: ref } = await stranger.git.getRef({ ...place, ref: 'tags/v1.0.0' });
  assert.deepEqual([ref.object.sha, ref.object.type], [head, 'commit']);
});

test('two drafts may share a tag, two releases may not', async () => {
  const create = (draft: boolean) => octokit.repos.createRelease({ ...place, tag_name: 'v2.0.0', draft });
  const [one, two] = [await create(true), await create(true)];
  assert.notEqual(one.data.id, two.data.id);
  await octokit.repos.updateRelease({ ...place, release_id: one.data.id, draft: false });
  const expected = [{ resource: 'Release', code: 'already_exists', field: 'tag_name' }];
  assert.deepEqual((await failure(create(false))).errors, expected);
  const publishing = octokit.repos.updateRelease({ ...place, release_id: two.data.id, draft: false });
  assert.deepEqual((await failure(publishing)).errors, expected);
});

test('an asset name is taken once, is written as GitHub writes it, and sizes and counts are limited', async () => {
  const { data: draft } = await octokit.repos.createRelease({ ...place, tag_name: 'v3.0.0', draft: true });
  const names = ['modèle (1).bin', '.hidden', 'a~b+c@d_e-f.tar.gz'];
  const kept: string[] = [];
  for (const name of names) kept.push((await upload(octokit, draft, name, bytes)).name);
  assert.deepEqual(kept, ['modele.1.bin', 'default.hidden', 'a.b+c@d_e-f.tar.gz']);
  const again = await failure(upload(octokit, draft, '.hidden', bytes));
  assert.deepEqual(again.errors, [{ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' }]);
  assert.match(
    (await failure(upload(octokit, draft, 'big', randomBytes(100_001)))).message,
    /less than or equal to 100000/,
  );
  assert.match((await failure(upload(octokit, draft, 'empty', Buffer.alloc(0)))).message, /greater than or equal to 1/);
  await upload(octokit, draft, 'fourth', bytes);
  assert.match((await failure(upload(octokit, draft, 'fifth', bytes))).message, /limited to 4 assets/);
});

test('an upload without Content-Length is refused with 400', async () => {
  const { data: draft } = await octokit.repos.createRelease({ ...place, tag_name: 'v4.0.0', draft: true });
  const response = await fetch(draft.upload_url.replace('{?name,label}', '?name=x'), {
    method: 'POST',
    headers: { authorization: 'Bearer push-token', 'content-type': 'application/octet-stream' },
    body: new Blob([bytes]).stream(),
    duplex: 'half',
  });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /Bad Content-Length/);
});

test('an asset can be renamed and deleted, a release deleted, and its tag stays', async () => {
  const { data: release } = await octokit.repos.createRelease({ ...place, tag_name: 'v5.0.0' });
  const asset = await upload(octokit, release, 'old', bytes);
  const renamed = await octokit.repos.updateReleaseAsset({ ...place, asset_id: asset.id, name: 'new', label: 'L' });
  assert.deepEqual([renamed.data.name, renamed.data.label], ['new', 'L']);
  await octokit.repos.deleteReleaseAsset({ ...place, asset_id: asset.id });
  assert.equal((await octokit.repos.listReleaseAssets({ ...place, release_id: release.id })).data.length, 0);
  await octokit.repos.deleteRelease({ ...place, release_id: release.id });
  assert.equal((await failure(octokit.repos.getReleaseByTag({ ...place, tag: 'v5.0.0' }))).status, 404);
  await octokit.git.getRef({ ...place, ref: 'tags/v5.0.0' });
});

test('text over 125,000 characters, an unknown target and a malformed tag are refused', async () => {
  const create = (more: object) => failure(octokit.repos.createRelease({ ...place, tag_name: 'v6.0.0', ...more }));
  assert.match((await create({ body: 'x'.repeat(125_001) })).message, /125000/);
  const missingTarget = await create({ target_commitish: 'f'.repeat(40) });
  assert.deepEqual(missingTarget.errors, [{ resource: 'Release', code: 'invalid', field: 'target_commitish' }]);
  assert.equal((await create({ tag_name: 'a..b' })).status, 422);
  assert.equal((await create({ tag_name: 'v6.0.0', draft: 'yes' })).status, 422);
});

test('an existing tag, also an annotated one, is used as it is', async () => {
  const repository = github.repository('acme/models');
  const older = repository.head;
  repository.tag('v7.0.0', older, 'b'.repeat(40));
  const newer = repository.push();
  await octokit.repos.createRelease({ ...place, tag_name: 'v7.0.0', target_commitish: newer });
  const { data: ref } = await octokit.git.getRef({ ...place, ref: 'tags/v7.0.0' });
  assert.deepEqual([ref.object.type, ref.object.sha], ['tag', 'b'.repeat(40)]);
  const { data: tag } = await octokit.git.getTag({ ...place, tag_sha: ref.object.sha });
  assert.equal(tag.object.sha, older);
  assert.equal((await octokit.repos.getCommit({ ...place, ref: 'v7.0.0' })).data.sha, older);
  assert.equal((await octokit.repos.getBranch({ ...place, branch: 'main' })).data.commit.sha, newer);
});

test('lists come in pages whose links name the repository by its id, as a paginating client follows them', async () => {
  const paged = await startAcme();
  const client = octokitFor(paged, 'push-token');
  for (let i = 0; i < 7; i++) await client.repos.createRelease({ ...place, tag_name: `v0.${i}.0`, draft: true });
  const first = await client.repos.listReleases({ ...place, per_page: 3 });
  assert.match(
    first.headers.link ?? '',
    /\/repositories\/\d+\/releases\?per_page=3&page=2>; rel="next", .*page=3>; rel="last"/,
  );
  const all = await client.paginate(client.repos.listReleases, { ...place, per_page: 3 });
  await paged.close();
  assert.equal(new Set(all.map(({ id }) => id)).size, 7);
});

test('an immutable release keeps its assets and tag, and its tag name is used up for ever', async () => {
  github.repository('acme/models').set({ immutableReleases: true });
  const { data: draft } = await octokit.repos.createRelease({ ...place, tag_name: 'v8.0.0', draft: true });
  const asset = await upload(octokit, draft, 'a', bytes);
  const { data: release } = await octokit.repos.updateRelease({ ...place, release_id: draft.id, draft: false });
  github.repository('acme/models').set({ immutableReleases: false });
  assert.equal(release.immutable, true);
  assert.match((await failure(upload(octokit, draft, 'b', bytes))).message, /immutable release/);
  assert.equal((await failure(octokit.repos.deleteReleaseAsset({ ...place, asset_id: asset.id }))).status, 422);
  assert.equal((await failure(octokit.git.deleteRef({ ...place, ref: 'tags/v8.0.0' }))).status, 422);
  await octokit.repos.updateRelease({ ...place, release_id: draft.id, body: 'The text may still change.' });
  await octokit.repos.deleteRelease({ ...place, release_id: draft.id });
  await octokit.git.deleteRef({ ...place, ref: 'tags/v8.0.0' });
  const again = await failure(octokit.repos.createRelease({ ...place, tag_name: 'v8.0.0' }));
  assert.match(again.message, /used by an immutable release/);
});

test('latest follows make_latest, never a draft or prerelease, and falls back to the newest', async () => {
  const fresh = await startAcme();
  const client = octokitFor(fresh, 'push-token');
  const latest = async () => (await client.repos.getLatestRelease(place)).data.tag_name;
  assert.equal((await failure(client.repos.getLatestRelease(place))).status, 404);
  const create = (tag_name: string, more: object = {}) => client.repos.createRelease({ ...place, tag_name, ...more });
  await create('v1.0.0', { make_latest: 'false' });
  assert.equal(await latest(), 'v1.0.0');
  await create('v1.1.0', { make_latest: 'false' });
  assert.equal(await latest(), 'v1.1.0');
  await create('v1.0.1');
  await create('v3.0.0', { make_latest: 'false' });
  await create('v4.0.0', { prerelease: true });
  await create('v5.0.0', { draft: true });
  assert.equal(await latest(), 'v1.0.1');
  await create('v1.0.2', { make_latest: 'legacy' });
  assert.equal(await latest(), 'v3.0.0');
  const page = await fetch(`${fresh.url}/acme/models/releases/latest`, { redirect: 'manual' });
  await fresh.close();
  assert.equal(page.headers.get('location'), `${fresh.url}/acme/models/releases/tag/v3.0.0`);
});
