import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { catalogueMark } from '../../src/contract/catalogue-mark.ts';
import type { LogEntry } from '../../src/rehearsal/request-log.ts';
import type { TargetRelease } from '../../src/targets/target.ts';
import { type BucketScene, bucket, bucketScene, manifestOf, partBytes, prefix, smallFiles } from './bucket-scene.ts';
import { bytesOf, failureOf, makeRelease, publish, recorder } from './scene.ts';

const tag = 'models-v1.0.0';
const rootNames = ['aircher.mjs', 'index.html', 'manifest.json', 'manifest.json.minisig'];

function assertWhole(scene: BucketScene, release: TargetRelease, what = ''): void {
  for (const { name, sha256 } of release.files)
    assert.equal(scene.sha256Of(`${release.tag}/${name}`), sha256, what + name);
  for (const name of rootNames) {
    const file = release.files.find((each) => each.name === name);
    if (file) assert.equal(scene.sha256Of(name), file.sha256, `${what}root ${name}`);
  }
  assert.deepEqual(scene.s3.openUploads(), [], `${what}no upload is left open`);
}

const largeFiles = (version: string, parts = 2) => ({
  ...smallFiles(version),
  'large.tar.gz': bytesOf(`large ${version}`, (parts - 1) * partBytes + 1000),
});

test('a release becomes public in one order: what is below its tag, its manifest, the pages at the root, the pointers', async (t) => {
  const scene = await bucketScene(t, { pageSize: 2 });
  const release = await makeRelease(t, { files: smallFiles('1.0.0') });
  await publish(scene.target(), release);
  assertWhole(scene, release);
  const writes = scene.writes();
  const below = writes.slice(0, release.files.length - 1).sort();
  assert.deepEqual(
    below,
    release.files.filter(({ name }) => name !== 'manifest.json').map(({ name }) => `PUT ${tag}/${name}`),
  );
  assert.deepEqual(writes.slice(release.files.length - 1), [
    `PUT ${tag}/manifest.json`,
    'PUT aircher.mjs',
    'PUT index.html',
    'PUT manifest.json.minisig',
    'PUT manifest.json',
  ]);
  assert.deepEqual(await scene.target().published({}), [{ tag, version: '1.0.0', state: 'public' }]);
  assert.equal((await scene.target().pointer({})).tag, tag);
});

test('every file is asked for at its public address before a manifest, and so a pointer, is written', async (t) => {
  const scene = await bucketScene(t);
  const release = await makeRelease(t, { files: smallFiles('1.0.0') });
  scene.server.faults.add({
    match: { path: /tiny\.tar\.gz$/ },
    times: 'always',
    action: { kind: 'status', status: 403 },
  });
  const failure = await failureOf(publish(scene.target({ tuning: { publicMs: 60 } }), release));
  assert.equal(failure.code, 'remote');
  assert.match(failure.message, /tiny\.tar\.gz: .*403/);
  assert.match(failure.hint ?? '', /s3:\/\/models\/public\/acme.*"probe": false/);
  assert.ok(!scene.writes().some((write) => write.endsWith('manifest.json')));
  await publish(scene.target({ probe: false }), release);
  assertWhole(scene, release);
});

test('published again, a release is looked at and not written; a file that was lost is written again', async (t) => {
  const scene = await bucketScene(t, { pageSize: 3 });
  const release = await makeRelease(t, { files: largeFiles('1.0.0') });
  await publish(scene.target(), release);
  scene.s3.log.clear();
  const context = recorder();
  await publish(scene.target(), release, context);
  assert.deepEqual(scene.writes(), []);
  const done = context.events.flatMap((event) => (event.type === 'done' ? [event.detail] : []));
  assert.deepEqual([...new Set(done)], ['already there']);
  await rm(join(scene.directory, tag, 'tiny.tar.gz'));
  assert.deepEqual(
    (await scene.target().missing(release, {})).map(({ name }) => name),
    ['tiny.tar.gz'],
  );
  await publish(scene.target(), release);
  assert.deepEqual(scene.writes(), [`PUT ${tag}/tiny.tar.gz`]);
});

test('what is asked of caches and browsers: artifacts are for ever, what the root has is asked for again', async (t) => {
  const scene = await bucketScene(t);
  await publish(scene.target(), await makeRelease(t, { files: largeFiles('1.0.0') }));
  const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const s3 = new S3Client({
    endpoint: scene.s3.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIAREADER', secretAccessKey: 'reader' },
  });
  const headers: Record<string, string> = {};
  for (const path of ['manifest.json', 'index.html', 'aircher.mjs', `${tag}/large.tar.gz`, `${tag}/manifest.json`]) {
    const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/${path}` }));
    headers[path] = `${answer.ContentType} | ${answer.CacheControl}`;
    await answer.Body?.transformToByteArray();
  }
  const forEver = 'public, max-age=31536000, immutable';
  assert.deepEqual(headers, {
    'manifest.json': 'application/json | no-cache',
    'index.html': 'text/html; charset=utf-8 | no-cache',
    'aircher.mjs': 'text/javascript; charset=utf-8 | no-cache',
    [`${tag}/large.tar.gz`]: `application/gzip | ${forEver}`,
    [`${tag}/manifest.json`]: `application/json | ${forEver}`,
  });
});

test('an object under our tag that somebody else put there is exit 6, whichever it is, and stays', async (t) => {
  for (const name of ['tiny.tar.gz', 'aircher.mjs', 'manifest.json.minisig']) {
    const scene = await bucketScene(t);
    const release = await makeRelease(t, { files: smallFiles('1.0.0') });
    await scene.put(`${tag}/${name}`, 'theirs');
    const [problem] = await scene.target().preflight(release, {});
    assert.equal(problem?.code, 'conflict', name);
    const failure = await failureOf(publish(scene.target(), release), name);
    assert.equal(failure.code, 'conflict');
    assert.match(failure.message, new RegExp(`s3://models/public/acme/${tag}/${name}: is an object that`));
    assert.deepEqual(scene.writes(), []);
    assert.equal(readFileSync(join(scene.directory, tag, name), 'utf8'), 'theirs');
  }
});

test('the same bytes, whoever brought them, are as good; a manifest of other content is exit 6', async (t) => {
  const scene = await bucketScene(t);
  const release = await makeRelease(t, { files: smallFiles('1.0.0') });
  await publish(scene.target(), release);
  const other = await makeRelease(t, {
    files: { ...smallFiles('1.0.0'), 'manifest.json': `${manifestOf('1.0.0')}\n` },
  });
  const failure = await failureOf(publish(scene.target(), other));
  assert.equal(failure.code, 'conflict');
  assert.match(failure.message, /is published on the mirror with other content/);
  const damaged = await makeRelease(t, { files: { ...smallFiles('1.0.0'), 'tiny.tar.gz': 'other' } });
  assert.match(
    (await failureOf(publish(scene.target(), damaged))).message,
    /tiny\.tar\.gz: has other content, and its release is public/,
  );
});

test('what a killed run of ours left is replaced while nothing is public, only if it is still that', async (t) => {
  const scene = await bucketScene(t);
  await scene.target().upload(await makeRelease(t, { files: largeFiles('0.9.0'), version: '1.0.0' }), {});
  const release = await makeRelease(t, { files: largeFiles('1.0.0') });
  // Somebody else replaces one of them meanwhile.
  const rule = { match: { method: 'PUT', path: /tiny\.tar\.gz\?/ }, action: { kind: 'status', status: 412 } } as const;
  scene.s3.faults.add(rule);
  await publish(scene.target(), release);
  assert.equal(scene.s3.faults.hits(rule), 1);
  assertWhole(scene, release);
});

test('an interrupted upload in parts goes on where it was: no part is sent twice, and older ones are ended', async (t) => {
  const scene = await bucketScene(t);
  const release = await makeRelease(t, { files: largeFiles('1.0.0', 3) });
  const cut = scene.s3.faults.add({
    match: { method: 'PUT', path: /partNumber=3/ },
    times: 'always',
    action: { kind: 'reset', of: 'request' },
  });
  await failureOf(publish(scene.target({ tuning: { parallel: 1 } }), release));
  cut();
  assert.equal(scene.s3.openUploads().length, 1);
  scene.s3.log.clear();
  await publish(scene.target(), release);
  const parts = scene.s3.log.entries.filter(({ method, path }) => method === 'PUT' && path.includes('partNumber='));
  const bodies = parts.filter(({ bytesIn }) => bytesIn > 0).map(({ path }) => /partNumber=(\d+)/.exec(path)?.[1]);
  assert.deepEqual(bodies, ['3']);
  assertWhole(scene, release);
});

test('an upload that somebody ended is begun anew; one of other content is written over part by part', async (t) => {
  const scene = await bucketScene(t);
  const other = await makeRelease(t, { files: largeFiles('0.9.0', 3), version: '1.0.0' });
  const cut = scene.s3.faults.add({
    match: { method: 'PUT', path: /partNumber=2/ },
    times: 'always',
    action: { kind: 'status', status: 503 },
  });
  await failureOf(publish(scene.target({ tuning: { parallel: 1 } }), other));
  cut();
  const release = await makeRelease(t, { files: largeFiles('1.0.0', 3) });
  scene.s3.faults.add({
    match: { method: 'PUT', path: /partNumber=3/ },
    action: {
      kind: 'status',
      status: 404,
      body: '<?xml version="1.0"?><Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>',
    },
  });
  await publish(scene.target(), release);
  assertWhole(scene, release);
  assert.equal(
    (await scene.target().inspect(tag, {})).files.find(({ name }) => name === 'large.tar.gz')?.digest?.hex,
    release.files.find(({ name }) => name === 'large.tar.gz')?.sha256,
  );
});

test('a file that changed after it was packed is not uploaded, and leaves no upload', async (t) => {
  for (const name of ['tiny.tar.gz', 'large.tar.gz']) {
    const scene = await bucketScene(t);
    const release = await makeRelease(t, { files: largeFiles('1.0.0') });
    const changed = {
      ...release,
      files: release.files.map((file) => (file.name === name ? { ...file, sha256: 'a'.repeat(64) } : file)),
    };
    const failure = await failureOf(publish(scene.target(), changed), name);
    assert.equal(failure.code, 'integrity');
    assert.match(failure.message, new RegExp(`${name} is not what was packed`));
    assert.equal(scene.sha256Of(`${tag}/${name}`), undefined);
    assert.deepEqual(scene.s3.openUploads(), []);
    assert.ok(!existsSync(join(scene.directory, 'manifest.json')));
  }
});

const slowDown = {
  kind: 'status',
  status: 503,
  body: '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
} as const;
const steps = {
  list: { method: 'GET', path: /list-type=2/ },
  look: { method: 'HEAD' },
  read: { method: 'GET', path: /x-id=GetObject/ },
  put: { method: 'PUT', path: /x-id=PutObject/ },
  begin: { method: 'POST', path: /uploads=/ },
  part: { method: 'PUT', path: /partNumber=2/ },
  parts: { method: 'GET', path: /x-id=ListParts/ },
  end: { method: 'POST', path: /uploadId=/ },
} as const;
const faults = {
  SlowDown: slowDown,
  '500': { kind: 'status', status: 500 },
  '500 although it was done': { kind: 'status', status: 500, after: true },
  'a cut connection': { kind: 'reset', of: 'request' },
  'a lost answer': { kind: 'lost-response' },
  'damage on the way': { kind: 'flip', of: 'request', atByte: 10 },
  "a proxy's page": { kind: 'html' },
  'a stall': { kind: 'stall', ms: 700 },
} as const;

/** All steps of one publication, or with AIRCHER_SOAK each in one of its own. */
const rounds: readonly (readonly (keyof typeof steps)[])[] = process.env.AIRCHER_SOAK
  ? Object.keys(steps).map((step) => [step as keyof typeof steps])
  : [Object.keys(steps) as (keyof typeof steps)[]];

for (const [fault, action] of Object.entries(faults)) {
  test(`${fault} at every step, twice in a row, ends in one whole release`, async (t) => {
    const scene = await bucketScene(t);
    for (const [minor, round] of rounds.entries()) {
      const version = `1.${minor}.0`;
      const release = await makeRelease(t, { files: largeFiles(version), version });
      const rules = round.map((step) => ({ name: step, match: steps[step], times: 2, action }));
      for (const rule of rules) scene.s3.faults.add(rule);
      await publish(scene.target(), release);
      for (const rule of rules) assert.ok(scene.s3.faults.hits(rule) > 0, `${fault} at ${rule.name} happened`);
      scene.s3.faults.clear();
      assertWhole(scene, release, `${fault} at ${round}: `);
    }
  });
}

test('at no moment does a pointer or a manifest name what is not there', async (t) => {
  const faultsSeen: string[] = [];
  let looks = 0;
  const check = (_entry: LogEntry, directory: string): void => {
    const read = (path: string): Buffer | undefined => {
      const file = join(directory, path);
      return existsSync(file) ? readFileSync(file) : undefined;
    };
    const root = read('manifest.json');
    if (root === undefined) return;
    looks++;
    const { release } = JSON.parse(root.toString()) as { release: string };
    const files = planned.get(release)?.files ?? [];
    for (const { name, sizeBytes } of files) {
      // Objects appear whole: their sizes tell.
      const found = statSync(join(directory, release, name), { throwIfNoEntry: false })?.size;
      if (found !== sizeBytes) faultsSeen.push(`${release} lacks ${name}`);
    }
    if (read('manifest.json.minisig') === undefined) faultsSeen.push(`${release} has no signature`);
  };
  const planned = new Map<string, TargetRelease>();
  const scene = await bucketScene(t, { onRequest: check });
  for (const version of ['1.0.0', '1.1.0', '1.2.0']) {
    const release = await makeRelease(t, { files: largeFiles(version), version });
    planned.set(release.tag, release);
    await publish(scene.target(), release);
  }
  assert.deepEqual(faultsSeen, []);
  assert.ok(looks > 30, `${looks} looks`);
});

test('two that publish the same release at once both end well, and a pointer goes back for nobody', async (t) => {
  const scene = await bucketScene(t);
  const [older, release] = [
    await makeRelease(t, { files: smallFiles('1.0.0') }),
    await makeRelease(t, { files: largeFiles('1.1.0'), version: '1.1.0' }),
  ];
  await Promise.all([publish(scene.target(), release), publish(scene.target(), release)]);
  assertWhole(scene, release);
  await publish(scene.target(), older);
  assert.equal((await scene.target().pointer({})).tag, 'models-v1.1.0');
  const prerelease = await makeRelease(t, { files: smallFiles('2.0.0-rc.1'), version: '2.0.0-rc.1', prerelease: true });
  await publish(scene.target(), prerelease);
  assert.equal((await scene.target().pointer({})).tag, 'models-v1.1.0');
  assert.deepEqual(
    (await scene.target().list({})).map(({ version }) => version),
    ['2.0.0-rc.1', '1.1.0', '1.0.0'],
  );
});

test('a pointer that somebody moves in the same moment is read again, and the newer one wins', async (t) => {
  const scene = await bucketScene(t);
  await publish(scene.target(), await makeRelease(t, { files: smallFiles('1.0.0') }));
  const release = await makeRelease(t, { files: smallFiles('1.1.0'), version: '1.1.0' });
  const rule = {
    match: { method: 'PUT', path: /acme\/manifest\.json\?/ },
    action: { kind: 'status', status: 412 },
  } as const;
  scene.s3.faults.add(rule);
  await publish(scene.target(), release);
  assert.equal(scene.s3.faults.hits(rule), 1);
  assertWhole(scene, release);
});

test("an index.html of somebody's at the root stays, and is told of", async (t) => {
  const scene = await bucketScene(t);
  await scene.put('index.html', 'mine');
  const context = recorder();
  const files = { ...smallFiles('1.0.0'), 'index.html': `${catalogueMark}<p>ours</p>` };
  await publish(scene.target(), await makeRelease(t, { files }), context);
  assert.equal(readFileSync(join(scene.directory, 'index.html'), 'utf8'), 'mine');
  assert.ok(
    context.events.some(
      (event) => event.type === 'warning' && /is not a catalogue of ours/.test(event.problem.message),
    ),
  );
});

const most = Number(process.env.AIRCHER_SOAK_MODELS ?? 24);

test(`${most} models: every object once, in few requests`, async (t) => {
  const scene = await bucketScene(t);
  const files: Record<string, string | Buffer> = { ...smallFiles('1.0.0') };
  for (let number = 0; number < most; number++) {
    files[`m${number}.tar.gz`] = `archive ${number}`;
    files[`m${number}.tar.gz.index.json`] = `{"n":${number}}`;
  }
  const release = await makeRelease(t, { files });
  await publish(scene.target(), release);
  assertWhole(scene, release);
  assert.equal(scene.writes().length, release.files.length + rootNames.length);
  // Each object is written and looked at; lists and documents come on top.
  assert.ok(scene.s3.log.entries.length < 2.2 * release.files.length + 30, `${scene.s3.log.entries.length} requests`);
});

const failures: readonly (readonly [
  what: string,
  fact: RegExp,
  hint: RegExp,
  options: Parameters<BucketScene['target']>[0],
])[] = [
  [
    'a bucket that is not there',
    /NoSuchBucket/,
    /Make the bucket, or correct "mirror.s3"/,
    { address: { bucket: 'other' } },
  ],
  [
    'an access key that nobody knows',
    /InvalidAccessKeyId/,
    /doesn't know this access key/,
    { credentials: { accessKeyId: 'AKIAX', secretAccessKey: 'x' } },
  ],
  [
    'a wrong secret',
    /SignatureDoesNotMatch/,
    /secret key is not that/,
    { credentials: { accessKeyId: 'AKIAWRITER', secretAccessKey: 'x' } },
  ],
  [
    'a session that has ended',
    /ExpiredToken/,
    /sign in again/,
    { credentials: { accessKeyId: 'ASIAEXPIRED', secretAccessKey: 'expired' } },
  ],
  [
    'keys that may only read',
    /AccessDenied/,
    /rights of docs\/operations.md/,
    { credentials: { accessKeyId: 'AKIAREADER', secretAccessKey: 'reader' } },
  ],
  [
    'keys without any right',
    /AccessDenied/,
    /rights of docs\/operations.md/,
    { credentials: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'nobody' } },
  ],
  [
    'another region',
    /AuthorizationHeaderMalformed/,
    /The bucket is in us-east-1: write "region": "us-east-1"/,
    { address: { region: 'eu-west-1' } },
  ],
];
for (const [what, fact, hint, options] of failures) {
  test(`${what} is found before a byte is sent, is named, and is exit 6`, async (t: TestContext) => {
    const scene = await bucketScene(t);
    const release = await makeRelease(t, { files: smallFiles('1.0.0') });
    const [problem] = await scene.target(options).preflight(release, {});
    assert.match(problem?.message ?? '', fact);
    assert.match(problem?.hint ?? '', hint);
    assert.equal(problem?.code ?? 'conflict', 'conflict');
    const failure = await failureOf(scene.target(options).upload(release, {}));
    assert.equal(failure.code, 'conflict');
    assert.deepEqual(scene.writes(), []);
  });
}

test("a proxy's answer is not taken for the server's", async (t) => {
  const scene = await bucketScene(t);
  scene.s3.faults.add({
    times: 'always',
    action: { kind: 'status', status: 403, body: '<html>Access denied by policy</html>' },
  });
  const failure = await failureOf(scene.target().published({}));
  assert.equal(failure.code, 'remote');
  assert.match(failure.message, /403, and no word of S3/);
  assert.match(failure.hint ?? '', /proxy/);
});

test('where clocks differ by an hour the server’s counts', async (t) => {
  const scene = await bucketScene(t, { clockAheadMs: 3_600_000 });
  const release = await makeRelease(t, { files: smallFiles('1.0.0') });
  await publish(scene.target(), release);
  assertWhole(scene, release);
});
