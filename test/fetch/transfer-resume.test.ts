import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { appendFile, mkdir, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { planTransfer } from '../../src/fetch/transfer/plan-transfer.ts';
import { runTransfer } from '../../src/fetch/transfer/run-transfer.ts';
import { createFaults } from '../../src/rehearsal/faults.ts';
import { differences, http, publish, request, serve, temporary } from './transfer-fixture.ts';

const kills = Number(process.env.AIRCHER_TEST_KILLS ?? 6);

test('a failed transfer goes on where it was, from another mirror too', async (context) => {
  const published = await publish(context, { layers: 8 });
  const rules = [
    {
      match: { path: '\\.tar\\.gz$' },
      times: 'always' as const,
      action: { kind: 'reset', atByte: 3_200_000 } as const,
    },
  ];
  const broken = await serve(context, { directory: published.directory, faults: createFaults(rules) });
  const good = await serve(context, { directory: published.directory });
  const client = http(context);
  const first = await request(context, published.entry({ github: broken.url }));
  // Every request is cut at the same byte, but each goes on where the last one ended.
  const reset = await runTransfer(await planTransfer(first, client), client);
  assert.deepEqual(await differences(join(first.staging, 'files'), published), []);
  assert.ok(reset.bytesFetched < published.index.archive.size_bytes + 2_000_000);

  const stop = new AbortController();
  const second = await request(context, published.entry({ mirror: good.url }));
  const slow = http(context, { limitRate: 8_000_000 });
  const plan = await planTransfer(second, slow);
  const onEvent = (event: Event): void => {
    if (event.type === 'progress' && event.done > 0) stop.abort();
  };
  await assert.rejects(runTransfer(plan, slow, { signal: stop.signal, onEvent }), (error) =>
    isAircherError(error, 'interrupted'),
  );
  const again = await planTransfer(second, client);
  assert.ok(again.summary.bytes_staged > 0);
  const report = await runTransfer(again, client);
  assert.ok(report.bytesResumed > 0);
  assert.ok(report.bytesFetched < published.index.archive.size_bytes);
  assert.deepEqual(await differences(join(second.staging, 'files'), published), []);
});

test('what is staged is trusted by its hash alone', async (context) => {
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  await runTransfer(await planTransfer(wanted, client), client);
  const handle = await open(join(wanted.staging, 'files', 'model.safetensors'), 'r+');
  await handle.write(Buffer.alloc(10), 0, 10, 2_000_000);
  await handle.close();
  await appendFile(join(wanted.staging, 'progress'), Buffer.of(255, 255, 255));
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  assert.ok(report.bytesFetched > 0 && report.bytesFetched < 800_000, `${report.bytesFetched} bytes`);
});

test('a file that is deleted while it is written is missed, not made anew with a hole', async (context) => {
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context, { limitRate: 8_000_000 });
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const file = join(wanted.staging, 'files', 'model.safetensors');
  const onEvent = (event: Event): void => {
    if (event.type === 'progress' && event.done > 1_000_000) rmSync(file, { force: true });
  };
  await assert.rejects(runTransfer(await planTransfer(wanted, client), client, { onEvent }), { code: 'ENOENT' });
  await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
});

test('whatever lies where the index is staged, the index is there afterwards', async (context) => {
  const published = await publish(context, { layers: 1 });
  const mirror = await serve(context, { directory: published.directory });
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const client = http(context);
  const staged = join(wanted.staging, `${published.entry({}).index!.sha256}.json`);
  const spoil = [
    () => truncate(staged, 100),
    () => writeFile(staged, Buffer.alloc(published.indexBytes.length)),
    async () => {
      await rm(staged);
      await mkdir(join(staged, 'below'), { recursive: true });
    },
  ];
  await planTransfer(wanted, client);
  for (const damage of spoil) {
    await damage();
    await planTransfer(wanted, client);
    assert.deepEqual(await readFile(staged), published.indexBytes);
  }
});

test('a transfer whose source is a damaged version fetches three chunks for three flipped bytes', async (context) => {
  const published = await publish(context);
  const mirror = await serve(context, { directory: published.directory });
  const client = http(context);
  const path = join(published.source, 'model.safetensors');
  const handle = await open(path, 'r+');
  for (const offset of [900, 1_000_000, 3_900_000]) await handle.write(Buffer.of(0xaa), 0, 1, offset);
  await handle.close();
  const wanted = await request(context, published.entry({ mirror: mirror.url }), {
    paths: new Set(['model.safetensors']),
    reuse: [published.reuse()],
  });
  const report = await runTransfer(await planTransfer(wanted, client), client);
  assert.equal(report.mirrors[0]?.chunks, 3);
  assert.deepEqual(report.files, [published.index.files.find((file) => file.path === 'model.safetensors')]);
  assert.deepEqual(await readdir(join(wanted.staging, 'files')), ['model.safetensors']);
  const whole = await readFile(join(wanted.staging, 'files', 'model.safetensors'));
  assert.deepEqual(whole, published.contents.get('model.safetensors'));
  assert.ok(report.bytesFetched < 3 * 720_000);
});

test(`a transfer killed ${kills} times fetches little more than once`, { timeout: 120_000 }, async (context) => {
  const published = await publish(context, { layers: 24 });
  const mirror = await serve(context, { directory: published.directory, limits: { bytesPerSecond: 20_000_000 } });
  const wanted = await request(context, published.entry({ mirror: mirror.url }));
  const script = join(await temporary(context), 'run.ts');
  const source = new URL('../../src/', import.meta.url).href;
  await writeFile(
    script,
    `import { createHttp } from '${source}http/create-http.ts';
     import { planTransfer } from '${source}fetch/transfer/plan-transfer.ts';
     import { runTransfer } from '${source}fetch/transfer/run-transfer.ts';
     const http = createHttp({ connections: 2 });
     const plan = await planTransfer(${JSON.stringify(wanted)}, http);
     await runTransfer(plan, http);
     http.close();`,
  );
  let killed = 0;
  for (; killed < kills; killed++) {
    const child = spawn(process.execPath, ['--no-warnings', script], { stdio: ['ignore', 'ignore', 'inherit'] });
    const exit = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>;
    const timer = setTimeout(() => child.kill('SIGKILL'), 350 + Math.random() * 200);
    const [code, signal] = await exit;
    clearTimeout(timer);
    if (code === 0) break;
    assert.equal(signal, 'SIGKILL', 'it failed by itself');
  }
  const client = http(context, { connections: 2 });
  await runTransfer(await planTransfer(wanted, client), client);
  assert.deepEqual(await differences(join(wanted.staging, 'files'), published), []);
  const sent = mirror.log.entries
    .filter((entry) => entry.path.endsWith('.tar.gz'))
    .reduce((sum, entry) => sum + entry.bytesOut, 0);
  const most = 1.02 * published.index.archive.size_bytes + killed * 2 * 1_100_000;
  assert.ok(killed > 1 && sent <= most, `${sent} of ${most} bytes after ${killed} kills`);
});
