import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createHttp } from '../../src/http/create-http.ts';
import { bucketStorage } from '../../src/targets/mirror/bucket/bucket-storage.ts';
import { createMirrorTarget } from '../../src/targets/mirror/mirror-target.ts';
import type { Target } from '../../src/targets/target.ts';
import { partBytes, smallFiles } from './bucket-scene.ts';
import { bytesOf, failureOf, makeRelease, publish, quick } from './scene.ts';

/**
 * What holds against the stand-in must hold against servers that others wrote: moto, which is
 * installed for it where there is a Python, and any that AIRCHER_TEST_S3 names (MinIO, VersityGW).
 */
const named = process.env.AIRCHER_TEST_S3;
const moto = 'moto[s3]==5.2.5';
const place = fileURLToPath(new URL('../../node_modules/.cache/moto-5.2.5', import.meta.url));

/** A Python that has moto, or why there is none. */
function findMoto(): { readonly python: string } | { readonly reason: string } {
  const python = join(place, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python');
  const works = (): boolean => spawnSync(python, ['-c', 'import moto.server']).status === 0;
  if (works()) return { python };
  const made = spawnSync('python3', ['-m', 'venv', place], { encoding: 'utf8' });
  if (made.status !== 0) return { reason: `python3 makes no environment: ${made.error ?? made.stderr}` };
  const options = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const installed = spawnSync(python, [...options, moto, 'flask', 'flask-cors'], {
    encoding: 'utf8',
    timeout: 180_000,
  });
  return works() ? { python } : { reason: `${moto} isn't installed: ${installed.error ?? installed.stderr}` };
}

test('publication to the server of AIRCHER_TEST_S3', { skip: named === undefined && 'no server is named' }, (t) =>
  publishTo(t, named ?? ''),
);

test('publication to moto', async (t) => {
  const found = findMoto();
  if ('reason' in found) return t.skip(found.reason);
  const port = await freePort();
  const server = spawn(found.python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
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
