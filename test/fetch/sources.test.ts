import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { isAircherError } from '../../src/core/errors.ts';
import { fetchFromSource } from '../../src/fetch/sources/fetch-from-source.ts';
import { fetchRelease, tagPrefixOf } from '../../src/fetch/sources/fetch-release.ts';
import { parseRefAdvertisement, releaseTags } from '../../src/fetch/sources/git-tags.ts';
import { parseSource } from '../../src/fetch/sources/source.ts';
import { startServer, type TestServer } from '../http/http-fixture.ts';
import { http, temporary } from './transfer-fixture.ts';

const manifest = (release: string): string => JSON.stringify({ manifest_version: '1.0.0', release, models: {} });

function pktLine(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}

function advertisement(tags: readonly string[]): string {
  const sha = 'a'.repeat(40);
  const refs = [`${sha} HEAD\0multi_ack symref=HEAD:refs/heads/main\n`, `${sha} refs/heads/main\n`];
  for (const tag of tags) refs.push(`${sha} refs/tags/${tag}\n`, `${sha} refs/tags/${tag}^{}\n`);
  return `${pktLine('# service=git-upload-pack\n')}0000${refs.map(pktLine).join('')}0000`;
}

/** A GitHub of tags and files; anything else is 404. */
async function gitHub(
  context: TestContext,
  tags: readonly string[],
  files: Readonly<Record<string, string>>,
  isPrivate = false,
): Promise<TestServer> {
  return startServer(context, (request, response) => {
    const url = request.url ?? '';
    const allowed = request.headers.authorization === 'Bearer token';
    if (url === '/o/r.git/info/refs?service=git-upload-pack' && !isPrivate) {
      response.end(advertisement(tags));
    } else if (url.startsWith('/o/r/releases/download/') && !isPrivate) {
      const content = files[url.slice('/o/r/releases/download/'.length)];
      if (content === undefined) response.writeHead(404).end();
      else response.end(content);
    } else if (url.startsWith('/api/v3/') && isPrivate && allowed) {
      const asset = /\/releases\/assets\/(\d+)$/.exec(url)?.[1];
      const tag = /\/releases\/tags\/([^/]+)$/.exec(url)?.[1];
      const names = Object.keys(files);
      if (asset !== undefined && request.headers.accept === 'application/octet-stream')
        response.end(files[names[Number(asset)]!]);
      else if (tag !== undefined) {
        const assets = names.flatMap((path, id) =>
          path.startsWith(`${tag}/`) ? [{ id, name: path.slice(tag.length + 1) }] : [],
        );
        response.end(JSON.stringify({ assets }));
      } else if (url.includes('/git/matching-refs/tags/'))
        response.end(JSON.stringify(tags.map((name) => ({ ref: `refs/tags/${name}` }))));
      else response.writeHead(404).end();
    } else response.writeHead(404).end();
  });
}

test('github: takes the highest version of the prefix that is no prerelease, without the API', async (context) => {
  const tags = ['models-v1.9.0', 'models-v1.10.0', 'models-v2.0.0-rc.1', 'v9.0.0', 'models-vx', 'models-v1.2'];
  const server = await gitHub(context, tags, {
    'models-v1.10.0/manifest.json': manifest('models-v1.10.0'),
    'models-v1.10.0/manifest.json.minisig': 'signature',
  });
  const client = http(context, { githubServerUrl: server.url });
  const found = await fetchFromSource('github:o/r#models-v', { http: client });
  assert.ok(!found.notModified);
  assert.equal(found.tag, 'models-v1.10.0');
  assert.equal(found.bytes.toString(), manifest('models-v1.10.0'));
  assert.equal(found.signature?.toString(), 'signature');
  assert.ok(server.seen.every(({ url }) => !url.includes('/api/')));
});

test('github: names another installation by its address, before the owner', async (context) => {
  const server = await gitHub(context, ['v1.0.0'], { 'v1.0.0/manifest.json': manifest('v1.0.0') });
  const found = await fetchFromSource(`github:${server.url}/o/r#v`, { http: http(context, {}) });
  assert.ok(!found.notModified);
  assert.equal(found.tag, 'v1.0.0');
});

test('github: steps back over tags without a manifest, and says so when none has one', async (context) => {
  const server = await gitHub(context, ['v1.0.0', 'v1.1.0', 'v1.2.0'], { 'v1.0.0/manifest.json': manifest('v1.0.0') });
  const client = http(context, { githubServerUrl: server.url });
  const found = await fetchFromSource('github:o/r#v', { http: client });
  assert.equal(found.tag, 'v1.0.0');
  assert.ok(!found.notModified && found.signature === undefined);
  await assert.rejects(fetchFromSource('github:o/r#other-v', { http: client }), (error) =>
    isAircherError(error, 'remote'),
  );
});

test('github: a private repository is read through the API with a token', async (context) => {
  const files = { 'v1.0.0/manifest.json': manifest('v1.0.0'), 'v1.0.0/manifest.json.minisig': 'signature' };
  const server = await gitHub(context, ['v1.0.0'], files, true);
  const client = http(context, { githubServerUrl: server.url, githubToken: 'token' });
  const found = await fetchFromSource('github:o/r#v', { http: client });
  assert.ok(!found.notModified);
  assert.equal(found.bytes.toString(), manifest('v1.0.0'));
  assert.equal(found.signature?.toString(), 'signature');
  assert.ok(server.seen.every(({ url, headers }) => url.startsWith('/api/v3/') || headers.authorization === undefined));
});

test('a URL is asked conditionally, and its signature is optional', async (context) => {
  const server = await startServer(context, (request, response) => {
    if (request.url === '/m/manifest.json?key=1') {
      if (request.headers['if-none-match'] === '"one"') response.writeHead(304).end();
      else response.writeHead(200, { etag: '"one"' }).end(manifest('v1.0.0'));
    } else response.writeHead(404).end();
  });
  const client = http(context);
  const source = `${server.url}/m/manifest.json?key=1`;
  const first = await fetchFromSource(source, { http: client });
  assert.ok(!first.notModified);
  assert.equal(first.etag, '"one"');
  assert.equal(first.signature, undefined);
  assert.ok(server.seen.some(({ url }) => url === '/m/manifest.json.minisig?key=1'));
  const second = await fetchFromSource(source, { http: client, etag: first.etag });
  assert.equal(second.notModified, true);
});

test('a source that answers too slowly ends at its deadline', async (context) => {
  const server = await startServer(context, (_, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    const timer = setInterval(() => response.write('x'), 30);
    response.on('close', () => clearInterval(timer));
  });
  const startedAt = performance.now();
  await assert.rejects(
    fetchFromSource(`${server.url}/manifest.json`, { http: http(context), timeoutMs: 300 }),
    (error) => isAircherError(error, 'remote'),
  );
  assert.ok(performance.now() - startedAt < 10_000);
});

test('files are read with the signature beside them, by path and by URL', async (context) => {
  const directory = await temporary(context);
  const path = join(directory, 'manifest.json');
  await writeFile(path, manifest('v1.0.0'));
  await writeFile(`${path}.minisig`, 'signature');
  for (const source of [path, pathToFileURL(path).href]) {
    const found = await fetchFromSource(source, { http: http(context) });
    assert.ok(!found.notModified && found.signature?.toString() === 'signature');
  }
  await assert.rejects(fetchFromSource(directory, { http: http(context) }), (error) =>
    isAircherError(error, 'invalid'),
  );
});

test('one release is found by tag or version wherever the source keeps it, prereleases too', async (context) => {
  const paths = [
    '/org/repo/resolve/v1.1.0-rc.1/manifest.json',
    '/o/r/releases/download/v1.1.0-rc.1/manifest.json',
    '/mirror/v1.1.0-rc.1/manifest.json',
  ];
  const server = await startServer(context, (request, response) => {
    if (request.url === '/mirror/manifest.json') response.end(manifest('v1.0.0'));
    else if (paths.includes(request.url ?? '')) response.end(manifest('v1.1.0-rc.1'));
    else response.writeHead(404).end();
  });
  const client = http(context, { githubServerUrl: server.url });
  const options = { http: client, tagPrefix: 'v' };
  for (const source of [
    `${server.url}/org/repo/resolve/main/manifest.json`,
    `${server.url}/o/r/releases/latest/download/manifest.json`,
    `${server.url}/mirror/manifest.json`,
    `${server.url}/mirror/v1.0.0/manifest.json`,
    'github:o/r#v',
  ]) {
    for (const wanted of ['1.1.0-rc.1', 'v1.1.0-rc.1']) {
      const found = await fetchRelease(source, wanted, options);
      assert.equal(found.bytes.toString(), manifest('v1.1.0-rc.1'), source);
      assert.equal(found.tag, 'v1.1.0-rc.1');
    }
  }
  // The prefix is read off the source's newest manifest.
  const found = await fetchRelease(`${server.url}/mirror/manifest.json`, '1.1.0-rc.1', { http: client });
  assert.equal(found.tag, 'v1.1.0-rc.1');
  await assert.rejects(fetchRelease('github:o/r#v', '3.0.0', options), (error) => isAircherError(error, 'invalid'));
  await assert.rejects(fetchRelease('github:o/r#v', '../../x', options), (error) => isAircherError(error, 'usage'));
});

test('one release is found beside a file', async (context) => {
  const directory = await temporary(context);
  await writeFile(join(directory, 'manifest.json'), manifest('models-v1.1.0'));
  await mkdir(join(directory, 'models-v1.0.0'));
  await writeFile(join(directory, 'models-v1.0.0', 'manifest.json'), manifest('models-v1.0.0'));
  const found = await fetchRelease(join(directory, 'manifest.json'), '1.0.0', { http: http(context) });
  assert.equal(found.bytes.toString(), manifest('models-v1.0.0'));
});

test('what is no source is refused', () => {
  for (const text of ['github:o', 'github:../x', 'github:o/..', 'github:o/r#a b', 'ftp://x/y', ' ', 'github:o/r/s']) {
    assert.throws(
      () => parseSource(text),
      (error) => isAircherError(error, 'usage'),
      text,
    );
  }
  assert.deepEqual(parseSource('github:o/r.git#models-v'), {
    kind: 'github',
    server: undefined,
    repository: 'o/r',
    tagPrefix: 'models-v',
  });
  assert.deepEqual(parseSource('C:\\m\\manifest.json'), { kind: 'file', path: 'C:\\m\\manifest.json' });
});

test('any bytes are a list of refs or a typed error, never a hang', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(400), (noise, cut) => {
      for (const bytes of [noise, Buffer.concat([Buffer.from(advertisement(['v1.0.0']).slice(0, cut)), noise])]) {
        try {
          parseRefAdvertisement(bytes);
        } catch (error) {
          assert.ok(isAircherError(error, 'remote'));
        }
      }
    }),
  );
  assert.deepEqual(parseRefAdvertisement(Buffer.from(advertisement(['v1.0.0', 'x']))), ['v1.0.0', 'x']);
});

test('release tags are ordered by version, and their prefix is told from a tag', () => {
  assert.deepEqual(releaseTags(['v1.2.0', 'v1.10.0', 'v2.0.0-a', 'v1.2', 'w3.0.0'], 'v'), ['v1.10.0', 'v1.2.0']);
  assert.equal(tagPrefixOf('models-v1.2.0'), 'models-v');
  assert.equal(tagPrefixOf('m2-v1.0.0-rc.1'), 'm2-v');
  assert.equal(tagPrefixOf('12.0.1'), '');
  assert.equal(tagPrefixOf('main'), undefined);
});
