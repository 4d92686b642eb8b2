import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { differences, http, publish, request, serve } from './transfer-fixture.ts';

for (const format of ['tar.gz', 'tar.zst', 'tar'] as const) {
  test(`a cold ${format} transfer brings every file in one streamed request`, async (context) => {
    const published = await publish(context, { format });
    const mirror = await serve(context, { directory: published.directory });
    const wanted = await request(context, published.entry({ mirror: mirror.url }));
    const client = http(context);
    const plan = await planTransfer(wanted, client);
    const report = await runTransfer(plan, client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    assert.equal(report.requests, 1);
    assert.ok(report.bytesFetched <= published.index.archive.size_bytes);
    assert.deepEqual(report.mirrors[0]?.faults, []);
  });
}
