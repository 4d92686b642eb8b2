import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import type { Event } from '../../src/core/events.ts';
import { http } from '../fetch/transfer-fixture.ts';
import { startServer } from './http-fixture.ts';

const small = { maxBytes: 1000 };

/** A Hub that refuses every token with `status`, and otherwise answers as it is told. */
async function startHub(
  context: TestContext,
  status: number,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  headers: Record<string, string> = {},
) {
  const hub = await startServer(context, (request, response) => {
    if (request.headers.authorization !== undefined) response.writeHead(status, headers).end();
    else answer(request, response);
  });
  const warnings: string[] = [];
  const onEvent = (event: Event): void => {
    if (event.type === 'warning') warnings.push(`${event.problem.file}: ${event.problem.message}`);
  };
  const client = http(context, { huggingFaceToken: 'hf-expired', huggingFaceEndpoint: hub.url });
  return { hub, client: client.namedBy({ local: true }, { onEvent }), warnings };
}

for (const status of [401, 403]) {
  test(`a token that is refused with ${status}, where nobody needs one, is left out with one warning`, async (context) => {
    const other = await startServer(context, (_, response) => response.end('fine'));
    const { hub, client, warnings } = await startHub(context, status, (request, response) => {
      if (request.url === '/away') response.writeHead(302, { location: other.url }).end();
      else response.end('fine');
    });
    for (const path of ['/x', '/away', '/x']) {
      assert.equal((await client.document(hub.url + path, small)).bytes.toString(), 'fine');
    }
    const { host } = new URL(hub.url);
    assert.deepEqual(warnings, [`${host}: refuses HF_TOKEN (status ${status}), and answers without it`]);
    assert.deepEqual(
      hub.seen.map(({ headers }) => headers.authorization),
      ['Bearer hf-expired', undefined, undefined, undefined],
    );
  });

  test(`a token that is refused with ${status}, where one is needed, is to blame`, async (context) => {
    const { hub, client, warnings } = await startHub(context, status, (_, response) => response.writeHead(401).end());
    for (let time = 0; time < 2; time++) {
      await assert.rejects(client.document(hub.url, small), (error) => {
        assert.ok(isAircherError(error, 'conflict'), String(error));
        assert.match(error.message, new RegExp(`refuses HF_TOKEN \\(status ${status}\\)`));
        assert.match(error.hint ?? '', /Renew the token/);
        return true;
      });
    }
    assert.deepEqual(warnings, []);
  });
}

test('403 that asks to come back later says nothing against the token', async (context) => {
  let asked = 0;
  const api = await startServer(context, (_, response) => {
    if (++asked === 1) response.writeHead(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1' }).end();
    else if (asked === 2) response.writeHead(403, { 'retry-after': '0' }).end();
    else response.end('fine');
  });
  const client = http(context, { githubToken: 'gh', githubApiUrl: api.url });
  assert.equal((await client.document(api.url, small)).bytes.toString(), 'fine');
  assert.ok(api.seen.every(({ headers }) => headers.authorization === 'Bearer gh'));
});
