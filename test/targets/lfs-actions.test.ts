import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type Exchange, readBytes, startOrigin } from '../../src/rehearsal/http.ts';
import { jsonReply, noContent, type Reply } from '../../src/rehearsal/reply.ts';
import { HubApi } from '../../src/targets/huggingface/hub-api.ts';
import { uploadObjects } from '../../src/targets/huggingface/lfs-upload.ts';
import { createPatience } from '../../src/targets/remote.ts';
import type { ReleaseFile } from '../../src/targets/target.ts';
import { bytesOf, hubScene, hubTarget, makeRelease, publish, quick, recorder } from './scene.ts';

/**
 * What git-lfs servers other than the Hub answer. Each test says what it gives as actions, and
 * which headers it wants to see.
 */

const token = 'hf_ownerOfTheRepository';
const content = bytesOf('object', 50_000);

interface Server {
  readonly url: string;
  /** Method, path and headers of every request but the batch's. */
  readonly seen: { readonly what: string; readonly headers: Exchange['headers'] }[];
  readonly batches: BatchRequest[];
}

interface BatchRequest {
  readonly ref?: { readonly name: string };
  readonly objects: readonly { readonly oid: string; readonly size: number }[];
}

interface Behaviour {
  /**
   * `actions`, and what stands beside them, for each batch answer; the objects' own server is
   * `url`.
   */
  object(url: string, batch: number): Record<string, unknown>;
  /** Whether a PUT or a verify is let through. */
  allows(exchange: Exchange): boolean;
}

async function lfsServer(t: TestContext, behaviour: Behaviour): Promise<Server> {
  const seen: Server['seen'] = [];
  const batches: Server['batches'] = [];
  const stored = new Map<string, Buffer>();
  const handler = async (exchange: Exchange): Promise<Reply> => {
    const { pathname } = exchange.url;
    const body = await readBytes(exchange);
    if (pathname.endsWith('/objects/batch')) {
      if (exchange.headers.authorization !== `Bearer ${token}`) return jsonReply(401, { message: 'who are you?' });
      const request = JSON.parse(body.toString()) as BatchRequest;
      batches.push(request);
      const answer = behaviour.object(exchange.baseUrl, batches.length);
      const objects = request.objects.map((pointer) => (stored.has(pointer.oid) ? pointer : { ...pointer, ...answer }));
      return jsonReply(200, { transfer: 'basic', objects });
    }
    seen.push({ what: `${exchange.method} ${pathname}`, headers: exchange.headers });
    if (!behaviour.allows(exchange)) return jsonReply(401, { message: 'User identity is required' });
    if (exchange.method === 'PUT') stored.set(createHash('sha256').update(body).digest('hex'), body);
    return noContent;
  };
  const origin = await startOrigin({ name: 'lfs', handler });
  t.after(origin.close);
  return { url: origin.url, seen, batches };
}

async function send(t: TestContext, server: Server): Promise<readonly string[]> {
  const [file] = (await makeRelease(t, { files: { 'a.bin': content } })).files as [ReleaseFile];
  const context = recorder();
  const settings = { repository: 'acme/models', endpoint: server.url, token, patience: createPatience(quick) };
  await uploadObjects(new HubApi(settings, context), 'main', [file]);
  return context.events.flatMap((event) => (event.type === 'retry' ? [event.reason] : []));
}

const upload = (url: string, header: Record<string, string> = {}) => ({ href: `${url}/put`, header });
const verify = (url: string, header: Record<string, string> = {}) => ({ href: `${url}/verify`, header });

test('the credentials that an action brings are sent alone, however the name of their header is written', async (t) => {
  for (const name of ['Authorization', 'authorization', 'AUTHORIZATION']) {
    const own = { [name]: 'RemoteAuth of-the-action' };
    const server = await lfsServer(t, {
      object: (url) => ({ authenticated: true, actions: { upload: upload(url, own), verify: verify(url, own) } }),
      allows: ({ headers }) => headers.authorization === 'RemoteAuth of-the-action',
    });
    assert.deepEqual(await send(t, server), [], name);
    assert.deepEqual(
      server.seen.map(({ what }) => what),
      ['PUT /put', 'POST /verify'],
    );
  }
});

test('a verify action on another host gets its own credentials, and never our token', async (t) => {
  const other = await lfsServer(t, {
    object: () => ({}),
    allows: ({ headers }) => headers.authorization === 'RemoteAuth elsewhere',
  });
  const server = await lfsServer(t, {
    object: (url) => ({
      authenticated: true,
      actions: { upload: upload(url), verify: verify(other.url, { authorization: 'RemoteAuth elsewhere' }) },
    }),
    allows: () => true,
  });
  assert.deepEqual(await send(t, server), []);
  assert.deepEqual(
    other.seen.map(({ headers }) => headers.authorization),
    ['RemoteAuth elsewhere'],
  );
});

test('an object that is not said to be authenticated is sent with the token, to the server itself alone', async (t) => {
  const elsewhere = await lfsServer(t, { object: () => ({}), allows: () => true });
  const server = await lfsServer(t, {
    object: (url) => ({ authenticated: false, actions: { upload: upload(url), verify: verify(url) } }),
    allows: ({ headers }) => headers.authorization === `Bearer ${token}`,
  });
  assert.deepEqual(await send(t, server), []);
  const leading = await lfsServer(t, {
    object: () => ({ actions: { upload: upload(elsewhere.url) } }),
    allows: () => true,
  });
  await send(t, leading);
  assert.equal(elsewhere.seen[0]?.headers.authorization, undefined);
});

test("an action's headers win over ours; what concerns the connection stays ours", async (t) => {
  const server = await lfsServer(t, {
    object: (url) => ({
      authenticated: true,
      actions: {
        upload: upload(url, {
          'CONTENT-TYPE': 'application/x-weights',
          'Transfer-Encoding': 'chunked',
          'Content-Length': '5',
          Connection: 'close',
          'X-Kept': 'yes',
        }),
        verify: verify(url, { Accept: 'application/vnd.git-lfs' }),
      },
    }),
    allows: () => true,
  });
  assert.deepEqual(await send(t, server), []);
  const [put, post] = server.seen.map(({ headers }) => headers);
  assert.equal(put?.['content-type'], 'application/x-weights');
  assert.equal(put?.['content-length'], String(content.length));
  assert.equal(put?.['transfer-encoding'], undefined);
  assert.equal(put?.['x-kept'], 'yes');
  assert.equal(post?.accept, 'application/vnd.git-lfs');
});

test('an upload says what it is and the batch names the branch in full, as the protocol has it', async (t) => {
  const server = await lfsServer(t, {
    object: (url) => ({ authenticated: true, actions: { upload: upload(url) } }),
    allows: () => true,
  });
  await send(t, server);
  assert.equal(server.seen[0]?.headers['content-type'], 'application/octet-stream');
  assert.equal(server.batches[0]?.ref?.name, 'refs/heads/main');
});

test('credentials of an action that have expired are asked for afresh, and our token is not blamed', async (t) => {
  const server = await lfsServer(t, {
    object: (url, batch) => ({
      authenticated: true,
      actions: { upload: upload(url, { Authorization: `RemoteAuth ${batch}` }) },
    }),
    allows: ({ headers }) => headers.authorization === 'RemoteAuth 2',
  });
  assert.equal((await send(t, server)).length, 1);
  const never = await lfsServer(t, {
    object: (url) => ({ authenticated: true, actions: { upload: upload(url, { Authorization: 'RemoteAuth old' }) } }),
    allows: () => false,
  });
  await assert.rejects(send(t, never), (error: { message: string; hint?: string }) => {
    assert.match(error.message, /401 User identity is required/);
    assert.doesNotMatch(String(error.hint), /TOKEN/);
    return true;
  });
});

test('the Hub, where verify takes the credentials of its action alone, gets a whole release', async (t) => {
  const hub = await hubScene(t);
  hub.faults.add({
    name: 'own',
    match: { path: /objects\/verify$/ },
    times: 'always',
    action: { kind: 'lfs-header' },
  });
  const release = await makeRelease(t, { files: { 'a.bin': content, 'manifest.json': '{}' } });
  const context = recorder();
  await publish(hubTarget(hub), release, context);
  assert.ok(hub.faults.hits('own') > 0);
  assert.deepEqual(
    context.events.filter(({ type }) => type === 'retry'),
    [],
  );
});

test('a header that no request can carry is a fault of the host', async (t) => {
  const server = await lfsServer(t, {
    object: (url) => ({ authenticated: true, actions: { upload: upload(url, { 'X-Bad': 'line\nbreak' }) } }),
    allows: () => true,
  });
  await assert.rejects(send(t, server), /large file storage: the answer is not what it should be/);
});
