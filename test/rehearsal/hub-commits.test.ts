import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { bearer, call, commitLines, headOf, hubScene, repository, textFile, writeToken } from './hub-scene.ts';

const run = promisify(execFile);

test('deleting a file or folder that is not there refuses the whole commit', async (t) => {
  const { hub } = await hubScene(t);
  await commitLines(hub, [textFile('d/a.txt', 'a'), textFile('d/b.txt', 'b'), textFile('e.txt', 'e')]);
  const head = await headOf(hub);
  for (const key of ['deletedFile', 'deletedFolder']) {
    const response = await commitLines(hub, [textFile('new.txt', 'n'), { key, value: { path: 'none' } }]);
    assert.equal(response.status, 404);
  }
  assert.equal((await commitLines(hub, [textFile('e.txt/x', 'x')])).status, 400);
  assert.equal((await commitLines(hub, [textFile('../x', 'x')])).status, 400);
  assert.equal(await headOf(hub), head);
  assert.equal((await commitLines(hub, [{ key: 'deletedFolder', value: { path: 'd/' } }])).status, 200);
  assert.equal((await call(hub, '/tree/main/d')).status, 404);
});

test('an unchanged commit makes a new commit with the same tree', async (t) => {
  const { hub } = await hubScene(t);
  await commitLines(hub, [textFile('a.txt', 'a')]);
  const before = await headOf(hub);
  assert.equal((await commitLines(hub, [textFile('a.txt', 'a')])).status, 200);
  assert.notEqual(await headOf(hub), before);
});

test('tags: 409 where one is there, annotated ones lead to the commit, deleted ones are gone', async (t) => {
  const { hub } = await hubScene(t);
  const head = await headOf(hub);
  assert.equal((await call(hub, '/tag/main', { tag: 'v1' })).status, 201);
  assert.equal((await call(hub, `/tag/${head}`, { tag: 'v2', message: 'second' })).status, 201);
  assert.equal((await call(hub, '/tag/main', { tag: 'v2' })).status, 409);
  assert.equal((await call(hub, '/tag/main', { tag: 'v2/x' })).status, 409);
  assert.equal((await call(hub, '/tag/main', { tag: 'bad name' })).status, 400);
  assert.equal((await call(hub, '/tag/nowhere', { tag: 'v3' })).status, 404);
  await commitLines(hub, [textFile('a.txt', 'a')]);
  const refs = (await (await call(hub, '/refs')).json()) as Record<string, unknown>;
  assert.deepEqual(refs.tags, [
    { name: 'v1', ref: 'refs/tags/v1', targetCommit: head },
    { name: 'v2', ref: 'refs/tags/v2', targetCommit: head },
  ]);
  assert.equal(await headOf(hub, 'v2'), head);
  const deleted = await fetch(`${hub.url}/api/models/${repository}/tag/v1`, {
    method: 'DELETE',
    headers: bearer(writeToken),
  });
  assert.equal(deleted.status, 200);
  assert.equal((await fetch(`${hub.url}/api/models/${repository}/revision/v1`)).status, 404);
});

test('one commit at a time: a second one meanwhile is answered 409', async (t) => {
  const { hub } = await hubScene(t, { commits: { msPerFile: 200 } });
  const both = await Promise.all(['a', 'b'].map((name) => commitLines(hub, [textFile(name, name)])));
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409]);
});

test('a commit over the time limit is answered 504 and happens all the same', async (t) => {
  const { hub } = await hubScene(t, { commits: { msPerFile: 150, timeoutMs: 100 } });
  const before = await headOf(hub);
  assert.equal((await commitLines(hub, [textFile('a.txt', 'a')])).status, 504);
  assert.equal(await headOf(hub), before);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.notEqual(await headOf(hub), before);
});

test('a commit whose response is lost has happened; one refused with 500 before the work has not', async (t) => {
  const { hub } = await hubScene(t);
  const commit = { method: 'POST', path: '/commit/' };
  hub.faults.add({ match: commit, action: { kind: 'lost-response' } });
  const before = await headOf(hub);
  await assert.rejects(commitLines(hub, [textFile('a.txt', 'a')]), /fetch failed/);
  const after = await headOf(hub);
  assert.notEqual(after, before);
  hub.faults.add({ match: commit, action: { kind: 'status', status: 500 } });
  assert.equal((await commitLines(hub, [textFile('a.txt', 'b')])).status, 500);
  assert.equal(await headOf(hub), after);
});

test('read-after-write lag hides new commits and tags from every reading call until it is over', async (t) => {
  const { hub } = await hubScene(t);
  const before = await headOf(hub);
  const stop = hub.faults.add({ match: { method: 'GET' }, times: 'always', action: { kind: 'lag' } });
  await commitLines(hub, [textFile('a.txt', 'a')]);
  await call(hub, '/tag/main', { tag: 'v1' });
  assert.equal(await headOf(hub), before);
  assert.equal((await fetch(`${hub.url}/${repository}/resolve/main/a.txt`)).status, 404);
  assert.deepEqual(((await (await call(hub, '/refs')).json()) as Record<string, unknown>).tags, []);
  stop();
  assert.notEqual(await headOf(hub), before);
  assert.equal(await headOf(hub, 'v1'), await headOf(hub));
});

test('after any series of commits the tree is what was put and not deleted, and git finds no fault in it', async (t) => {
  const { hub } = await hubScene(t, { rateLimits: { commitsPerHour: 1000 } });
  const name = fc.constantFrom('a', 'b', 'é', 'a.b', 'a-b', 'z z');
  // Files and folders have different names, so that none is ever both.
  const path = fc
    .tuple(
      fc.array(
        name.map((part) => `d-${part}`),
        { maxLength: 2 },
      ),
      name,
    )
    .map(([folders, file]) => [...folders, file].join('/'));
  const expected = new Map<string, string>();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(path, fc.string()), { maxLength: 5 }), fc.nat(), async (puts, doomedIndex) => {
      const doomed = [...expected.keys()][doomedIndex % Math.max(1, expected.size)];
      const lines = doomed === undefined ? [] : [{ key: 'deletedFile', value: { path: doomed } }];
      if (doomed !== undefined) expected.delete(doomed);
      const texts = puts.map(([file, text]) => [file, text.replaceAll('\0', '0')] as const);
      for (const [file, text] of texts) expected.set(file, text);
      const response = await commitLines(hub, [...lines, ...texts.map(([file, text]) => textFile(file, text))]);
      assert.equal(response.status, 200);
      const tree = (await (await call(hub, '/tree/main?recursive=true')).json()) as {
        type: string;
        path: string;
        size: number;
      }[];
      const found = tree.filter((entry) => entry.type === 'file' && entry.path !== '.gitattributes');
      assert.deepEqual(
        new Map(found.map((entry) => [entry.path, entry.size])),
        new Map([...expected].map(([file, text]) => [file, Buffer.byteLength(text)])),
      );
    }),
    { numRuns: 25 },
  );
  const git = await run('git', ['--version']).catch(() => undefined);
  if (git === undefined) {
    t.diagnostic('git is not installed: its own check of the objects was left out');
    return;
  }
  await run('git', ['-C', hub.gitDirectoryOf(repository) ?? '', 'fsck', '--full', '--strict']);
});
