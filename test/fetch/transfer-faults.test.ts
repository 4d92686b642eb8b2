import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults, type FaultAction } from '../../src/rehearsal/faults.ts';
import { differences, http, type Published, publish, request, serve } from './transfer-fixture.ts';

/**
 * What the archive's requests meet; the index comes through, since its own faults have their own
 * test.
 */
const faults: Readonly<Record<string, FaultAction>> = {
  'cut at the first byte': { kind: 'reset', atByte: 0 },
  'cut inside a chunk': { kind: 'reset', atByte: 300_000 },
  'closed inside a chunk': { kind: 'reset', atByte: 300_000, how: 'fin' },
  'stalled before the body': { kind: 'stall', atByte: 0 },
  'stalled inside a chunk': { kind: 'stall', atByte: 200_000 },
  'slow (400 B/s)': { kind: 'slow', bytesPerSecond: 400 },
  'truncated with a clean end': { kind: 'truncate', atByte: 250_000 },
  'one flipped byte': { kind: 'flip', atByte: 100_000 },
  'a web page': { kind: 'html' },
  'too long a Content-Length': { kind: 'wrong-length', by: 5 },
  'too short a Content-Length': { kind: 'wrong-length', by: -5 },
  'gzip that nobody asked for': { kind: 'gzip' },
  'status 403': { kind: 'status', status: 403 },
  'status 404': { kind: 'status', status: 404 },
  'status 416': { kind: 'status', status: 416 },
  'status 429': { kind: 'status', status: 429 },
  'status 429 for an hour': { kind: 'status', status: 429, headers: { 'retry-after': '3600' } },
  'status 500': { kind: 'status', status: 500 },
  'a redirect loop': { kind: 'redirect', to: 'self' },
  'a redirect to a file': { kind: 'redirect', to: 'file:///etc/hostname' },
  'a redirect to another scheme': { kind: 'redirect', to: 'ftp://127.0.0.1/x' },
  'a redirect to plain http elsewhere': { kind: 'redirect', to: 'http://192.0.2.1/x' },
};

const integrity = new Set(['one flipped byte']);

let shared: Promise<Published> | undefined;

async function faulty(context: TestContext, action: FaultAction, withGood: boolean) {
  shared ??= publish({ after: () => {} } as unknown as TestContext, { layers: 3, layerBytes: 400_000 });
  const published = await shared;
  const rules = [{ match: { path: '\\.tar\\.gz$' }, times: 'always' as const, action }];
  const bad = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const good = withGood ? await serve(context, { directory: published.directory }) : undefined;
  const events: Event[] = [];
  const wanted = await request(
    context,
    published.entry({ github: bad.url, ...(good && { mirror: good.url }), primary: 'github' }),
  );
  const client = http(context);
  const run = async () =>
    runTransfer(await planTransfer(wanted, client), client, { onEvent: (event) => events.push(event) });
  return { published, run, events, files: join(wanted.staging, 'files') };
}

for (const [name, action] of Object.entries(faults)) {
  test(`${name}: the other mirror serves, and the report says who misbehaved`, { timeout: 20_000 }, async (context) => {
    const { published, run, events, files } = await faulty(context, action, true);
    const report = await run();
    assert.deepEqual(await differences(files, published), []);
    const bad = report.mirrors.find((mirror) => mirror.mirror === 'github');
    assert.notDeepEqual(bad?.faults, []);
    assert.ok(
      events.some((event) => event.type === 'mirror-set-aside' && event.mirror === 'github'),
      'no event names the mirror',
    );
    assert.deepEqual(report.mirrors.find((mirror) => mirror.mirror === 'mirror')?.faults, []);
  });

  test(`${name}: without another mirror it fails, typed and soon`, { timeout: 20_000 }, async (context) => {
    const { run } = await faulty(context, action, false);
    await assert.rejects(run(), (error) => {
      assert.ok(isAircherError(error), String(error));
      assert.equal(error.code, integrity.has(name) ? 'integrity' : 'remote', error.message);
      assert.ok(error.hint);
      return true;
    });
  });
}

test('a mirror that is silent about the index is not waited for where another one has it', {
  timeout: 20_000,
}, async (context) => {
  const published = await publish(context);
  const silent = createFaults([{ match: { path: '\\.index\\.json$' }, times: 'always', action: { kind: 'stall' } }]);
  const first = await serve(context, { directory: published.directory, faults: silent });
  const second = await serve(context, { directory: published.directory });
  const client = http(context, { stallTimeoutMs: 60_000, connectTimeoutMs: 60_000 });
  const entry = published.entry({ huggingface: first.url, github: second.url, primary: 'huggingface' });
  const plan = await planTransfer(await request(context, entry), client);
  assert.deepEqual(plan.index?.bytes, Buffer.from(published.indexBytes));
});

for (const [size, shape] of Object.entries({
  'of one chunk': { layers: 1, layerBytes: 700_000 },
  'of many chunks': { layers: 12, layerBytes: 1_000_000 },
})) {
  test(`a mirror whose connections all fall silent holds up no model ${size} where another mirror has it`, {
    timeout: 30_000,
  }, async (context) => {
    const published = await publish(context, shape);
    const silent = createFaults([
      { match: { path: '\\.tar\\.gz$' }, times: 'always', action: { kind: 'stall', atByte: 300_000 } },
    ]);
    const first = await serve(context, { directory: published.directory, faults: silent });
    const second = await serve(context, { directory: published.directory });
    const client = http(context, { stallTimeoutMs: 60_000, connectTimeoutMs: 60_000 });
    const wanted = await request(context, published.entry({ github: first.url, mirror: second.url }));
    await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  });
}

test('a 403 with a Retry-After is a rate limit: the only mirror is asked again, by ranges', async (context) => {
  const published = await publish(context);
  const limited: FaultAction = { kind: 'status', status: 403, headers: { 'retry-after': '0' } };
  const faults = createFaults([{ match: { path: '\\.tar\\.gz$' }, times: 2, action: limited }]);
  const mirror = await serve(context, { directory: published.directory, faults });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.deepEqual(
    report.mirrors.map(({ faults, set_aside }) => [faults.map(({ kind }) => kind), set_aside]),
    [[['busy'], undefined]],
  );
});

test('a range that is late is asked for once more, and its mirror is not said to be set aside', async (context) => {
  const published = await publish(context, { layers: 12 });
  // Silent for longer than a range may be, and for less than a connection may be.
  const faults = createFaults([{ match: { path: '\\.tar\\.gz$' }, nth: 2, action: { kind: 'stall', ms: 6000 } }]);
  const late = await serve(context, { directory: published.directory, faults });
  const good = await serve(context, { directory: published.directory });
  const client = http(context, { stallTimeoutMs: 60_000, archiveTimeoutMs: 60_000 });
  const wanted = await request(context, published.entry({ github: late.url, mirror: good.url, primary: 'github' }));
  const events: Event[] = [];
  const onEvent = (event: Event): void => void events.push(event);
  const report = await runTransfer(await planTransfer(wanted, client), client, { onEvent });
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  const { faults: met, set_aside: setAside } = report.mirrors.find(({ mirror }) => mirror === 'github')!;
  assert.deepEqual([met.map(({ kind }) => kind), setAside], [['stalled'], undefined]);
  assert.deepEqual(
    events.filter(({ type }) => type === 'retry' || type === 'mirror-set-aside').map(({ type }) => type),
    ['retry'],
  );
});
