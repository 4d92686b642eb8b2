import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { limits } from '../../src/contract/limits.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { fitting } from '../fixtures/weights-entry.ts';
import { startServer } from '../http/http-fixture.ts';
import { createArena, requireRefused } from './arena.ts';

/** The most memory that the client may ever hold, whatever it is sent: bytes. */
const mostMemory = 300 * 1024 * 1024;

/** Sends the same piece until nobody listens any more, or so often. */
function pour(response: ServerResponse, piece: Buffer, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  const more = (): void => {
    while (left-- > 0 && !response.destroyed) if (!response.write(piece)) return void response.once('drain', more);
    response.end();
  };
  more();
}

async function hostOf(t: TestContext, answer: (response: ServerResponse) => void): Promise<string> {
  const server = await startServer(t, (request, response) => {
    if (request.url?.endsWith('.minisig')) response.writeHead(404).end();
    else answer(response);
  });
  return `${server.url}/manifest.json`;
}

test('whatever its size, what a host sends takes bounded memory and time', async (t) => {
  const arena = await createArena(t);
  const { manifest, victim } = arena;
  const bounded = (
    name: string,
    attack: {
      readonly manifest: string;
      readonly args?: readonly string[];
      readonly env?: Readonly<Record<string, string>>;
    },
    codes: readonly number[] = [3, 4],
  ): Promise<void> =>
    t.test(name, async (t) => {
      const outcome = await arena.measure(attack.args ?? ['install', 'victim'], attack);
      t.diagnostic(`${Math.round(outcome.peakBytes / 1e6)} MB, ${Math.round(outcome.milliseconds)} ms`);
      requireRefused(outcome, codes);
      assert.ok(outcome.peakBytes < mostMemory, `${outcome.peakBytes} bytes of memory`);
    });
  const plant = (text: string): Promise<string> => arena.plant('manifest.json', text);
  const text = (changes: object): string => JSON.stringify({ ...manifest, ...changes });

  const blanks = Buffer.alloc(1024 * 1024, 0x20);
  await bounded('a manifest of 100 MB', {
    manifest: await hostOf(t, (response) =>
      pour(response.writeHead(200, { 'content-length': 100 * blanks.length }), blanks, 100),
    ),
  });
  await bounded('a manifest without an end', { manifest: await hostOf(t, (response) => pour(response, blanks)) });
  await bounded('a manifest without an end, as a list of lists', {
    manifest: await hostOf(t, (response) => pour(response, Buffer.from('['.repeat(65536)))),
  });
  const room = limits.manifestBytes - 1000;
  await bounded('as large as a manifest may be, of one text', { manifest: await plant(`{"x":"${'x'.repeat(room)}"}`) });
  await bounded('as large as a manifest may be, of one text that is not ASCII', {
    manifest: await plant(`{"x":"☃${'x'.repeat(room)}"}`),
  });
  await bounded('as large as a manifest may be, of empty lists', {
    manifest: await plant(`{"x":[${'[],'.repeat(room / 3)}[]]}`),
  });
  const list = `[${'[],'.repeat(limits.manifestMembers - 1)}[]]`;
  await bounded('as many values as a manifest may have', {
    manifest: await plant(`{"x":[${Array(48).fill(list).join(',')}]}`),
  });
  const keys = (seed: number): string =>
    `{${Array.from({ length: limits.manifestMembers - 1 }, (_, at) => `"${seed} ${at} ${'x'.repeat(20)}":0`).join(',')}}`;
  await bounded('as many keys as a manifest may have', {
    manifest: await plant(`{"x":[${Array.from({ length: 48 }, (_, at) => keys(at)).join(',')}]}`),
  });
  const { files: _, index: __, published_versions: ___, weights: ____, ...small } = victim;
  const names = Array.from({ length: limits.manifestMembers }, (_, at) => `model${at}`);
  await bounded('as many models as a manifest may have', {
    manifest: await plant(text({ models: Object.fromEntries(names.map((name) => [name, small])) })),
  });
  await bounded('a hundred thousand models', {
    manifest: await plant(
      text({ models: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`m${at}`, small])) }).slice(
        0,
        limits.manifestBytes,
      ),
    ),
  });
  await bounded('as many bad files as a manifest may have', {
    manifest: await plant(
      text({
        models: Object.fromEntries(
          Array.from({ length: 48 }, (_, at) => [
            `m${at}`,
            { ...small, files: Array(limits.manifestMembers).fill({}) },
          ]),
        ),
      }),
    ),
  });

  const endless = await hostOf(t, (response) => pour(response, blanks));
  const withIndex = (index: Readonly<Record<string, unknown>>): string =>
    text({ models: { victim: { ...victim, ...fitting(index) } } });
  await bounded('an index without an end', {
    manifest: await plant(
      withIndex({ index: { ...victim.index, size_bytes: limits.indexBytes, download_urls: { mirror: endless } } }),
    ),
  });
  await bounded('an index that is said to have 64 MB', {
    manifest: await plant(
      withIndex({ index: { ...victim.index, size_bytes: 64 * 1024 * 1024, download_urls: { mirror: endless } } }),
    ),
  });
  const digest = sha256('x');
  const chunks = Math.floor(limits.indexBytes / 90);
  const size = chunks + 21;
  const index = `{"index_version":1,"archive":{"name":"victim.tar.gz","format":"tar.gz","size_bytes":${size},"sha256":"${digest}"},
"files":[{"path":"x","size_bytes":${chunks},"sha256":"${digest}"}],
"chunks":[[10,1,-1,0,1,"${digest}"],${Array.from({ length: chunks }, (_, at) => `[${at + 11},1,0,${at},1,"${digest}"]`).join(',')}]}`;
  await bounded(
    'an index of as many chunks as one may have, whose archive is not there',
    {
      manifest: await plant(
        withIndex({
          size_bytes: size,
          sha256: digest,
          files: undefined,
          download_urls: { mirror: `${arena.world.mirror.url}/none` },
          index: {
            size_bytes: index.length,
            sha256: sha256(index),
            download_urls: { mirror: await arena.plant('index.json', index) },
          },
        }),
      ),
    },
    [5],
  );

  const bomb = Buffer.concat(Array(80).fill(gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 })));
  await bounded('an archive of 5 MB that unpacks to 5 GB', {
    manifest: await plant(
      withIndex({
        index: undefined,
        files: undefined,
        size_bytes: bomb.length,
        sha256: sha256(bomb),
        download_urls: { mirror: await arena.plant('bomb', bomb) },
      }),
    ),
  });

  const tags = await startServer(t, (_, response) => {
    const line = `${'0'.repeat(40)} refs/tags/models-v1.0.0-${'x'.repeat(20)}\n`;
    pour(response, Buffer.from(`${(line.length + 4).toString(16).padStart(4, '0')}${line}`.repeat(1000)));
  });
  await bounded('a list of tags without an end', {
    manifest: 'github:a/b#models-v',
    env: { GITHUB_SERVER_URL: tags.url },
  });
});
