import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultAction } from '../../src/rehearsal/faults.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';

const bytes = randomBytes(12_000_000);
let directory: string;
let file: string;
let mirror: StaticMirror;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mirror-'));
  file = join(directory, 'large.bin');
  await writeFile(file, bytes);
  mirror = await startStaticMirror({ directory, limits: { latencyMs: 20 } });
});
beforeEach(() => {
  mirror.faults.clear();
  mirror.log.clear();
});
after(async () => {
  await mirror.close();
  await rm(directory, { recursive: true });
});

/** Asks for the file and goes away after so many bytes. */
function leaveAfter(length: number): Promise<void> {
  return new Promise((resolve) => {
    const request = get(`${mirror.url}/large.bin`, { agent: false }, (response) => {
      let seen = 0;
      response
        .on('error', () => {})
        .on('data', (piece: Buffer) => {
          seen += piece.length;
          if (seen >= length) request.destroy();
        });
    });
    request.on('error', () => {}).on('close', () => resolve());
  });
}

/**
 * Waits until every exchange has ended and the file is open no more; the system tells of that where
 * it is Linux.
 */
async function allLeft(exchanges: number): Promise<void> {
  for (let patience = 60; ; patience--) {
    const unended = exchanges - mirror.log.entries.filter(({ durationMs }) => durationMs !== undefined).length;
    const open = process.platform === 'linux' ? openings() : 0;
    if (unended === 0 && open === 0) return;
    assert.ok(patience > 0, `${unended} exchanges under way, ${open} open files`);
    await delay(50);
  }
}

function openings(): number {
  const targetOf = (name: string): string | undefined => {
    try {
      return readlinkSync(join('/proc/self/fd', name));
    } catch {
      return undefined;
    }
  };
  return readdirSync('/proc/self/fd').filter((name) => targetOf(name) === file).length;
}

const shapes: readonly (FaultAction | undefined)[] = [
  undefined,
  { kind: 'gzip' },
  { kind: 'flip', atByte: 5_000_000 },
  { kind: 'slow', bytesPerSecond: 30_000_000 },
];
for (const action of shapes) {
  test(`clients that leave midway leave nothing open behind them: ${action?.kind ?? 'no fault'}`, async () => {
    if (action) mirror.faults.add({ times: 'always', action });
    const clients = 24;
    for (let at = 0; at < clients; at++) await leaveAfter(1 + at * 200_000);
    await allLeft(clients);
  });
}

test('of several requests sent at once over a connection that is cut, none goes on', async () => {
  const client = connect(Number(new URL(mirror.url).port), '127.0.0.1').on('error', () => {});
  client.pause();
  client.write('GET /large.bin HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(4));
  while (mirror.log.entries.length < 4) await delay(10);
  await delay(200);
  client.destroy();
  await allLeft(4);
});

test('a file that goes away before it is sent compressed cuts the answer, and the server stays', async () => {
  // Looked at when it is asked for, opened when the stall is over.
  mirror.faults.add({ action: { kind: 'stall', ms: 1000 } });
  mirror.faults.add({ action: { kind: 'gzip' } });
  const passing = join(directory, 'passing.bin');
  await writeFile(passing, bytes);
  const signal = AbortSignal.timeout(20_000);
  const answer = fetch(`${mirror.url}/passing.bin`, { signal }).then((response) => response.arrayBuffer());
  while (mirror.log.entries.length === 0) await delay(1);
  await delay(300);
  await rm(passing);
  await assert.rejects(answer, { name: 'TypeError' });
  assert.equal((await fetch(`${mirror.url}/large.bin`, { method: 'HEAD' })).status, 200);
});
