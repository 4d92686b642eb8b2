import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Octokit } from '@octokit/rest';
import { createGithubTarget } from '../../src/targets/github/github-target.ts';
import {
  bytesOf,
  failureOf,
  githubScene,
  githubTarget,
  head,
  makeRelease,
  publish,
  pushToken,
  recorder,
  repository,
  writesOf,
} from './scene.ts';

const small = {
  'tiny.tar.gz': bytesOf('tiny', 300_000),
  'tiny.tar.gz.index.json': '{"index_version":1}\n',
  'manifest.json': '{"manifest_version":"1.0.0","models":{}}\n',
};

test('a release is a draft until it is whole, then public with every byte', async (t) => {
  const github = await githubScene(t);
  const target = githubTarget(github, { makeLatest: true });
  const release = await makeRelease(t, { files: small, targetCommit: head });

  assert.deepEqual(await target.preflight(release, {}), []);
  assert.deepEqual(await target.missing(release, {}), release.files);
  await target.upload(release, {});
  assert.deepEqual(await target.missing(release, {}), []);
  assert.equal((await target.inspect(release.tag, {})).state, 'draft');
  assert.deepEqual(await target.published({}), []);
  assert.equal(await target.readDocument(release.tag, 'manifest.json', {}), undefined);

  await target.makePublic(release, {});
  await target.movePointers(release, {});
  const [published] = github.repository(repository).releases;
  assert.equal(published?.draft, false);
  assert.equal(published?.target_commitish, head);
  assert.deepEqual(await target.published({}), [{ tag: 'models-v1.0.0', version: '1.0.0' }]);
  assert.equal((await target.readDocument(release.tag, 'manifest.json', {}))?.toString(), small['manifest.json']);
  for (const file of release.files) {
    const url = `${github.url}/${repository}/releases/download/${release.tag}/${file.name}`;
    const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
    assert.deepEqual(bytes, Buffer.from(small[file.name as keyof typeof small]));
  }
  const inspection = await target.inspect(release.tag, {});
  assert.equal(inspection.state, 'public');
  assert.equal(inspection.revision, head);
  assert.deepEqual(
    inspection.files.map(({ name, digest, state }) => [name, digest?.hex, state]).sort(),
    release.files.map(({ name, sha256 }) => [name, sha256, 'whole']).sort(),
  );
});

test('a second publication of the same files sends nothing and writes nothing', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  await publish(githubTarget(github), release);
  github.log.clear();
  const again = githubTarget(github);
  assert.deepEqual(await again.preflight(release, {}), []);
  assert.deepEqual(await again.missing(release, {}), []);
  await publish(again, release);
  assert.deepEqual(writesOf(github.log.entries), []);
});

test('other content under a published tag is refused before and after, and nothing is changed', async (t) => {
  const github = await githubScene(t);
  await publish(githubTarget(github), await makeRelease(t, { files: small }));
  const other = await makeRelease(t, { files: { ...small, 'tiny.tar.gz': bytesOf('other', 300_000) } });
  const target = githubTarget(github);
  const [problem] = await target.preflight(other, {});
  assert.match(problem?.message ?? '', /published with other content \(tiny\.tar\.gz\)/);
  assert.match(problem?.hint ?? '', /raise "release"/);
  github.log.clear();
  for (const step of [target.missing, target.upload, target.makePublic]) {
    assert.equal((await failureOf(step(other, {}))).code, 'conflict');
  }
  assert.deepEqual(writesOf(github.log.entries), []);
});

test('a run that died goes on: whole assets stay, starters and wrong ones are replaced, foreign ones go', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  await githubTarget(github).upload(release, {});
  // What a person and a broken upload may leave on the draft.
  const octokit = new Octokit({ auth: pushToken, baseUrl: github.apiUrl });
  const [draft] = github.repository(repository).releases;
  const place = { owner: 'acme', repo: 'models' };
  const idOf = (name: string): number => draft!.assets.find((asset) => asset.name === name)!.id;
  await octokit.rest.repos.deleteReleaseAsset({ ...place, asset_id: idOf('manifest.json') });
  await octokit.rest.repos.deleteReleaseAsset({ ...place, asset_id: idOf('tiny.tar.gz.index.json') });
  const send = (name: string, data: string): Promise<unknown> =>
    octokit.rest.repos.uploadReleaseAsset({
      ...place,
      release_id: draft!.id,
      url: draft!.upload_url,
      name,
      data,
      headers: { 'content-type': 'text/plain', 'content-length': data.length },
      request: { retries: 0 },
    });
  await send('manifest.json', 'an older one');
  await send('stranger.txt', 'hello');
  github.faults.add({ match: { origin: 'uploads' }, action: { kind: 'starter' } });
  await assert.rejects(send('tiny.tar.gz.index.json', 'broken'));

  github.log.clear();
  const context = recorder();
  await publish(githubTarget(github), release, context);
  const uploads = writesOf(github.log.entries).filter((line) => line.startsWith('POST') && line.includes('?name='));
  assert.deepEqual(uploads.map((line) => /name=([\w.]+)/.exec(line)?.[1]).sort(), [
    'manifest.json',
    'tiny.tar.gz.index.json',
  ]);
  const inspection = await githubTarget(github).inspect(release.tag, {});
  assert.deepEqual(inspection.files.map((file) => file.name).sort(), Object.keys(small).sort());
  assert.ok(context.events.some((event) => event.type === 'warning' && event.problem.file === 'stranger.txt'));
});

test('two drafts of a tag are an error that names both', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  const octokit = new Octokit({ auth: pushToken, baseUrl: github.apiUrl });
  for (let i = 0; i < 2; i++) {
    await octokit.rest.repos.createRelease({ owner: 'acme', repo: 'models', tag_name: release.tag, draft: true });
  }
  const [problem] = await githubTarget(github).preflight(release, {});
  assert.match(problem?.message ?? '', /2 drafts of the release models-v1\.0\.0: http.* http/);
  const error = await failureOf(githubTarget(github).upload(release, {}));
  assert.equal(error.code, 'conflict');
  assert.match(error.hint ?? '', /Delete all but one/);
});

test('a prerelease is marked as one, and no prerelease or plain release takes "latest"', async (t) => {
  const github = await githubScene(t);
  await publish(githubTarget(github, { makeLatest: true }), await makeRelease(t, { files: small }));
  const latest = async (): Promise<string> =>
    ((await (await fetch(`${github.apiUrl}/repos/${repository}/releases/latest`)).json()) as { tag_name: string })
      .tag_name;
  assert.equal(await latest(), 'models-v1.0.0');
  await publish(
    githubTarget(github, { makeLatest: true }),
    await makeRelease(t, { files: small, version: '1.1.0-rc.1', prerelease: true }),
  );
  await publish(githubTarget(github), await makeRelease(t, { files: small, version: '1.1.0' }));
  assert.equal(await latest(), 'models-v1.0.0');
  assert.deepEqual(
    (await githubTarget(github).published({})).map(({ version }) => version),
    ['1.1.0', '1.1.0-rc.1', '1.0.0'],
  );
  assert.equal(
    github.repository(repository).releases.find((release) => release.prerelease)?.tag_name,
    'models-v1.1.0-rc.1',
  );
});

test('immutable releases are published once and stay', async (t) => {
  const github = await githubScene(t);
  github.repository(repository).set({ immutableReleases: true });
  const release = await makeRelease(t, { files: small });
  await publish(githubTarget(github), release);
  await publish(githubTarget(github), release);
  assert.ok((await githubTarget(github).inspect(release.tag, {})).remarks.includes('immutable'));
});

test('where GitHub reports no digests, the bytes are downloaded once and hashed', async (t) => {
  const github = await githubScene(t, { digests: false });
  const release = await makeRelease(t, { files: small });
  await publish(githubTarget(github), release);
  const same = githubTarget(github);
  github.log.clear();
  await publish(same, release);
  const downloads = github.log.entries.filter((entry) => entry.origin === 'assets');
  assert.equal(downloads.length, release.files.length);
  assert.ok(downloads.every((entry) => !entry.authorization));
  const other = await makeRelease(t, { files: { ...small, 'tiny.tar.gz': bytesOf('other', 300_000) } });
  assert.equal((await failureOf(githubTarget(github).upload(other, {}))).code, 'conflict');
});

test('a signature that the caller accepts is as good as the planned one', async (t) => {
  const github = await githubScene(t);
  const files = { ...small, 'manifest.json.asc': 'signature one' };
  await publish(githubTarget(github), await makeRelease(t, { files }));
  const again = await makeRelease(t, { files: { ...small, 'manifest.json.asc': 'signature two' } });
  const accepting = (good: string) => ({
    ...again,
    files: again.files.map((file) =>
      file.name === 'manifest.json.asc' ? { ...file, accepts: (stored: Buffer) => stored.toString() === good } : file,
    ),
  });
  await publish(githubTarget(github), accepting('signature one'));
  assert.equal((await failureOf(githubTarget(github).upload(accepting('something else'), {}))).code, 'conflict');
});

test('progress counts real bytes, never backwards, and ends with each file', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: { ...small, 'big.tar.gz': bytesOf('big', 3_000_000) } });
  github.faults.add({
    match: { origin: 'uploads', path: 'big' },
    action: { kind: 'reset', of: 'request', atByte: 1_500_000 },
  });
  const context = recorder();
  await githubTarget(github).upload(release, context);
  const done: number[] = context.events.flatMap((event) =>
    event.type === 'progress' && event.subject === 'big.tar.gz' ? [event.done] : [],
  );
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
  assert.ok(done.length > 5);
  assert.equal(done.at(-1), 3_000_000);
  assert.equal(context.events.filter((event) => event.type === 'done').length, release.files.length);
});

test('a file that changed after packing is not sent', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  const [file] = release.files;
  assert.ok(file?.content.kind === 'file');
  await writeFile(file.content.path, 'shorter');
  const problems = await githubTarget(github).preflight(release, {});
  assert.match(problems[0]?.message ?? '', /has 7 bytes instead of/);
  const error = await failureOf(githubTarget(github).upload(release, {}));
  assert.equal(error.code, 'integrity');
  assert.match(error.message, /has 7 bytes instead of/);
});

test('a file of the same size with other bytes is caught by the digest of the host, and nothing goes public', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small });
  const file = release.files.find(({ name }) => name === 'tiny.tar.gz');
  assert.ok(file?.content.kind === 'file');
  await writeFile(file.content.path, bytesOf('changed', 300_000));
  const error = await failureOf(publish(githubTarget(github, {}), release));
  assert.equal(error.code, 'integrity');
  assert.equal(github.repository(repository).releases[0]?.draft, true);
});

test('the text of the release is cut where GitHub would refuse it', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files: small, notes: 'a line of notes\n'.repeat(20_000) });
  const [problem] = await githubTarget(github).preflight(release, {});
  assert.equal(problem?.level, 'warning');
  await publish(githubTarget(github), release);
  const body = String(github.repository(repository).releases[0]?.body);
  assert.ok(body.length <= 125_000 && body.length > 120_000);
  assert.match(body, /Shortened/);
});

test('an address that is not https is refused unless it is this machine', () => {
  for (const url of ['http://example.org', 'ftp://example.org', 'https://user:pw@example.org', 'nonsense']) {
    assert.throws(
      () => createGithubTarget({ repository, tagPrefix: '', apiUrl: url }),
      (error: { code?: string }) => error.code === 'usage',
    );
  }
});
