import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { startServer } from '../http/http-fixture.ts';
import { differences, http, model, type Published, publish, request, serve, temporary } from './transfer-fixture.ts';

/** A host that redirects to signed addresses on another one, each good for so many requests. */
async function signedHost(context: TestContext, published: Published, usesEach: number) {
  const archive = await readFile(join(published.directory, `${model}.tar.gz`));
  const uses = new Map<string, number>();
  const storage = await startServer(context, (request, response) => {
    const key = request.url ?? '';
    const used = uses.get(key) ?? 0;
    uses.set(key, used + 1);
    if (used >= usesEach || request.headers.authorization !== undefined) {
      response.writeHead(403).end('expired');
      return;
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined) {
      response.writeHead(200, { 'content-length': archive.length }).end(archive);
      return;
    }
    const slice = archive.subarray(Number(from), Number(to) + 1);
    response
      .writeHead(206, { 'content-length': slice.length, 'content-range': `bytes ${from}-${to}/${archive.length}` })
      .end(slice);
  });
  let signed = 0;
  const redirect = (response: ServerResponse): void => {
    response.writeHead(302, { location: `${storage.url}/signed/${signed++}?secret=1` }).end();
  };
  return { archive, storage, redirect, signed: () => signed };
}

async function updateFrom(context: TestContext, url: string, options = {}) {
  const old = await publish(context, { layers: 12 });
  const next = await publish(context, { layers: 12, version: '1.1.0', retrained: [1, 4, 7, 10] });
  const indexes = await serve(context, { directory: next.directory });
  const entry = next.entry({ github: indexes.url });
  const wanted = await request(context, { ...entry, download_urls: { github: url } }, { reuse: [old.reuse()] });
  return { next, wanted, client: http(context, { connections: 1, ...options }) };
}

for (const [name, uses, most] of [
  ['is resolved once and used for every range', 100, 1],
  ['that expires is resolved again, and that is no fault', 1, 5],
] as const) {
  test(`a signed address ${name}`, async (context) => {
    const next = await publish(context, { layers: 12, version: '1.1.0', retrained: [1, 4, 7, 10] });
    const host = await signedHost(context, next, uses);
    const front = await startServer(context, (_, response) => host.redirect(response));
    const { wanted, client } = await updateFrom(context, `${front.url}/archive`);
    const report = await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), next), []);
    assert.deepEqual(report.mirrors[0]?.faults, []);
    assert.ok(host.signed() <= most, `${host.signed()} times`);
    assert.ok(host.storage.seen.filter(({ headers }) => headers.range !== undefined).length >= 4);
  });
}

test('signed addresses that never work end in a typed error, soon', { timeout: 15_000 }, async (context) => {
  const next = await publish(context, { layers: 2 });
  const host = await signedHost(context, next, 0);
  const front = await startServer(context, (_, response) => host.redirect(response));
  const indexes = await serve(context, { directory: next.directory });
  const wanted = await request(context, {
    ...next.entry({ github: indexes.url }),
    download_urls: { github: `${front.url}/archive` },
  });
  const client = http(context);
  await assert.rejects(runTransfer(await planTransfer(wanted, client), client), (error) => {
    assert.ok(isAircherError(error, 'remote'));
    assert.doesNotMatch(JSON.stringify([error.message, error.problems, error.details]), /secret/);
    return true;
  });
});

test('a private repository: the asset by its id through the API, the token nowhere else', async (context) => {
  const published = await publish(context);
  const host = await signedHost(context, published, 100);
  const files: Record<string, Buffer> = {
    [`${model}.tar.gz`]: host.archive,
    [`${model}.tar.gz.index.json`]: published.indexBytes,
  };
  const names = Object.keys(files);
  const front = await startServer(context, (incoming, response) => {
    const url = incoming.url ?? '';
    const allowed = incoming.headers.authorization === 'Bearer token';
    const id = /^\/api\/v3\/repos\/o\/r\/releases\/assets\/(\d+)$/.exec(url)?.[1];
    if (allowed && url === '/api/v3/repos/o/r/releases/tags/v1.0.0') {
      response.end(JSON.stringify({ assets: names.map((name, number) => ({ id: number, name })) }));
    } else if (allowed && id === '0' && incoming.headers.accept === 'application/octet-stream') {
      host.redirect(response);
    } else if (allowed && id === '1') response.end(files[names[1]!]);
    else response.writeHead(404).end();
  });
  const client = http(context, { githubServerUrl: front.url, githubToken: 'token' });
  const wanted = await request(context, published.entry({ github: 'https://github.com/o/r/releases/download/v1.0.0' }));
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.deepEqual(report.mirrors[0]?.faults, []);
  assert.ok(
    host.storage.seen.length > 0 && host.storage.seen.every(({ headers }) => headers.authorization === undefined),
  );
  assert.ok(front.seen.every(({ url, headers }) => url.startsWith('/api/v3/') || headers.authorization === undefined));
});

test('an archive whose second half is another one is found out, and the other mirror brings the rest', async (context) => {
  const published = await publish(context, { layers: 8 });
  const changed = await readFile(join(published.directory, `${model}.tar.gz`));
  changed.fill(7, Math.floor(changed.length / 2));
  const directory = await temporary(context);
  await writeFile(join(directory, `${model}.tar.gz`), changed);
  const changing = await serve(context, { directory });
  const good = await serve(context, { directory: published.directory });
  const entry = published.entry({ mirror: good.url });
  const wanted = await request(context, {
    ...entry,
    primary: 'github',
    download_urls: { ...entry.download_urls, github: `${changing.url}/${model}.tar.gz` },
  });
  const client = http(context);
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  const [first] = report.mirrors;
  assert.equal(first?.faults[0]?.kind, 'wrong-bytes');
  assert.ok((first?.chunks ?? 0) > 0, 'what is right of it counts');
});
