import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isAircherError } from '../../src/core/errors.ts';
import { chunksOf } from '../../src/fetch/transfer/chunk.ts';
import { RangeFetcher } from '../../src/fetch/transfer/fetch-ranges.ts';
import { chunkMirrors } from '../../src/fetch/transfer/mirror.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { RangeQueue } from '../../src/fetch/transfer/range-queue.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults, type FaultAction } from '../../src/rehearsal/faults.ts';
import type { StaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { differences, http, type Published, publish, request, serve, temporary } from './transfer-fixture.ts';

const archive = { path: '\\.tar\\.gz$' };

/** Two mirrors that do the same. */
async function startPair(context: TestContext, { directory }: Published, actions: readonly FaultAction[]) {
  const faults = () => createFaults(actions.map((action) => ({ match: archive, times: 'always', action })));
  return [
    await serve(context, { directory, faults: faults() }),
    await serve(context, { directory, faults: faults() }),
  ] as const;
}

function urlsOf([github, mirror]: readonly [StaticMirror, StaticMirror]) {
  return { github: github.url, mirror: mirror.url };
}

/** With so many chunks that are smaller than what a slow mirror brings until it is given up. */
let shared: Promise<Published> | undefined;
after(async () => rm((await shared)?.directory ?? '', { recursive: true, force: true }));

const endless: Readonly<Record<string, readonly [readonly FaultAction[], 'integrity' | 'remote']>> = {
  'one wrong byte in each answer': [[{ kind: 'flip', atByte: 100_000 }], 'integrity'],
  '400 bytes a second': [[{ kind: 'slow', bytesPerSecond: 400 }], 'remote'],
  'no answer': [[{ kind: 'stall' }], 'remote'],
};

for (const [name, [actions, code]] of Object.entries(endless)) {
  for (const index of [true, false]) {
    test(`every mirror sends ${name} for ever, ${index ? 'with' : 'without'} an index: it fails typed, in bounded time`, {
      timeout: 30_000,
    }, async (context) => {
      shared ??= publish({ after: () => {} } as unknown as TestContext, { layers: 2, smallFiles: 500 });
      const published = await shared;
      const pair = await startPair(context, published, actions);
      const client = http(context);
      const wanted = await request(context, published.entry({ ...urlsOf(pair), index }));
      await assert.rejects(runTransfer(await planTransfer(wanted, client), client), (error) => {
        assert.ok(isAircherError(error, code), String(error));
        assert.match(error.hint ?? '', /kept/);
        return true;
      });
    });
  }
}

test('without an index, mirrors that break off again and again and send a wrong byte: integrity, after a few archives', {
  timeout: 30_000,
}, async (context) => {
  const published = await publish(context);
  const pair = await startPair(context, published, [
    { kind: 'flip', atByte: 100_000 },
    { kind: 'reset', atByte: 1_500_000 },
  ]);
  const client = http(context);
  const entry = published.entry({ ...urlsOf(pair), index: false });
  const wanted = await request(context, entry);
  await assert.rejects(runTransfer(await planTransfer(wanted, client), client), { code: 'integrity' });
  const sent = pair.flatMap(({ log }) => log.entries).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  assert.ok(sent < 6 * entry.size_bytes, `${sent / entry.size_bytes} times the archive`);
});

test('one wrong byte at every mirror: integrity, and what is right is kept for the next run', async (context) => {
  const published = await publish(context);
  const directory = await temporary(context);
  const bytes = await readFile(join(published.directory, 'tiny-test.tar.gz'));
  bytes[1_000_000]! ^= 1;
  await writeFile(join(directory, 'tiny-test.tar.gz'), bytes);
  await writeFile(join(directory, 'tiny-test.tar.gz.index.json'), published.indexBytes);
  const [one, other] = [await serve(context, { directory }), await serve(context, { directory })];
  const client = http(context);
  const wanted = await request(context, published.entry({ github: one.url, mirror: other.url }));
  await assert.rejects(runTransfer(await planTransfer(wanted, client), client), { code: 'integrity' });
  const good = await serve(context, published);
  const again = { ...wanted, entry: published.entry({ mirror: good.url }) };
  const report = await runTransfer(await planTransfer(again, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.ok(report.bytesFetched < 800_000, `${report.bytesFetched} bytes`);
});

test('without an index, a mirror that breaks off makes no other one look guilty of wrong bytes', async (context) => {
  const published = await publish(context);
  const bad = await serve(context, {
    directory: published.directory,
    faults: createFaults([
      { match: archive, times: 1, action: { kind: 'flip', atByte: 100_000 } },
      { match: archive, times: 'always', action: { kind: 'reset', atByte: 1_500_000 } },
    ]),
  });
  const good = await serve(context, { directory: published.directory });
  const client = http(context);
  const entry = published.entry({ github: bad.url, mirror: good.url, primary: 'github', index: false });
  const wanted = await request(context, entry);
  await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
});

for (const index of [true, false]) {
  test(`an archive may take longer to begin than other answers, ${index ? 'with' : 'without'} an index`, async (context) => {
    const published = await publish(context);
    const faults = createFaults([{ match: archive, times: 'always', action: { kind: 'stall', ms: 1000 } }]);
    const server = await serve(context, { directory: published.directory, faults });
    const client = http(context, { connectTimeoutMs: 500, archiveTimeoutMs: 10_000 });
    const wanted = await request(context, published.entry({ mirror: server.url, index }));
    const report = await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    assert.deepEqual(report.mirrors[0]?.faults, []);
  });
}

for (const [name, action] of Object.entries<FaultAction>({
  'status 404': { kind: 'status', status: 404 },
  'status 403': { kind: 'status', status: 403 },
  'a web page': { kind: 'html' },
  'another file': { kind: 'flip', atByte: 40 },
})) {
  for (const times of [1, 2, 'always'] as const) {
    const outcome = times === 'always' ? 'it fails' : 'it is asked again after a moment';
    test(`every mirror answers with ${name} instead of the chunk index (${times}): ${outcome}`, async (context) => {
      const published = await publish(context, { layers: 1 });
      const match = { path: '\\.index\\.json$' };
      const start = () =>
        serve(context, { directory: published.directory, faults: createFaults([{ match, times, action }]) });
      const urls = { github: (await start()).url, mirror: (await start()).url };
      const client = http(context);
      const staging = await temporary(context);
      const plan = planTransfer(await request(context, published.entry(urls), { staging }), client);
      if (times !== 'always') assert.deepEqual((await plan).index?.bytes, published.indexBytes);
      else
        await assert.rejects(plan, (error) => isAircherError(error, name === 'another file' ? 'integrity' : 'remote'));
    });
  }
}

test('where the disk is slower than the network, a few chunks wait for it, and no more the longer it takes', async (context) => {
  const published = await publish(context, { layers: 80 });
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const chunks = chunksOf(published.index);
  let disk: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  let most = 0;
  const fetcher = new RangeFetcher({
    http: client,
    mirrors: chunkMirrors(wanted, published.index, client),
    queue: new RangeQueue(chunks, client.settings.connections),
    async store() {
      waiting++;
      most = Math.max(most, waiting);
      disk = disk.then(() => delay(10));
      await disk;
      waiting--;
    },
    onChunk: () => {},
  });
  await fetcher.run();
  assert.ok(chunks.length > 60 && chunks.every(({ state }) => state === 'done'));
  // Each connection may finish one that it had begun.
  assert.ok(most <= 6 + client.settings.connections, `${most} of ${chunks.length} chunks at once`);
});
