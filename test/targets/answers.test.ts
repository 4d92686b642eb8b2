import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryAfterMs } from '../../src/http/retry-after.ts';
import { answerFailure } from '../../src/targets/answer-failure.ts';
import { publishedTags } from '../../src/targets/published-tags.ts';

const now = Date.parse('2026-01-01T00:00:00Z');

test('the wait that an answer asks for is read in each form that the hosts use', () => {
  const cases: readonly [Record<string, string>, number | undefined][] = [
    [{ 'retry-after': '7' }, 7000],
    [{ 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT' }, 5000],
    [{ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [{ 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(now / 1000 + 30) }, 31_000],
    [{ 'x-ratelimit-remaining': '12', 'x-ratelimit-reset': String(now / 1000 + 30) }, undefined],
    [{ ratelimit: '"api";r=0;t=55' }, 55_000],
    [{ ratelimit: '"api";r=3;t=55' }, undefined],
    [{ 'retry-after': 'soon' }, undefined],
    [{}, undefined],
  ];
  for (const [headers, expected] of cases) assert.equal(retryAfterMs(new Headers(headers), now), expected);
});

test('which answers are worth another attempt', () => {
  const retryable = (status: number, headers: Record<string, string> = {}, body = ''): boolean =>
    answerFailure('GET x', status, new Headers(headers), body).retryable;
  for (const status of [408, 429, 500, 502, 503, 504]) assert.ok(retryable(status), String(status));
  for (const status of [400, 401, 403, 404, 409, 410, 412, 413, 422, 501])
    assert.ok(!retryable(status), String(status));
  assert.ok(retryable(403, { 'x-ratelimit-remaining': '0' }));
  assert.ok(retryable(403, {}, '{"message":"You have exceeded a secondary rate limit"}'));
});

test("a host's words are told in one line, without control characters, bounded", () => {
  const body = JSON.stringify({
    message: `bad\u001b[31m\nline \u202e${'x'.repeat(1000)}`,
    errors: [{ code: 'already_exists' }],
  });
  const failure = answerFailure('POST x', 422, new Headers(), body);
  assert.doesNotMatch(failure.message, /[\u0000-\u001f\u202e]/);
  assert.ok(failure.message.length < 350);
  assert.deepEqual(failure.reasons, ['already_exists']);
  const xml = '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>';
  assert.equal(answerFailure('PUT x', 403, new Headers(), xml).message, 'PUT x: 403 Request has expired');
});

test('published tags are those with the prefix and a version, newest first', () => {
  const tags = [
    'models-v1.9.0',
    'models-v1.10.0',
    'models-v1.10.0-rc.1',
    'v2.0.0',
    'models-vnext',
    'models-v1.0.0+build',
    'models-v01.0.0',
  ];
  assert.deepEqual(
    publishedTags(tags, 'models-v').map(({ version }) => version),
    ['1.10.0', '1.10.0-rc.1', '1.9.0'],
  );
});
