import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { commit } from '@huggingface/hub';
import { createHttp } from '../../src/http/create-http.ts';
import type { Http } from '../../src/http/http-client.ts';
import type { Hub } from '../../src/rehearsal/hub/server.ts';
import type { Target, TargetRelease } from '../../src/targets/target.ts';
import { weightsOf } from '../fixtures/weights-entry.ts';
import {
  bytesOf,
  failureOf,
  hubScene,
  hubTarget,
  makeRelease,
  publish,
  quick,
  type ReleaseOptions,
  recorder,
  repository,
  writesOf,
  writeToken,
} from './scene.ts';

const weights = bytesOf('weights', 400_000);

/** A manifest as far as the Hub's layout needs it. */
function manifestOf(version: string, models: Readonly<Record<string, readonly string[]>>): string {
  const digest = createHash('sha256').update('').digest('hex');
  return `${JSON.stringify({
    manifest_version: '1.0.0',
    release: `models-v${version}`,
    models: Object.fromEntries(
      Object.entries(models).map(([name, paths]) => {
        const files = paths.map((path) => ({ path, size_bytes: 1, sha256: digest }));
        const download_urls = { huggingface: 'https://example.org/x' };
        const archive = { version: '1.0.0', size_bytes: 1, sha256: digest, download_urls };
        return [name, { ...archive, files, ...weightsOf(files, digest) }];
      }),
    ),
  })}\n`;
}

function filesOf(version: string, models: readonly string[] = ['tiny']): Record<string, string | Buffer> {
  const files: Record<string, string | Buffer> = {
    'README.md': `---\nlicense: mit\n---\n# Models ${version}\n`,
    'manifest.json': manifestOf(
      version,
      Object.fromEntries(models.map((name) => [name, ['model.safetensors', 'config.json']])),
    ),
  };
  for (const name of models) {
    files[`${name}.tar.gz`] = bytesOf(`archive of ${name}`, 300_000);
    files[`${name}.tar.gz.index.json`] = `{"index_version":1,"of":"${name}"}\n`;
    files[`${name}.safetensors`] = weights;
    files[`${name}/model.safetensors`] = weights;
    files[`${name}/config.json`] = `{"model":"${name}"}\n`;
  }
  return files;
}

async function releaseOf(
  t: TestContext,
  version: string,
  options: Partial<ReleaseOptions> = {},
): Promise<TargetRelease> {
  return makeRelease(t, { version, files: filesOf(version), ...options });
}

async function read(hub: Hub, revision: string, path: string): Promise<string | undefined> {
  const response = await fetch(`${hub.url}/${repository}/resolve/${revision}/${path}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.ok ? createHash('sha256').update(bytes).digest('hex') : undefined;
}

async function refsOf(hub: Hub): Promise<{ branches: string[]; tags: string[] }> {
  const response = await fetch(`${hub.url}/api/models/${repository}/refs`);
  const refs = (await response.json()) as Record<'branches' | 'tags', { name: string }[]>;
  return { branches: refs.branches.map(({ name }) => name), tags: refs.tags.map(({ name }) => name) };
}

async function assertWhole(hub: Hub, revision: string, release: TargetRelease): Promise<void> {
  for (const file of release.files) assert.equal(await read(hub, revision, file.name), file.sha256, file.name);
}

async function steps(target: Target, release: TargetRelease): Promise<void> {
  assert.deepEqual(await target.preflight(release, {}), []);
  await publish(target, release);
}

test('a release grows on its branch, becomes a tag, and moves main last', async (t) => {
  const hub = await hubScene(t);
  const target = hubTarget(hub);
  const release = await releaseOf(t, '1.0.0');
  assert.deepEqual(await target.preflight(release, {}), []);
  assert.equal((await target.missing(release, {})).length, release.files.length);

  await target.upload(release, {});
  assert.deepEqual(await target.missing(release, {}), []);
  assert.deepEqual(await refsOf(hub), { branches: ['main', 'publish-models-v1.0.0'], tags: [] });
  assert.equal(await read(hub, 'main', 'manifest.json'), undefined);
  assert.equal((await target.inspect(release.tag, {})).state, 'draft');

  await target.makePublic(release, {});
  assert.deepEqual((await refsOf(hub)).tags, ['models-v1.0.0']);
  await assertWhole(hub, 'models-v1.0.0', release);
  assert.equal(await read(hub, 'main', 'manifest.json'), undefined);

  await target.movePointers(release, {});
  await assertWhole(hub, 'main', release);
  assert.deepEqual((await refsOf(hub)).branches, ['main']);
  assert.deepEqual(await target.published({}), [{ tag: 'models-v1.0.0', version: '1.0.0' }]);
  assert.match((await target.readDocument(release.tag, 'manifest.json', {}))?.toString() ?? '', /models-v1\.0\.0/);
  const inspection = await target.inspect(release.tag, {});
  assert.equal(inspection.state, 'public');
  assert.ok(inspection.files.some(({ name, digest }) => name === 'tiny.tar.gz' && digest?.algorithm === 'sha256'));
});

test('one content under two paths is sent once, and bytes on the wire are those of the files', async (t) => {
  const hub = await hubScene(t);
  const release = await releaseOf(t, '1.0.0');
  await publish(hubTarget(hub), release);
  const puts = hub.log.entries.filter(({ origin, method }) => origin === 'cdn' && method === 'PUT');
  assert.deepEqual(
    puts.map(({ bytesIn }) => bytesIn).sort((a, b) => a - b),
    // The Hub keeps *.tar.* in large file storage: the index too.
    [32, 300_000, 400_000],
  );
  const commits = writesOf(hub.log.entries).filter((line) => line.includes('/commit/'));
  assert.deepEqual(
    commits.map((line) => line.split('/commit/')[1]),
    ['publish-models-v1.0.0', 'main'],
  );
});

test('a second publication sends nothing and writes nothing', async (t) => {
  const hub = await hubScene(t);
  const release = await releaseOf(t, '1.0.0');
  await publish(hubTarget(hub), release);
  hub.log.clear();
  await steps(hubTarget(hub), release);
  assert.deepEqual(await hubTarget(hub).missing(release, {}), []);
  assert.deepEqual(writesOf(hub.log.entries), []);
});

test('other content under a published tag is refused, and nothing is changed', async (t) => {
  const hub = await hubScene(t);
  await publish(hubTarget(hub), await releaseOf(t, '1.0.0'));
  const other = await releaseOf(t, '1.0.0', {
    files: { ...filesOf('1.0.0'), 'tiny/config.json': '{"model":"tinY"}\n' },
  });
  hub.log.clear();
  const target = hubTarget(hub);
  const [problem] = await target.preflight(other, {});
  assert.match(problem?.message ?? '', /published with other content \(tiny\/config\.json\)/);
  for (const step of [target.missing, target.upload, target.makePublic]) {
    assert.equal((await failureOf(step(other, {}))).code, 'conflict');
  }
  assert.deepEqual(writesOf(hub.log.entries), []);
});

test("what a release no longer has leaves main and its tag, other people's files stay, old tags keep all", async (t) => {
  const hub = await hubScene(t);
  await publish(hubTarget(hub), await makeRelease(t, { version: '1.0.0', files: filesOf('1.0.0', ['tiny', 'old']) }));
  await commitAs(hub, 'main', { 'notes/mine.txt': 'mine', 'old/mine.txt': 'mine too' });
  const second = await releaseOf(t, '1.1.0');
  await publish(hubTarget(hub), second);
  for (const revision of ['main', 'models-v1.1.0']) {
    await assertWhole(hub, revision, second);
    for (const path of [
      'old.tar.gz',
      'old.tar.gz.index.json',
      'old.safetensors',
      'old/model.safetensors',
      'old/config.json',
    ]) {
      assert.equal(await read(hub, revision, path), undefined, `${revision} ${path}`);
    }
    assert.ok(await read(hub, revision, 'notes/mine.txt'));
    assert.ok(await read(hub, revision, 'old/mine.txt'));
  }
  assert.ok(await read(hub, 'models-v1.0.0', 'old.tar.gz'));
});

test('carried-forward files stay on main though they are not sent', async (t) => {
  const hub = await hubScene(t);
  const first = await makeRelease(t, { version: '1.0.0', files: filesOf('1.0.0', ['kept', 'tiny']) });
  await publish(hubTarget(hub), first);
  const all = filesOf('1.1.0', ['kept', 'tiny']);
  const fresh = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('kept')));
  const second = await makeRelease(t, { version: '1.1.0', files: fresh, layout: Object.keys(all).sort() });
  await publish(hubTarget(hub), second);
  assert.ok(await read(hub, 'main', 'kept/model.safetensors'));
  assert.ok(await read(hub, 'models-v1.1.0', 'kept.tar.gz'));
});

test('a prerelease gets its tag and leaves main alone', async (t) => {
  const hub = await hubScene(t);
  const stable = await releaseOf(t, '1.0.0');
  await publish(hubTarget(hub), stable);
  const next = await releaseOf(t, '1.1.0-rc.1', { prerelease: true });
  await publish(hubTarget(hub), next);
  await assertWhole(hub, 'models-v1.1.0-rc.1', next);
  await assertWhole(hub, 'main', stable);
  assert.deepEqual((await refsOf(hub)).branches, ['main']);
});

test('publishing an old release again does not move main back', async (t) => {
  const hub = await hubScene(t);
  const first = await releaseOf(t, '1.0.0');
  const second = await releaseOf(t, '1.1.0');
  await publish(hubTarget(hub), first);
  await publish(hubTarget(hub), second);
  hub.log.clear();
  const context = recorder();
  await publish(hubTarget(hub), first, context);
  assert.deepEqual(writesOf(hub.log.entries), []);
  await assertWhole(hub, 'main', second);
  assert.ok(context.events.some((event) => event.type === 'notice' && /models-v1\.1\.0/.test(event.message)));
});

test('somebody else committing to main meanwhile is built upon', async (t) => {
  const hub = await hubScene(t);
  const release = await releaseOf(t, '1.0.0');
  // Two commits slip in between the look and the commit.
  let slipped = 0;
  let armed = false;
  const real = createHttp();
  const http: Http = {
    ...real,
    namedBy: () => http,
    request: async (url, options) => {
      if (armed && url.endsWith('/commit/main') && slipped < 2) {
        slipped++;
        await commitAs(hub, 'main', { [`during-${slipped}.txt`]: 'two' });
      }
      return real.request(url, options);
    },
  };
  const target = hubTarget(hub, { tuning: { ...quick, http } });
  await target.upload(release, {});
  await commitAs(hub, 'main', { 'before.txt': 'one' });
  await target.makePublic(release, {});
  armed = true;
  await target.movePointers(release, {});
  assert.equal(slipped, 2);
  await assertWhole(hub, 'main', release);
  for (const path of ['before.txt', 'during-1.txt', 'during-2.txt']) assert.ok(await read(hub, 'main', path), path);
});

test('many files go in few commits, the manifest in the last', async (t) => {
  const hub = await hubScene(t);
  const files: Record<string, string> = { 'manifest.json': manifestOf('1.0.0', {}) };
  for (let i = 0; i < 240; i++) files[`m${String(i).padStart(3, '0')}/config.json`] = `{"i":${i}}\n`;
  const release = await makeRelease(t, { files });
  let seen = 0;
  // A commit that takes longer than a slow machine's patience would be sent again.
  const tuning = { ...quick, deadlines: { ...quick.deadlines, stallMs: 10_000, totalMs: 60_000 } };
  await publish(hubTarget(hub, { tuning }), release);
  const commits = writesOf(hub.log.entries).filter((line) => line.includes('/commit/'));
  for (const line of commits) seen += line.endsWith('/commit/main') ? 1 : 0;
  assert.equal(commits.length, 4);
  assert.equal(seen, 1);
  await assertWhole(hub, 'main', { ...release, files: release.files.slice(0, 3) });
});

test('large objects go in parts', async (t) => {
  const hub = await hubScene(t, { multipart: { thresholdBytes: 250_000, partBytes: 64_000 } });
  const release = await releaseOf(t, '1.0.0');
  hub.faults.add({
    match: { origin: 'cdn', method: 'PUT' },
    nth: 3,
    times: 2,
    action: { kind: 'status', status: 500 },
  });
  const context = recorder();
  await publish(hubTarget(hub), release, context);
  await assertWhole(hub, 'main', release);
  const done = context.events.flatMap((event) =>
    event.type === 'progress' && event.subject === 'tiny.safetensors' ? [event.done] : [],
  );
  assert.deepEqual(
    done,
    [...done].sort((a, b) => a - b),
  );
});

/** A commit of somebody who has nothing to do with the release. */
async function commitAs(hub: Hub, branch: string, files: Readonly<Record<string, string>>): Promise<void> {
  await commit({
    repo: repository,
    hubUrl: hub.url,
    accessToken: writeToken,
    branch,
    title: 'Something else',
    useXet: false,
    operations: Object.entries(files).map(([path, text]) => ({
      operation: 'addOrUpdate',
      path,
      content: new Blob([text]),
    })),
  });
}
