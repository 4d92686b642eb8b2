import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createFaults, type FaultAction, type FaultRule } from '../../src/rehearsal/faults.ts';
import { hashRemote } from '../../src/release/verify/hash-remote.ts';
import { http, model, publish, serve } from '../fetch/transfer-fixture.ts';

const archive = `${model}.tar.gz`;

async function archiveAt(context: TestContext, rule: FaultRule) {
  const published = await publish(context, { layers: 2 });
  const mirror = await serve(context, { directory: published.directory, faults: createFaults([rule]) });
  const { sha256, size_bytes: sizeBytes } = published.index.archive;
  const url = `${mirror.url}/${archive}`;
  return { mirror, file: { kind: 'mirror', name: archive, url, sizeBytes, sha256 } as const };
}

const limited = (retryAfter: string): FaultAction => ({
  kind: 'status',
  status: 403,
  headers: { 'retry-after': retryAfter },
});

test('a file that a host gives only after a rate limit (403 with Retry-After) is hashed', async (context) => {
  const { file } = await archiveAt(context, { action: limited('0') });
  assert.deepEqual(await hashRemote(file, http(context), {}), { state: 'ok', bytes: file.sizeBytes });
});

test('a rate limit behind a redirect is no expired address: for an hour, it is not asked again', async (context) => {
  const storage = await archiveAt(context, { times: 'always', action: limited('3600') });
  const to = storage.file.url;
  const { file } = await archiveAt(context, { times: 'always', action: { kind: 'redirect', to } });
  const { state } = await hashRemote(file, http(context), {});
  assert.equal(state, 'unreachable');
  assert.equal(storage.mirror.log.entries.length, 1);
});
