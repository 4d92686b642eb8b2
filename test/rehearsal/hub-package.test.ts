import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import * as client from '@huggingface/hub';
import { hubScene, readToken, repository, sha256Of, weights, writeToken } from './hub-scene.ts';

const credentials = { repo: repository, accessToken: writeToken };

async function textOf(blob: Blob | null): Promise<string> {
  assert.ok(blob);
  return blob.text();
}

test('the Hub package commits small and large files, and reads back the same bytes', async (t) => {
  const { hub } = await hubScene(t);
  const hubUrl = hub.url;
  const model = weights(3_000_000);
  const committed = await client.commit({
    ...credentials,
    hubUrl,
    title: 'Add a model',
    useXet: false,
    operations: [
      { operation: 'addOrUpdate', path: 'a/model.safetensors', content: new Blob([model]) },
      { operation: 'addOrUpdate', path: 'a/config.json', content: new Blob(['{}\n']) },
    ],
  });
  const infos = await client.pathsInfo({
    ...credentials,
    hubUrl,
    paths: ['a/model.safetensors', 'a/config.json', 'a', 'no'],
  });
  assert.deepEqual(
    infos.map(({ path, type, size, oid, lfs }) => ({ path, type, size, oid: lfs ? undefined : oid, lfs: lfs?.oid })),
    [
      { path: 'a/model.safetensors', type: 'file', size: 3_000_000, oid: undefined, lfs: sha256Of(model) },
      // `printf '{}\n' | git hash-object --stdin`
      { path: 'a/config.json', type: 'file', size: 3, oid: '0967ef424bce6791893e9a57bb952f80fd536e93', lfs: undefined },
      { path: 'a', type: 'directory', size: 0, oid: infos[2]?.oid, lfs: undefined },
    ],
  );
  assert.ok(committed);
  const file = await client.downloadFile({
    repo: repository,
    hubUrl,
    path: 'a/model.safetensors',
    revision: committed.commit.oid,
  });
  assert.ok(file);
  assert.equal(sha256Of(new Uint8Array(await file.arrayBuffer())), sha256Of(model));
  assert.equal(await textOf(await client.downloadFile({ repo: repository, hubUrl, path: 'a/config.json' })), '{}\n');
  assert.equal(await client.downloadFile({ repo: repository, hubUrl, path: 'missing' }), null);
  assert.equal(await client.fileExists({ repo: repository, hubUrl, path: 'a/config.json' }), true);
});

test('the Hub package uploads in parts above the threshold, and content that is there is not sent again', async (t) => {
  const { hub } = await hubScene(t, { multipart: { thresholdBytes: 1_000_000, partBytes: 400_000 } });
  const content = new Blob([weights(1_500_000)]);
  const upload = (path: string): Promise<unknown> =>
    client.uploadFiles({ ...credentials, hubUrl: hub.url, useXet: false, files: [{ path, content }] });
  await upload('one.safetensors');
  const parts = hub.log.entries.filter(({ method, origin }) => method === 'PUT' && origin === 'cdn');
  assert.deepEqual(parts.map(({ bytesIn }) => bytesIn).sort(), [300_000, 400_000, 400_000, 400_000]);
  hub.log.clear();
  await upload('two.safetensors');
  assert.deepEqual(
    hub.log.entries.filter(({ method }) => method === 'PUT'),
    [],
  );
  const [one, two] = await client.pathsInfo({
    ...credentials,
    hubUrl: hub.url,
    paths: ['one.safetensors', 'two.safetensors'],
  });
  assert.equal(one?.lfs?.oid, two?.lfs?.oid);
});

test('without useXet: false the Hub package falls back to plain uploads, because the batch answer says basic', async (t) => {
  const { hub } = await hubScene(t);
  const content = weights(100_000);
  await client.uploadFile({ ...credentials, hubUrl: hub.url, file: { path: 'x.bin', content: new Blob([content]) } });
  const [info] = await client.pathsInfo({ ...credentials, hubUrl: hub.url, paths: ['x.bin'] });
  assert.equal(info?.lfs?.oid, sha256Of(content));
});

test('the Hub package lists files and commits over several pages', async (t) => {
  const { hub } = await hubScene(t);
  const hubUrl = hub.url;
  const files = Array.from({ length: 60 }, (_, index) => ({
    path: `d/f${index}.txt`,
    content: new Blob([`${index}`]),
  }));
  await client.uploadFiles({ ...credentials, hubUrl, files, useXet: false, commitTitle: 'Many' });
  const listed: string[] = [];
  for await (const entry of client.listFiles({ repo: repository, hubUrl, recursive: true, expand: true })) {
    if (entry.type === 'file') listed.push(entry.path);
    if (entry.path.startsWith('d')) assert.equal(entry.lastCommit?.title, 'Many');
  }
  assert.deepEqual(listed.sort(), ['.gitattributes', ...files.map(({ path }) => path)].sort());
  const titles: string[] = [];
  for await (const { title } of client.listCommits({ repo: repository, hubUrl, batchSize: 1 })) titles.push(title);
  assert.deepEqual(titles, ['Many', 'initial commit']);
  assert.equal(await client.countCommits({ repo: repository, hubUrl }), 2);
});

test('the Hub package makes and deletes branches, and a commit on one leaves main alone', async (t) => {
  const { hub } = await hubScene(t);
  const hubUrl = hub.url;
  const branch = 'publish-models-v1.0.0';
  await client.createBranch({ ...credentials, hubUrl, branch });
  await assert.rejects(client.createBranch({ ...credentials, hubUrl, branch }), { statusCode: 409 });
  await client.commit({
    ...credentials,
    hubUrl,
    branch,
    title: 'On the branch',
    operations: [{ operation: 'addOrUpdate', path: 'new.txt', content: new Blob(['new']) }],
  });
  assert.equal(await client.fileExists({ repo: repository, hubUrl, path: 'new.txt' }), false);
  assert.equal(await client.fileExists({ repo: repository, hubUrl, path: 'new.txt', revision: branch }), true);
  await client.deleteBranch({ ...credentials, hubUrl, branch });
  await assert.rejects(client.deleteBranch({ ...credentials, hubUrl, branch }), { statusCode: 404 });
});

test('a commit whose parent is not the head any more is refused with 412, and changes nothing', async (t) => {
  const { hub } = await hubScene(t);
  const hubUrl = hub.url;
  const { sha: parent } = await client.modelInfo({ name: repository, hubUrl, additionalFields: ['sha'] });
  const commit = (text: string): Promise<unknown> =>
    client.commit({
      ...credentials,
      hubUrl,
      title: text,
      parentCommit: parent,
      operations: [{ operation: 'addOrUpdate', path: 'note.txt', content: new Blob([text]) }],
    });
  await commit('first');
  await assert.rejects(commit('second'), { statusCode: 412 });
  assert.equal(await textOf(await client.downloadFile({ repo: repository, hubUrl, path: 'note.txt' })), 'first');
});

test('whoAmI tells the role of the token; createRepo answers 409 for a repository that is there', async (t) => {
  const { hub } = await hubScene(t);
  const hubUrl = hub.url;
  const me = await client.whoAmI({ accessToken: readToken, hubUrl });
  assert.equal(me.name, 'alice');
  assert.equal(me.auth.accessToken?.role, 'read');
  await client.createRepo({ repo: 'acme/other', accessToken: writeToken, hubUrl, visibility: 'private' });
  await assert.rejects(client.createRepo({ repo: 'acme/other', accessToken: writeToken, hubUrl }), { statusCode: 409 });
  await assert.rejects(client.createRepo({ repo: 'acme/third', accessToken: readToken, hubUrl }), { statusCode: 403 });
  await assert.rejects(client.checkRepoAccess({ repo: 'acme/other', hubUrl }), { statusCode: 401 });
  await client.checkRepoAccess({ repo: 'acme/other', accessToken: readToken, hubUrl });
});

test('everything is there after a restart, signed URLs handed out before it included', async (t) => {
  const scene = await hubScene(t, { port: 0 });
  const content = Buffer.from(randomBytes(1000));
  await client.uploadFile({
    ...credentials,
    hubUrl: scene.hub.url,
    useXet: false,
    file: { path: 'w.bin', content: new Blob([content]) },
  });
  const head = await fetch(`${scene.hub.url}/${repository}/resolve/main/w.bin`, { redirect: 'manual' });
  const signed = new URL(head.headers.get('location') ?? '');
  const hub = await scene.restart();
  const again = await fetch(`${hub.cdnUrl}${signed.pathname}${signed.search}`);
  assert.equal(sha256Of(new Uint8Array(await again.arrayBuffer())), sha256Of(content));
  const [info] = await client.pathsInfo({ ...credentials, hubUrl: hub.url, paths: ['w.bin'] });
  assert.equal(info?.lfs?.oid, sha256Of(content));
});
