import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults, type FaultAction } from '../../src/rehearsal/faults.ts';
import { differences, http, publish, request, serve, sizeOf } from './transfer-fixture.ts';

for (const format of ['tar.gz', 'tar.zst', 'tar'] as const) {
  test(`a first-draft manifest, with neither index nor files, installs what the ${format} holds`, async (context) => {
    const published = await publish(context, { format });
    const mirror = await serve(context, { directory: published.directory });
    const client = http(context);
    const wanted = await request(context, published.entry({ mirror: mirror.url, index: false, files: false }));
    const plan = await planTransfer(wanted, client);
    assert.equal(plan.summary.way, 'archive');
    const report = await runTransfer(plan, client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
    assert.equal(report.bytesFetched, published.index.archive.size_bytes);
    assert.deepEqual(report.files, published.index.files);
    assert.equal(report.indexBytes, undefined);
  });
}

test('without an index, a cut archive is resumed by range, at another mirror too', async (context) => {
  const published = await publish(context);
  const rules = [
    {
      match: { path: '\\.tar\\.gz$' },
      times: 'always' as const,
      action: { kind: 'reset', atByte: 1_500_000 } as const,
    },
  ];
  const cut = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const client = http(context);
  const entry = published.entry({ mirror: cut.url, index: false });
  const wanted = await request(context, entry);
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.equal(report.bytesFetched, published.index.archive.size_bytes);

  await truncate(join(wanted.staging, 'archive'), 2_000_000);
  await rm(join(wanted.staging, 'files'), { recursive: true });
  const good = await serve(context, { directory: published.directory });
  const again = await request(context, published.entry({ github: good.url, index: false }), {
    staging: wanted.staging,
  });
  const resumed = await runTransfer(await planTransfer(again, client), client);
  assert.equal(resumed.bytesResumed, 2_000_000);
  assert.equal(resumed.bytesFetched, published.index.archive.size_bytes - 2_000_000);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
});

test('without an index, a part that is wrong or too long is found out by the sha256 and fetched anew', async (context) => {
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  for (const part of [Buffer.alloc(100_000), Buffer.alloc(published.index.archive.size_bytes + 10)]) {
    const wanted = await request(context, published.entry({ mirror: mirror.url, index: false }));
    await writeFile(join(wanted.staging, 'archive'), part);
    await runTransfer(await planTransfer(wanted, client), client);
    assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  }
});

const faults: Readonly<Record<string, readonly [FaultAction, 'remote' | 'integrity' | 'succeeds']>> = {
  'one flipped byte': [{ kind: 'flip', atByte: 700_000 }, 'integrity'],
  'a web page': [{ kind: 'html' }, 'remote'],
  'status 404': [{ kind: 'status', status: 404 }, 'remote'],
  stalled: [{ kind: 'stall', atByte: 1000 }, 'remote'],
  'slow (400 B/s)': [{ kind: 'slow', bytesPerSecond: 400 }, 'remote'],
  truncated: [{ kind: 'truncate', atByte: 1000 }, 'succeeds'],
};

for (const [name, [action, alone]] of Object.entries(faults)) {
  test(`without an index, ${name}: the other mirror serves; alone it ${alone === 'succeeds' ? alone : `fails as ${alone}`}`, {
    timeout: 30_000,
  }, async (context) => {
    const published = await publish(context, { layers: 2 });
    const rules = [{ match: { path: '\\.tar\\.gz$' }, times: name === 'truncated' ? 3 : ('always' as const), action }];
    const bad = await serve(context, { directory: published.directory, faults: createFaults(rules) });
    const good = await serve(context, { directory: published.directory });
    const client = http(context);
    const both = await request(
      context,
      published.entry({ github: bad.url, mirror: good.url, primary: 'github', index: false }),
    );
    const report = await runTransfer(await planTransfer(both, client), client);
    assert.deepEqual(await differences(join(both.staging, 'files'), published), []);
    assert.notDeepEqual(report.mirrors.find((mirror) => mirror.mirror === 'github')?.faults, []);

    const only = await request(context, published.entry({ github: bad.url, index: false }));
    const run = async () => runTransfer(await planTransfer(only, client), client);
    if (alone === 'succeeds') await run();
    else await assert.rejects(run(), (error) => isAircherError(error, alone));
  });
}

test('without an index, a server that ignores ranges is still of use', async (context) => {
  const published = await publish(context);
  const rules = [
    { match: { path: '\\.tar\\.gz$' }, times: 'always' as const, action: { kind: 'ignore-range' } as const },
  ];
  const mirror = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url, index: false }));
  const whole = await readFile(join(published.directory, 'tiny-test.tar.gz'));
  await writeFile(join(wanted.staging, 'archive'), whole.subarray(0, 1_000_000));
  await runTransfer(await planTransfer(wanted, client), client);
  assert.equal(await sizeOf(join(wanted.staging, 'archive')), whole.length);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
});

test('an archive that contradicts the manifest is refused as integrity', async (context) => {
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const entry = published.entry({ mirror: mirror.url, index: false });
  const files = entry.files!;
  for (const contradicting of [
    files.slice(1),
    [...files, { path: 'more.txt', size_bytes: 1, sha256: sha256('x') }],
    files.map((file, number) => (number === 0 ? { ...file, sha256: sha256('other') } : file)),
    files.map((file, number) => (number === 0 ? { ...file, size_bytes: file.size_bytes + 1 } : file)),
  ]) {
    const wanted = await request(context, { ...entry, files: contradicting });
    await assert.rejects(runTransfer(await planTransfer(wanted, client), client), (error) =>
      isAircherError(error, 'integrity'),
    );
  }
});

test('hostile indexes are refused before anything is written', async (context) => {
  const published = await publish(context, { layers: 2 });
  const text = published.indexBytes.toString();
  const hostile: Readonly<Record<string, readonly [string, 'invalid' | 'integrity']>> = {
    traversal: [text.replace('"config.json"', '"../x.json"'), 'invalid'],
    'another archive': [
      text.replace(/"sha256": "[0-9a-f]{64}" },\n {2}"files"/, `"sha256": "${'0'.repeat(64)}" },\n  "files"`),
      'integrity',
    ],
    'another file digest': [
      text.replace(/("path": "model.safetensors".*?"sha256": ")[0-9a-f]{64}/, `$1${'0'.repeat(64)}`),
      'integrity',
    ],
    'a negative offset': [text.replace(/\[10, /, '[-10, '), 'invalid'],
    'a key twice': [text.replace('"index_version": 1', '"index_version": 1, "index_version": 1'), 'invalid'],
    'deep nesting': [`${'['.repeat(100_000)}`, 'invalid'],
    nonsense: ['\0\0', 'invalid'],
  };
  for (const [name, [bytes, code]] of Object.entries(hostile)) {
    const { mkdir } = await import('node:fs/promises');
    const directory = join(published.directory, name.replaceAll(' ', '-'));
    await mkdir(directory);
    await writeFile(join(directory, 'tiny-test.tar.gz.index.json'), bytes);
    const mirror = await serve(context, { directory });
    const entry = published.entry({ mirror: mirror.url });
    const index = { ...entry.index!, size_bytes: Buffer.byteLength(bytes), sha256: sha256(bytes) };
    const wanted = await request(context, { ...entry, index });
    await assert.rejects(planTransfer(wanted, http(context)), (error) => {
      assert.ok(isAircherError(error, code), `${name}: ${String(error)}`);
      return true;
    });
    assert.deepEqual(await readdir(wanted.staging), []);
  }
});

test('an index with a flipped byte comes from the other mirror, or is refused as integrity', async (context) => {
  const published = await publish(context, { layers: 2 });
  const rules = [
    { match: { path: 'index\\.json$' }, times: 'always' as const, action: { kind: 'flip', atByte: 40 } as const },
  ];
  const bad = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const good = await serve(context, { directory: published.directory });
  const client = http(context);
  const both = await request(context, published.entry({ github: bad.url, mirror: good.url, primary: 'github' }));
  await runTransfer(await planTransfer(both, client), client);
  assert.deepEqual(await differences(join(both.staging, 'files'), published), []);
  const only = await request(context, published.entry({ github: bad.url }));
  await assert.rejects(planTransfer(only, client), (error) => isAircherError(error, 'integrity'));
});
