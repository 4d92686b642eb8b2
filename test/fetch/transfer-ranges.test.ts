import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { changedTensors } from '../../src/fetch/operations/changed-tensors.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults, type FaultAction } from '../../src/rehearsal/faults.ts';
import { differences, http, publish, request, serve } from './transfer-fixture.ts';

test('an update fetches only the chunks that no installed version has', async (context) => {
  const old = await publish(context, { layers: 12 });
  const next = await publish(context, { layers: 12, version: '1.1.0', retrained: [10, 11] });
  const mirror = await serve(context, { directory: next.directory });
  const client = http(context);
  const wanted = await request(context, next.entry({ mirror: mirror.url }), {
    reuse: [old.reuse()],
  });
  const plan = await planTransfer(wanted, client);
  assert.deepEqual(await changedTensors(plan, client, {}), [
    'model.safetensors: layer.10.weight',
    'model.safetensors: layer.11.weight',
  ]);
  assert.deepEqual(plan.summary.changed_files, ['model.safetensors']);
  assert.equal(plan.summary.requests, 1);
  const report = await runTransfer(plan, client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), next), []);
  assert.ok(report.bytesFetched < 1.1 * 2 * 700_000, `${report.bytesFetched} bytes`);
  assert.equal(report.bytesFetched, plan.summary.bytes_to_fetch);
  assert.ok(report.bytesCopied > 9 * 700_000);
});

test('each connection takes a few ranges, as long as one mirror lets that be, so that little time goes for answers to begin', async (context) => {
  const published = await publish(context, { layers: 60, layerBytes: 1_000_000 });
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const plan = await planTransfer(await request(context, published.entry({ mirror: mirror.url })), client);
  const { mirrors } = await runTransfer(plan, client);
  // Eight connections of one mirror with three ranges each, and ranges end where chunks do.
  const requests = mirrors[0]!.requests;
  assert.ok(requests <= 36, `${requests} requests`);
});

test('without an index of the old version, identical files are still copied', async (context) => {
  const old = await publish(context);
  const next = await publish(context, { version: '1.0.1', config: 'changed' });
  const mirror = await serve(context, { directory: next.directory });
  const client = http(context);
  const wanted = await request(context, next.entry({ mirror: mirror.url }), {
    reuse: [{ ...old.reuse(), index: undefined }],
  });
  const plan = await planTransfer(wanted, client);
  assert.deepEqual(plan.summary.changed_files, ['config.json']);
  const report = await runTransfer(plan, client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), next), []);
  assert.ok(report.bytesFetched < 2000, `${report.bytesFetched} bytes`);
});

test('an installed version with damaged chunks lends only the good ones', async (context) => {
  const old = await publish(context);
  const { open } = await import('node:fs/promises');
  const handle = await open(join(old.source, 'model.safetensors'), 'r+');
  await handle.write(Buffer.of(1, 2, 3), 0, 3, 1_500_000);
  await handle.close();
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url }), { reuse: [old.reuse()] });
  const plan = await planTransfer(wanted, client);
  assert.equal(plan.summary.bytes_to_fetch, 0);
  const report = await runTransfer(plan, client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.ok(report.bytesFetched > 0 && report.bytesFetched < 800_000, `${report.bytesFetched} bytes`);
});

const archive = { path: '\\.tar\\.gz$' };

/** A server's ways with `Range`, none of which is what was asked for. */
const rangeFaults: Readonly<Record<string, FaultAction>> = {
  'Range ignored': { kind: 'ignore-range' },
  'status 200 with only the slice': { kind: 'slice-as-200' },
  'a wrong Content-Range': { kind: 'wrong-content-range' },
  'status 206 with the whole': { kind: 'whole-as-206' },
  ...Object.fromEntries(
    [400, 403, 404, 416, 501].map(
      (status) => [`status ${status}`, { kind: 'status', status, when: 'ranged' }] as const,
    ),
  ),
};

for (const [name, action] of Object.entries(rangeFaults)) {
  test(`${name}, by the only mirror: the archive is read as a whole, once`, { timeout: 20_000 }, async (context) => {
    const published = await publish(context, { layers: 20 });
    const faults = createFaults([{ match: archive, times: 'always', action }]);
    const server = await serve(context, { directory: published.directory, faults });
    const client = http(context);
    const entry = published.entry({ mirror: server.url });
    const wanted = await request(context, entry);
    const report = await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    assert.notDeepEqual(report.mirrors[0]?.faults, []);
    assert.ok(report.bytesFetched <= 1.05 * entry.size_bytes, `${report.bytesFetched} of ${entry.size_bytes} bytes`);
  });

  test(`${name}, by the only mirror: an update reads the archive as a whole`, { timeout: 20_000 }, async (context) => {
    const { report, next } = await update(context, action, false);
    assert.ok(report.bytesFetched <= 1.05 * next.index.archive.size_bytes);
  });

  test(`${name}, by one of two mirrors: the update takes ranges from the other`, {
    timeout: 20_000,
  }, async (context) => {
    const { report } = await update(context, action, true);
    assert.notDeepEqual(report.mirrors.find((mirror) => mirror.mirror === 'github')?.faults, []);
    assert.ok(report.bytesFetched < 2 * 720_000, `${report.bytesFetched} bytes`);
  });

  test(`${name}, without an index: the archive is read, and gone on with after an interruption`, {
    timeout: 20_000,
  }, async (context) => {
    const published = await publish(context);
    const faults = createFaults([{ match: archive, times: 'always', action }]);
    const server = await serve(context, { directory: published.directory, faults });
    const client = http(context);
    const wanted = await request(context, published.entry({ mirror: server.url, index: false }));
    const whole = await readFile(join(published.directory, 'tiny-test.tar.gz'));
    for (const part of [0, 1_000_000]) {
      await writeFile(join(wanted.staging, 'archive'), whole.subarray(0, part));
      await runTransfer(await planTransfer(wanted, client), client);
      assert.deepEqual(await readFile(join(wanted.staging, 'archive')), whole);
      assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    }
  });
}

for (const index of [true, false]) {
  test(`a server that refuses requests without Range is asked for ranges, ${index ? 'with' : 'without'} an index`, async (context) => {
    const published = await publish(context);
    const action = { kind: 'status', status: 400, when: 'not ranged' } as const;
    const faults = createFaults([{ match: archive, times: 'always', action }]);
    const server = await serve(context, { directory: published.directory, faults });
    const client = http(context);
    const wanted = await request(context, published.entry({ mirror: server.url, index }));
    await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  });
}

async function update(context: TestContext, action: FaultAction, withGood: boolean) {
  const old = await publish(context, { layers: 8 });
  const next = await publish(context, { layers: 8, version: '1.1.0', retrained: [3, 6] });
  const faults = createFaults([{ match: archive, times: 'always', action }]);
  const bad = await serve(context, { directory: next.directory, faults });
  const good = withGood ? await serve(context, { directory: next.directory }) : undefined;
  const client = http(context);
  const entry = next.entry({ github: bad.url, ...(good && { mirror: good.url }), primary: 'github' });
  const wanted = await request(context, entry, { reuse: [old.reuse()] });
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), next), []);
  return { report, next };
}

test('two mirrors that each have another bad chunk make one good model', async (context) => {
  const published = await publish(context, { layers: 8 });
  const { chunks } = published.index;
  const at = (chunk: number): number => chunks[chunk]![0] + 100;
  const serveFlipped = async (chunk: number) => {
    const { readFile, writeFile, mkdir } = await import('node:fs/promises');
    const directory = join(published.directory, `flipped-${chunk}`);
    await mkdir(directory);
    const bytes = await readFile(join(published.directory, 'tiny-test.tar.gz'));
    bytes[at(chunk)]! ^= 0xff;
    await writeFile(join(directory, 'tiny-test.tar.gz'), bytes);
    await writeFile(join(directory, 'tiny-test.tar.gz.index.json'), published.indexBytes);
    return serve(context, { directory });
  };
  const one = await serveFlipped(6);
  const other = await serveFlipped(9);
  const client = http(context);
  const wanted = await request(context, published.entry({ github: one.url, mirror: other.url, primary: 'github' }));
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  // A bad chunk that the other mirror happened to bring first was never seen.
  const blamed = report.mirrors.filter((mirror) => mirror.set_aside !== undefined);
  assert.ok(blamed.length > 0);
  for (const { faults } of blamed) assert.deepEqual([...new Set(faults.map(({ kind }) => kind))], ['wrong-bytes']);
});

test('the raw files of the Hub are one more source of the same chunks', async (context) => {
  const published = await publish(context);
  const hub = await serve(context, { directory: published.directory });
  const rules = [
    { match: { path: '\\.tar\\.gz$' }, times: 'always' as const, action: { kind: 'status', status: 404 } as const },
  ];
  const broken = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const client = http(context);
  const wanted = await request(context, published.entry({ github: broken.url, raw: hub.url }));
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.ok((report.mirrors.find((mirror) => mirror.mirror === 'huggingface files')?.chunks ?? 0) > 0);
});

test('identical files in the Hugging Face cache are copied after hashing', async (context) => {
  const published = await publish(context);
  const { mkdir, writeFile, cp } = await import('node:fs/promises');
  const cache = join(published.directory, 'hub');
  const repository = join(cache, 'models--org--name');
  const weights = published.index.files.find((file) => file.path === 'model.safetensors')!;
  await mkdir(join(repository, 'blobs'), { recursive: true });
  await cp(join(published.source, 'model.safetensors'), join(repository, 'blobs', weights.sha256));
  await mkdir(join(repository, 'snapshots', 'abc'), { recursive: true });
  // The right size, the wrong content.
  await writeFile(
    join(repository, 'snapshots', 'abc', 'config.json'),
    Buffer.alloc(published.contents.get('config.json')!.length),
  );
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url }), { huggingFaceCache: cache });
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.ok(report.bytesFetched < 10_000, `${report.bytesFetched} bytes`);
});
