import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import type { StaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { differences, http, type Published, publish, request, serve } from './transfer-fixture.ts';

for (const format of ['tar.gz', 'tar.zst', 'tar'] as const) {
  test(`a cold ${format} transfer brings every file, each byte once`, async (context) => {
    const published = await publish(context, { format });
    const mirror = await serve(context, { directory: published.directory });
    const wanted = await request(context, published.entry({ mirror: mirror.url }));
    const client = http(context);
    const plan = await planTransfer(wanted, client);
    const report = await runTransfer(plan, client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    assert.ok(report.bytesFetched <= published.index.archive.size_bytes);
    assert.deepEqual(report.mirrors[0]?.faults, []);
  });
}

test('a model of one chunk or a few small files is one request', async (context) => {
  const published = await publish(context, { layers: 1, layerBytes: 300_000 });
  const mirror = await serve(context, { directory: published.directory });
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const client = http(context);
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.equal(report.mirrors[0]?.requests, 1);
});

test('a small model comes from the preferred mirror alone', async (context) => {
  const published = await publish(context, { layers: 3 });
  const [first, second] = [await serve(context, published), await serve(context, published)];
  const wanted = await request(context, published.entry({ github: first.url, mirror: second.url, primary: 'github' }), {
    mirrorOrder: ['mirror', 'github'],
  });
  const client = http(context);
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.equal(archiveRequests(first).length, 0);
  assert.deepEqual([report.mirrors[0]?.mirror, report.mirrors[0]?.bytes], ['mirror', report.bytesFetched]);
});

let large: Promise<Published> | undefined;
after(async () => rm((await large)?.directory ?? '', { recursive: true, force: true }));

for (const [rate, bytesPerSecond] of Object.entries({
  'as fast as it can': undefined,
  '20 MB/s a connection': 20_000_000,
  '5 MB/s a connection': 5_000_000,
  '1 MB/s a connection': 1_000_000,
})) {
  for (const count of [1, 2]) {
    test(`${rate}, ${count === 1 ? 'one mirror' : 'two mirrors'}: what is needed crosses the wire once, and no request is cut off`, {
      timeout: 60_000,
    }, async (context) => {
      large ??= publish({ after: () => {} } as unknown as TestContext, { layers: 24, layerBytes: 1_000_000 });
      const published = await large;
      const limits = bytesPerSecond === undefined ? {} : { bytesPerSecond };
      const mirrors = [await serve(context, { directory: published.directory, limits })];
      if (count === 2) mirrors.push(await serve(context, { directory: published.directory, limits }));
      const [github, mirror] = mirrors.map(({ url }) => url);
      const entry = published.entry({ github: github!, ...(mirror && { mirror }) });
      const wanted = await request(context, entry);
      const client = http(context);
      const report = await runTransfer(await planTransfer(wanted, client), client);
      assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
      const requests = mirrors.flatMap(archiveRequests);
      const sent = requests.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
      assert.ok(sent <= 1.02 * entry.size_bytes, `${sent} of ${entry.size_bytes} bytes`);
      // What left the server, and wasn't read here, was of a request that was cut off.
      assert.equal(report.bytesFetched, sent);
      for (const { range, bytesOut } of requests) {
        const [, from = 0, to = entry.size_bytes - 1] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
        assert.equal(bytesOut, Number(to) - Number(from) + 1, 'every range is read to its end');
      }
      if (count === 2)
        assert.ok(
          mirrors.every((one) => archiveRequests(one).length > 0),
          'both are asked',
        );
    });
  }
}

function archiveRequests({ log }: StaticMirror) {
  return log.entries.filter(({ path }) => path.endsWith('.tar.gz'));
}
