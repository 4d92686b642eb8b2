import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { formatEncodingIndex, parseEncodingIndex } from '../../src/contract/encoding-index.ts';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import type { TransferRequest } from '../../src/fetch/transfer/types.ts';
import { createFaults, type FaultAction, type FaultRule } from '../../src/rehearsal/faults.ts';
import type { StaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { differences, http, type Published, publish, request, serve, temporary } from './transfer-fixture.ts';

const flips = Number(process.env.AIRCHER_TEST_FLIPS ?? 24);
const shape = { layers: 4, layerBytes: 400_000 };

let shared: Promise<{ readonly old: Published; readonly next: Published }> | undefined;

/** A version, and the next one, which was trained further, with planes and a patch. */
function releases(): Promise<{ readonly old: Published; readonly next: Published }> {
  const forever = { after: () => {} } as unknown as TestContext;
  shared ??= (async () => {
    const old = await publish(forever, { ...shape, trained: 0 });
    const trained = { ...shape, version: '1.1.0', trained: 1, config: 'trained', planes: true, patchFrom: [old] };
    return { old, next: await publish(forever, trained) };
  })();
  return shared;
}

interface Run {
  readonly plan: Awaited<ReturnType<typeof planTransfer>>;
  readonly report: Awaited<ReturnType<typeof runTransfer>>;
  readonly events: readonly Event[];
}

async function install(
  context: TestContext,
  published: Published,
  mirror: StaticMirror | Readonly<Record<string, StaticMirror>>,
  more: Partial<TransferRequest> & { readonly change?: (entry: ManifestModel) => ManifestModel } = {},
): Promise<Run> {
  const { change = (entry) => entry, ...rest } = more;
  const mirrors = 'url' in mirror ? { mirror: mirror as StaticMirror } : mirror;
  const urls = Object.fromEntries(Object.entries(mirrors).map(([kind, { url }]) => [kind, url]));
  const wanted = await request(context, change(published.entry(urls)), rest);
  const client = http(context);
  const events: Event[] = [];
  const plan = await planTransfer(wanted, client, { onEvent: (event) => events.push(event) });
  const report = await runTransfer(plan, client, { onEvent: (event) => events.push(event) });
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  return { plan, report, events };
}

const served = async (context: TestContext, published: Published, ...rules: readonly FaultRule[]) =>
  serve(context, { directory: published.directory, faults: createFaults(rules) });

const requestsOf = (mirror: StaticMirror, path: RegExp): number =>
  mirror.log.entries.filter((entry) => path.test(entry.path)).length;

test('a cold install takes planes, and what no encoding has from the archive', async (context) => {
  const { next } = await releases();
  const mirror = await served(context, next);
  const { plan, report } = await install(context, next, mirror);
  const [planes] = next.entry({}).encodings!;
  assert.deepEqual(plan.summary.encodings, [{ name: 'tiny-test.planes', bytes_to_fetch: planes!.size_bytes }]);
  // What of tar lies between two small files comes along.
  assert.ok(report.bytesFetched - plan.summary.bytes_to_fetch < 1024);
  assert.ok(report.bytesFetched < 0.95 * next.entry({}).size_bytes, `${report.bytesFetched}`);
  assert.equal(requestsOf(mirror, /patch/), 0, 'no version is here from which a patch leads');
});

test('an update takes the patch from the version that is here', async (context) => {
  const { old, next } = await releases();
  const mirror = await served(context, next);
  const { plan, report } = await install(context, next, mirror, { reuse: [old.reuse()] });
  const [, patch] = next.entry({}).encodings!;
  assert.deepEqual(plan.summary.encodings, [{ name: 'tiny-test.from-1.0.0.patch', bytes_to_fetch: patch!.size_bytes }]);
  assert.equal(report.bytesFetched, plan.summary.bytes_to_fetch);
  assert.ok(report.bytesFetched < 0.75 * next.entry({}).size_bytes, `${report.bytesFetched}`);
  assert.equal(requestsOf(mirror, /\.planes$/), 0);
});

test('a patch from a version that is not here, and one whose chunks are not, are left alone', async (context) => {
  const { old, next } = await releases();
  const other = await publish(context, { ...shape, trained: 5 });
  const mirror = await served(context, next);
  const { plan } = await install(context, next, mirror, { reuse: [{ ...old.reuse(), version: '0.9.0' }] });
  assert.deepEqual(
    plan.summary.encodings.map(({ name }) => name),
    ['tiny-test.planes'],
  );
  assert.equal(requestsOf(mirror, /patch/), 0);
  const mistaken = await install(context, next, mirror, { reuse: [{ ...other.reuse(), version: '1.0.0' }] });
  assert.deepEqual(
    mistaken.plan.summary.encodings.map(({ name }) => name),
    ['tiny-test.planes'],
  );
});

test('what turns out to be damaged while it is copied comes from the archive, and only that', async (context) => {
  const { next } = await releases();
  const mirror = await served(context, next);
  const directory = (await publish(context, { ...shape, trained: 1, config: 'trained' })).source;
  const file = join(directory, 'model.safetensors');
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(900_000) ^ 1, 900_000);
  await writeFile(file, bytes);
  const { report } = await install(context, next, mirror, { reuse: [{ ...next.reuse(), directory }] });
  assert.ok(report.bytesFetched < 400_000, `${report.bytesFetched}`);
  assert.equal(requestsOf(mirror, /\.(planes|patch)/), 0);
});

/** What an encoding's requests meet, for ever. The archive comes through. */
const faults: Readonly<Record<string, FaultAction>> = {
  'cut at the first byte': { kind: 'reset', atByte: 0 },
  'cut inside a chunk': { kind: 'reset', atByte: 1000 },
  'stalled before the body': { kind: 'stall', atByte: 0 },
  'stalled inside a chunk': { kind: 'stall', atByte: 1000 },
  'truncated with a clean end': { kind: 'truncate', atByte: 1000 },
  'flipped bytes': { kind: 'flip', atByte: 1000 },
  'a web page': { kind: 'html' },
  'too long a Content-Length': { kind: 'wrong-length', by: 5 },
  'the whole instead of a range': { kind: 'ignore-range' },
  'another range': { kind: 'wrong-content-range' },
  'status 403': { kind: 'status', status: 403 },
  'status 404': { kind: 'status', status: 404 },
  'status 416': { kind: 'status', status: 416 },
  'status 429': { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
  'status 500': { kind: 'status', status: 500 },
  'status 503 for an hour': { kind: 'status', status: 503, headers: { 'retry-after': '3600' } },
  'a redirect loop': { kind: 'redirect', to: 'self' },
  'a redirect to plain http elsewhere': { kind: 'redirect', to: 'http://192.0.2.1/x' },
};

for (const [name, action] of Object.entries(faults)) {
  for (const [what, path] of [
    ['an encoding', '\\.(planes|patch)$'],
    ["an encoding's index", '\\.(planes|patch)\\.index\\.json$'],
  ] as const) {
    test(`${what} with ${name}: a few requests are lost, and nothing else`, async (context) => {
      const { old, next } = await releases();
      const mirror = await served(context, next, { match: { path }, times: 'always', action });
      const { report } = await install(context, next, mirror, { reuse: [old.reuse()] });
      assert.deepEqual(report.mirrors[0]!.set_aside, undefined);
      const asked = requestsOf(mirror, new RegExp(path));
      // Several at a time: of two encodings, each by up to four connections.
      assert.ok(asked > 0 && asked <= 24, `${asked} requests`);
    });
  }
}

test('an encoding that one of two mirrors lacks comes from the other, or not at all', async (context) => {
  const { next } = await releases();
  const lacks = await served(context, next, {
    match: { path: '\\.planes$' },
    times: 'always',
    action: { kind: 'status', status: 404 },
  });
  const has = await served(context, next);
  const { report } = await install(context, next, { github: lacks, mirror: has });
  assert.ok(report.mirrors.every(({ set_aside }) => set_aside === undefined));
  assert.ok(requestsOf(lacks, /\.planes$/) <= 8, `${requestsOf(lacks, /\.planes$/)}`);
});

test('an encoding that is left alone is told of once, and not where another mirror still has it', async (context) => {
  const next = await publish(context, { layers: 12, layerBytes: 2_000_000, trained: 1, planes: true });
  const rule = { match: { path: '\\.planes$' }, times: 'always' } as const;
  const status = await served(context, next, { ...rule, action: { kind: 'status', status: 500 } });
  const flipped = await served(context, next, { ...rule, action: { kind: 'flip', atByte: 0 } });
  const good = await served(context, next);
  const toldOf = async (mirrors: Readonly<Record<string, StaticMirror>>): Promise<number> =>
    (await install(context, next, mirrors)).events.filter(({ type }) => type === 'notice').length;
  assert.equal(await toldOf({ mirror: status }), 1);
  assert.equal(await toldOf({ mirror: flipped }), 1);
  assert.equal(await toldOf({ github: status, mirror: good }), 0);
});

test('three wrong bodies, and the encoding is left alone; the mirror is not', async (context) => {
  const { next } = await releases();
  const entry = next.entry({});
  const directory = await copyOf(context, next);
  // Every body begins with elements that there aren't.
  const index = parseEncodingIndex(await readFile(join(directory, 'tiny-test.planes.index.json')), next.index, '');
  const bodies = await readFile(join(directory, 'tiny-test.planes'));
  for (const [, offset] of index.chunks) bodies[offset] = 0x7f;
  await writeFile(join(directory, 'tiny-test.planes'), bodies);
  const mirror = await serve(context, { directory });
  const { report, events } = await install(context, next, mirror);
  assert.deepEqual(report.mirrors[0]!.faults, []);
  assert.equal(report.mirrors[0]!.set_aside, undefined);
  const told = events.filter((event) => event.type === 'notice');
  assert.deepEqual(
    told.map(({ message }) => message),
    ['tiny-test.planes is left alone: an encoded chunk is of no known elements'],
  );
  assert.ok(report.bytesFetched < 2 * entry.size_bytes);
});

async function copyOf(context: TestContext, published: Published): Promise<string> {
  const directory = join(await temporary(context), 'copy');
  await cp(published.directory, directory, { recursive: true });
  return directory;
}

test('an old chunk that is damaged here costs its chunk, and is nobody else’s fault', async (context) => {
  const { old, next } = await releases();
  const mirror = await served(context, next);
  const directory = join(await copyOf(context, old), 'tiny-test');
  const file = join(directory, 'model.safetensors');
  const bytes = await readFile(file);
  for (const at of [100_000, 500_000, 900_000]) bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(file, bytes);
  const { plan, report, events } = await install(context, next, mirror, { reuse: [{ ...old.reuse(), directory }] });
  assert.deepEqual(report.mirrors[0]!.faults, []);
  assert.deepEqual(
    events.filter((event) => event.type === 'notice'),
    [],
  );
  assert.ok(report.bytesFetched > plan.summary.bytes_to_fetch);
  assert.ok(requestsOf(mirror, /\.planes$/) > 0, 'the chunks come by planes then');
});

test('whatever bit of an encoding or of its index is flipped, the install is right', async (context) => {
  const { old, next } = await releases();
  const directory = await copyOf(context, next);
  const mirror = await serve(context, { directory });
  const names = ['planes', 'from-1.0.0.patch'].flatMap((name) => [name, `${name}.index.json`]);
  for (let at = 0; at < flips; at++) {
    const path = join(directory, `tiny-test.${names[at % names.length]}`);
    const good = await readFile(path);
    const bad = Buffer.from(good);
    const bit = Math.floor((at / flips) * bad.length * 8) + (at % 8);
    bad[bit >> 3]! ^= 1 << (bit & 7);
    await writeFile(path, bad);
    await install(context, next, mirror, at % 4 < 2 ? {} : { reuse: [old.reuse()] });
    await writeFile(path, good);
  }
});

test('hostile indexes of encodings that the manifest names are refused, and nothing else is hurt', async (context) => {
  const { old, next } = await releases();
  const directory = await copyOf(context, next);
  const mirror = await serve(context, { directory });
  const [planes, patch] = await Promise.all(
    ['planes', 'from-1.0.0.patch'].map(async (name) =>
      parseEncodingIndex(await readFile(join(directory, `tiny-test.${name}.index.json`)), next.index, name),
    ),
  );
  const far = 2 ** 40;
  const hostile: Readonly<Record<string, string>> = {
    'no JSON': 'x'.repeat(1000),
    'of another archive': formatEncodingIndex({ ...planes!, archive: { ...planes!.archive, sha256: 'a'.repeat(64) } }),
    'of another kind': formatEncodingIndex(patch!),
    'of another size': formatEncodingIndex({ ...planes!, size_bytes: far, chunks: [[1, 0, far]] }),
    'chunks that are not there': formatEncodingIndex({ ...planes!, chunks: [[99_999, 0, planes!.size_bytes]] }),
    'a huge body': formatEncodingIndex({ ...planes!, chunks: [[planes!.chunks[0]![0], 0, planes!.size_bytes]] }),
    nesting: `{"chunks":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
  };
  for (const [name, text] of Object.entries(hostile)) {
    await writeFile(join(directory, 'tiny-test.planes.index.json'), text);
    const { events } = await install(context, next, mirror, {
      change: (entry) => withIndex(entry, 'planes', text),
    });
    assert.equal(requestsOf(mirror, /\.planes$/), 0, name);
    assert.equal(events.filter((event) => event.type === 'notice').length, 1, name);
  }
  // Bodies in each other's places, which the index may well say.
  const swapped = [...patch!.chunks];
  [swapped[0], swapped[1]] = [
    [swapped[0]![0], 0, swapped[1]![2], swapped[0]![3]!],
    [swapped[1]![0], swapped[1]![2], swapped[0]![2], swapped[1]![3]!],
  ];
  const text = formatEncodingIndex({ ...patch!, chunks: swapped });
  await writeFile(join(directory, 'tiny-test.from-1.0.0.patch.index.json'), text);
  await install(context, next, mirror, {
    reuse: [old.reuse()],
    change: (entry) => withIndex(entry, 'patch', text),
  });
});

test('bodies that would inflate to more than their chunk are refused at its size', async (context) => {
  const { next } = await releases();
  const directory = await copyOf(context, next);
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
  const path = join(directory, 'tiny-test.planes');
  const index = parseEncodingIndex(await readFile(`${path}.index.json`), next.index, '');
  const bodies = await readFile(path);
  for (const [, offset, length] of index.chunks) {
    const header = Buffer.of(0x82, 1, 0, 0, 0, 0);
    header.writeUInt32LE(Math.min(bomb.length, length - 21), 2);
    Buffer.concat([header, bomb]).copy(bodies, offset, 0, length - 15);
  }
  await writeFile(path, bodies);
  await install(context, next, await serve(context, { directory }));
});

test('unknown kinds of encodings, and names of hosts that nobody knows, are passed over', async (context) => {
  const { next } = await releases();
  const mirror = await served(context, next);
  const { plan } = await install(context, next, mirror, {
    change: (entry) => ({
      ...entry,
      encodings: [
        { ...entry.encodings![0]!, kind: 'wavelets' },
        { ...entry.encodings![0]!, download_urls: { gopher: 'https://127.0.0.1:1/x' } },
      ],
    }),
  });
  assert.deepEqual(plan.summary.encodings, []);
});

test('an update by a patch that was interrupted goes on with what it has', async (context) => {
  const { old, next } = await releases();
  const mirror = await served(context, next, {
    match: { path: 'patch$' },
    nth: 2,
    times: 'always',
    action: { kind: 'slow', bytesPerSecond: 100_000 },
  });
  const wanted = await request(context, next.entry({ mirror: mirror.url }), { reuse: [old.reuse()] });
  const client = http(context);
  const stop = new AbortController();
  const plan = await planTransfer(wanted, client);
  const onEvent = (event: Event): void => {
    if (event.type === 'progress' && event.done > 200_000) stop.abort();
  };
  await assert.rejects(runTransfer(plan, client, { signal: stop.signal, onEvent }), (error) =>
    isAircherError(error, 'interrupted'),
  );
  mirror.faults.clear();
  const again = await planTransfer(wanted, client);
  assert.ok(again.summary.bytes_staged > 0);
  assert.ok(again.summary.bytes_to_fetch < plan.summary.bytes_to_fetch);
  const report = await runTransfer(again, client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), next), []);
  assert.ok(report.bytesResumed > 0);
});

test('progress counts what comes, and ends at its total, also where encodings fail', async (context) => {
  const { next } = await releases();
  for (const rules of [
    [],
    [{ match: { path: '\\.planes$' }, times: 'always' as const, action: { kind: 'html' as const } }],
  ]) {
    const { events } = await install(context, next, await served(context, next, ...rules));
    const progress = events.flatMap((event) => (event.type === 'progress' ? [[event.done, event.total]] : []));
    assert.deepEqual(progress.at(-1)![0], progress.at(-1)![1]);
    assert.deepEqual(
      progress,
      [...progress].sort((a, b) => a[0]! - b[0]!),
    );
  }
});

/** The entry, in whose encodings of this kind the index has this text. */
function withIndex(entry: ManifestModel, kind: 'planes' | 'patch', text: string): ManifestModel {
  const index = { size_bytes: text.length, sha256: sha256(text) };
  const encodings = entry.encodings!.map((encoding) =>
    encoding.kind === kind ? { ...encoding, index: { ...encoding.index, ...index } } : encoding,
  );
  return { ...entry, encodings };
}
