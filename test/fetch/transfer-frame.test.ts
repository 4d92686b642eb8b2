import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { joinCrc32 } from '../../src/archive/gzip-member.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults } from '../../src/rehearsal/faults.ts';
import type { StaticMirror } from '../../src/rehearsal/mirror.ts';
import { differences, http, type Published, publish, request, serve, temporary } from './transfer-fixture.ts';

test('the CRC-32 of two pieces is that of both together', () => {
  const piece = fc.uint8Array({ maxLength: 5000 });
  fc.assert(
    fc.property(piece, piece, (a, b) => {
      assert.equal(joinCrc32(crc32(a), crc32(b), b.length), crc32(Buffer.concat([a, b])));
    }),
  );
});

/** A mirror whose archive has one byte flipped, counted from the end where it is negative. */
async function serveFlipped(context: TestContext, published: Published, offset: number): Promise<StaticMirror> {
  return serve(context, await flipped(context, published, offset));
}

async function flipped(context: TestContext, published: Published, offset: number): Promise<{ directory: string }> {
  const directory = await temporary(context);
  const bytes = await readFile(join(published.directory, 'tiny-test.tar.gz'));
  bytes[offset < 0 ? bytes.length + offset : offset]! ^= 0x01;
  await writeFile(join(directory, 'tiny-test.tar.gz'), bytes);
  await writeFile(join(directory, 'tiny-test.tar.gz.index.json'), published.indexBytes);
  return { directory };
}

for (const [place, offset] of [
  ['gzip header', 9],
  ['tar structure', 30],
  ['gzip trailer', -6],
] as const) {
  test(`a flipped byte of the ${place} is refused, and again after an interruption; another mirror makes up for it`, async (context) => {
    const published = await publish(context);
    const bad = await serveFlipped(context, published, offset);
    const good = await serve(context, { directory: published.directory });
    const client = http(context);
    const wanted = await request(context, published.entry({ mirror: bad.url }));
    for (const _ of ['first', 'again']) {
      const plan = await planTransfer(wanted, client);
      await assert.rejects(runTransfer(plan, client), { code: 'integrity' });
    }
    const both = { ...wanted, entry: published.entry({ mirror: bad.url, github: good.url, primary: 'mirror' }) };
    const report = await runTransfer(await planTransfer(both, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    const faults = report.mirrors.map(({ mirror, faults }) => [mirror, faults.map(({ kind }) => kind)]);
    assert.deepEqual(Object.fromEntries(faults), { mirror: ['wrong-bytes'], github: [] });
  });

  test(`a flipped byte of the ${place} is no hindrance where the Hub has the files themselves`, async (context) => {
    const published = await publish(context);
    const bad = await serveFlipped(context, published, offset);
    const hub = await serve(context, { directory: published.directory });
    const client = http(context);
    const wanted = await request(context, published.entry({ mirror: bad.url, raw: hub.url }));
    await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  });
}

test('wrong bytes are told as that where the server has no ranges either', async (context) => {
  const published = await publish(context);
  const { directory } = await flipped(context, published, 200_000);
  const faults = createFaults([{ match: {}, times: 'always', action: { kind: 'ignore-range' } }]);
  const bad = await serve(context, { directory, faults });
  const client = http(context);
  const plan = await planTransfer(await request(context, published.entry({ mirror: bad.url })), client);
  await assert.rejects(runTransfer(plan, client), { code: 'integrity' });
});
