import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  batch,
  bearer,
  call,
  commitLines,
  headOf,
  hubScene,
  repository,
  sha256Of,
  textFile,
  uploadLarge,
  weights,
  writeToken,
} from './hub-scene.ts';

test('resolve: large files by a 302 to the storage origin, ordinary ones by a relative 307', async (t) => {
  const { hub } = await hubScene(t);
  const content = weights(5000);
  await commitLines(hub, [await uploadLarge(hub, 'd/w.safetensors', content), textFile('d/ä b.json', '{}')]);
  const large = await fetch(`${hub.url}/${repository}/resolve/main/d/w.safetensors`, {
    method: 'HEAD',
    redirect: 'manual',
  });
  assert.equal(large.status, 302);
  assert.equal(large.headers.get('x-linked-etag'), `"${sha256Of(content)}"`);
  assert.equal(large.headers.get('x-linked-size'), '5000');
  assert.equal(large.headers.get('x-repo-commit'), await headOf(hub));
  assert.equal(new URL(large.headers.get('location') ?? '').origin, hub.cdnUrl);
  const path = `${hub.url}/${repository}/resolve/main/d/${encodeURIComponent('ä b.json')}`;
  const small = await fetch(path, { redirect: 'manual' });
  assert.equal(small.status, 307);
  assert.match(small.headers.get('location') ?? '', /^\/api\/resolve-cache\//);
  assert.equal(await (await fetch(path)).text(), '{}');
  const pointer = await fetch(`${hub.url}/${repository}/raw/main/d/w.safetensors`);
  assert.match(await pointer.text(), new RegExp(`oid sha256:${sha256Of(content)}\nsize 5000\n$`));
});

test('signed URLs: single ranges, 416, no Authorization, nothing but what was signed, and an end', async (t) => {
  const { hub } = await hubScene(t, { signedUrlSeconds: 2, cdnEtag: 'none' });
  const content = weights(5000);
  await commitLines(hub, [await uploadLarge(hub, 'w.bin', content)]);
  const signed = async (): Promise<string> => {
    const response = await fetch(`${hub.url}/${repository}/resolve/main/w.bin`, { redirect: 'manual' });
    return response.headers.get('location') ?? '';
  };
  const url = await signed();
  const range = await fetch(url, { headers: { range: 'bytes=10-19' } });
  assert.deepEqual([range.status, range.headers.get('content-range')], [206, 'bytes 10-19/5000']);
  assert.equal(range.headers.get('etag'), null);
  assert.deepEqual(Buffer.from(await range.arrayBuffer()), content.subarray(10, 20));
  assert.equal((await fetch(url, { headers: { range: 'bytes=5000-' } })).status, 416);
  assert.equal((await fetch(url, { headers: bearer(writeToken) })).status, 400);
  assert.equal((await fetch(url, { method: 'PUT', body: content })).status, 403);
  assert.equal((await fetch(url.replace(/Expires=\d+/, 'Expires=9999999999'))).status, 403);
  hub.faults.add({ match: { origin: 'hub', path: '/resolve/' }, action: { kind: 'expired-url' } });
  assert.equal((await fetch(await signed())).status, 403);
  assert.equal((await fetch(await signed())).status, 200);
  hub.faults.add({ match: { origin: 'cdn' }, action: { kind: 'expired-url' } });
  assert.equal((await fetch(url)).status, 403);
  await new Promise((resolve) => setTimeout(resolve, 2100));
  assert.equal((await fetch(url)).status, 403);
});

test('uploads: content other than announced is refused and not kept; a commit of what is not stored is refused', async (t) => {
  const { hub } = await hubScene(t);
  const content = weights(1000);
  const oid = sha256Of(content);
  const pointer = { key: 'lfsFile', value: { path: 'w.bin', algo: 'sha256', oid, size: 1000 } };
  assert.equal((await commitLines(hub, [pointer])).status, 400);
  const href = (await batch(hub, oid, 1000)).objects[0]?.actions?.upload?.href ?? '';
  const put = async (body: Buffer<ArrayBuffer>): Promise<number> => (await fetch(href, { method: 'PUT', body })).status;
  assert.equal(await put(weights(1000)), 400);
  assert.equal(await put(content.subarray(0, 999)), 400);
  assert.equal((await batch(hub, oid, 1000, { operation: 'download' })).objects[0]?.error?.code, 404);
  assert.equal(await put(content), 200);
  assert.deepEqual((await batch(hub, oid, 1000)).objects[0]?.actions, undefined);
  assert.equal((await batch(hub, oid, 999)).objects[0]?.error?.code, 422);
  assert.equal((await commitLines(hub, [{ ...pointer, value: { ...pointer.value, size: 999 } }])).status, 400);
  assert.equal((await commitLines(hub, [pointer])).status, 200);
});

test('an upload in parts is refused as a whole when a part is missing or holds other bytes', async (t) => {
  const { hub } = await hubScene(t, { multipart: { thresholdBytes: 100, partBytes: 400 } });
  const content = weights(1000);
  const upload = (await batch(hub, sha256Of(content), 1000)).objects[0]?.actions?.upload;
  const send = async (part: number, body: Buffer<ArrayBuffer>): Promise<{ partNumber: number; etag: string }> => {
    const response = await fetch(upload?.header?.[String(part).padStart(5, '0')] ?? '', { method: 'PUT', body });
    return { partNumber: part, etag: response.headers.get('etag') ?? '' };
  };
  const complete = async (parts: unknown): Promise<number> =>
    (await fetch(upload?.href ?? '', { method: 'POST', body: JSON.stringify({ oid: sha256Of(content), parts }) }))
      .status;
  const first = await send(1, content.subarray(0, 400));
  const second = await send(2, weights(400));
  const third = await send(3, content.subarray(800));
  assert.equal(await complete([first, third]), 400);
  assert.equal(await complete([first, second, third]), 400);
  const right = await send(2, content.subarray(400, 800));
  assert.equal(await complete([first, second, third]), 400);
  assert.equal(await complete([first, right, third]), 200);
  assert.equal((await batch(hub, sha256Of(content), 1000)).objects[0]?.actions, undefined);
});

test('preupload sends by .gitattributes, by size and by content to large file storage, and tells what is there', async (t) => {
  const { hub } = await hubScene(t);
  await commitLines(hub, [textFile('config.json', '{}\n'), textFile('.gitignore', '*.log\nbuild/\n')]);
  const ask = (path: string, size: number, sample: string): unknown => ({
    path,
    size,
    sample: Buffer.from(sample).toString('base64'),
  });
  const response = await call(hub, '/preupload/main', {
    files: [
      ask('model.safetensors', 10, 'x'),
      ask('deep/a.tar.gz', 10, 'x'),
      ask('config.json', 3, '{}\n'),
      ask('big.json', 10 * 1024 * 1024 + 1, '{'),
      ask('small.dat', 3, 'a\0b'),
      ask('run.log', 1, 'x'),
      ask('build/out.txt', 1, 'x'),
    ],
  });
  const { files } = (await response.json()) as { readonly files: readonly Record<string, unknown>[] };
  assert.deepEqual(
    files.map(({ path, uploadMode, shouldIgnore, oid }) => [path, uploadMode, shouldIgnore, oid]),
    [
      ['model.safetensors', 'lfs', false, null],
      ['deep/a.tar.gz', 'lfs', false, null],
      ['config.json', 'regular', false, '0967ef424bce6791893e9a57bb952f80fd536e93'],
      ['big.json', 'lfs', false, null],
      ['small.dat', 'lfs', false, null],
      ['run.log', 'regular', true, null],
      ['build/out.txt', 'regular', true, null],
    ],
  );
});

test('a large file that .gitattributes does not track yet is added to it by the commit', async (t) => {
  const { hub } = await hubScene(t);
  await commitLines(hub, [await uploadLarge(hub, 'odd name [1].json', weights(100))]);
  const attributes = await (await fetch(`${hub.url}/${repository}/raw/main/.gitattributes`)).text();
  assert.ok(attributes.endsWith('\nodd[[:space:]]name[[:space:]]\\[1\\].json filter=lfs diff=lfs merge=lfs -text\n'));
});

test('a README.md with bad metadata is refused, and validate-yaml says why', async (t) => {
  const { hub } = await hubScene(t);
  const validate = async (content: string): Promise<[number, string[], string[]]> => {
    const response = await fetch(`${hub.url}/api/validate-yaml`, {
      method: 'POST',
      body: JSON.stringify({ content, repoType: 'model' }),
    });
    const { errors, warnings } = (await response.json()) as Record<string, { readonly message: string }[]>;
    return [response.status, (errors ?? []).map((e) => e.message), (warnings ?? []).map((w) => w.message)];
  };
  const good = '---\nlicense: apache-2.0\ntags:\n- embeddings\n---\n# Models\n';
  const bad = '---\nlicense: my-own\n---\n';
  assert.deepEqual(await validate(good), [200, [], []]);
  assert.equal((await validate(bad))[0], 400);
  assert.match((await validate(bad))[1][0] ?? '', /"license"/);
  assert.equal((await validate('---\na: [\n---\n'))[0], 400);
  assert.equal((await validate('# no metadata\n'))[2].length, 1);
  assert.equal((await commitLines(hub, [textFile('README.md', bad)])).status, 400);
  assert.equal((await commitLines(hub, [textFile('README.md', good)])).status, 200);
});
