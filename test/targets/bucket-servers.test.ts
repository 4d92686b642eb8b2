import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createHttp } from '../../src/http/create-http.ts';
import { bucketStorage } from '../../src/targets/mirror/bucket/bucket-storage.ts';
import { createMirrorTarget } from '../../src/targets/mirror/mirror-target.ts';
import type { Target } from '../../src/targets/target.ts';
import { partBytes, smallFiles } from './bucket-scene.ts';
import { bytesOf, failureOf, makeRelease, publish, quick } from './scene.ts';

/**
 * What holds against the stand-in must hold against servers that others wrote: moto, where a Python
 * has it, and any that AIRCHER_TEST_S3 names (MinIO, VersityGW).
 */
const named = process.env.AIRCHER_TEST_S3;
const python = process.env.AIRCHER_TEST_S3_PYTHON ?? 'python3';
const hasMoto = spawnSync(python, ['-c', 'import moto.server, flask']).status === 0;

test('publication to the server of AIRCHER_TEST_S3', { skip: named === undefined && 'no server is named' }, (t) =>
  publishTo(t, named ?? ''),
);

test('publication to moto', { skip: !hasMoto && `${python} has no moto[server]` }, async (t) => {
  const port = await freePort();
  const server = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  t.after(() => server.kill());
  const url = `http://KEY:SECRET@127.0.0.1:${port}`;
  for (let waited = 0; waited < 200 && !(await fetch(new URL(url).origin).catch(() => undefined)); waited++) {
    await delay(100);
  }
  await publishTo(t, url);
});

async function publishTo(t: TestContext, server: string): Promise<void> {
  const { origin: endpoint, username: accessKeyId, password: secretAccessKey } = new URL(server);
  const credentials = { accessKeyId, secretAccessKey };
  const { CreateBucketCommand, PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const s3 = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  const bucket = `models-${process.pid}-${Math.trunc(performance.now())}`;
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  const target = (prefix: string): Target => {
    const tuning = { http: createHttp({ allowInsecure: true }), ...quick, deadlines: {} };
    const storage = bucketStorage({ bucket, prefix, endpoint }, tuning, credentials);
    return createMirrorTarget({ storage, tagPrefix: 'models-v', tuning });
  };
  const files = { ...smallFiles('1.0.0'), 'large.tar.gz': bytesOf('large', 2 * partBytes + 1000) };
  const release = await makeRelease(t, { files });

  await publish(target('a/b'), release);
  assert.deepEqual(await target('a/b').missing(release, {}), []);
  assert.deepEqual(await target('a/b').published({}), [{ tag: release.tag, version: '1.0.0', state: 'public' }]);
  const { files: found } = await target('a/b').inspect(release.tag, {});
  assert.deepEqual(
    found.map(({ name, digest }) => [name, digest?.hex]).sort(),
    release.files.map(({ name, sha256 }) => [name, sha256]).sort(),
  );
  await publish(target('a/b'), release);

  const next = await makeRelease(t, { files: smallFiles('1.1.0'), version: '1.1.0' });
  await publish(target('a/b'), next);
  assert.equal((await target('a/b').pointer({})).tag, next.tag);

  // The server is what refuses: two that have looked at the same moment.
  const late = await makeRelease(t, { files: smallFiles('2.0.0'), version: '2.0.0' });
  await Promise.all([publish(target('race'), late), publish(target('race'), late)]);

  const key = `c/${release.tag}/tiny.tar.gz`;
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: 'theirs' }));
  assert.equal((await failureOf(publish(target('c'), release))).code, 'conflict');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { readonly port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
