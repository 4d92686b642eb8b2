import assert from 'node:assert/strict';
import { test } from 'node:test';
import { githubScene, githubTarget, head, makeRelease, repository, writesOf } from './scene.ts';

const files = { 'tiny.tar.gz': 'tiny', 'manifest.json': '{}' };

test('each wrong token is told from the others, with a remedy', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  const expected = [
    [undefined, /no token is set/],
    ['nobodyKnowsThis', /not valid or has expired/],
    ['expired', /not valid or has expired/],
    ['reader', /may not write/],
    ['weakJob', /may not write/],
  ] as const;
  for (const [token, message] of expected) {
    const problems = await githubTarget(github, { token }).preflight(release, {});
    assert.equal(problems.length, 1, String(token));
    assert.match(problems[0]?.message ?? '', message);
    assert.equal(problems[0]?.level, 'error');
    assert.ok(problems[0]?.hint);
  }
  assert.deepEqual(await githubTarget(github, { token: 'job' }).preflight(release, {}), []);
  assert.deepEqual(writesOf(github.log.entries), []);
});

test('where GitHub says why a token may not write, that is told', async (t) => {
  const github = await githubScene(t);
  const message = 'Resource protected by organization SAML enforcement.';
  github.faults.add({
    match: { method: 'POST', path: /\/generate-notes$/ },
    action: { kind: 'status', status: 403, body: JSON.stringify({ message }) },
  });
  const [problem] = await githubTarget(github).preflight(await makeRelease(t, { files }), {});
  assert.match(problem?.message ?? '', /the token may not write to the repository .*403 Resource protected .* SAML/);
});

test('a missing, private, archived or renamed repository is a problem', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  const [missing] = await githubTarget(github, { repository: 'acme/nothing' }).preflight(release, {});
  assert.match(missing?.message ?? '', /does not exist, or the token may not see it/);
  github.repository(repository).set({ private: true, archived: true });
  const closed = await githubTarget(github).preflight(release, {});
  assert.deepEqual(
    closed.map(({ message }) => /private|archived/.exec(message)?.[0]),
    ['private', 'archived'],
  );
  github.repository(repository).set({ archived: false });
  const [allowed] = await githubTarget(github, { allowPrivate: true }).preflight(release, {});
  assert.equal(allowed?.level, 'warning');
});

test('a tag at another commit and a commit that was not pushed are problems', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files, targetCommit: 'b'.repeat(40) });
  const [unpushed] = await githubTarget(github).preflight(release, {});
  assert.match(unpushed?.message ?? '', /commit b{40} is not on GitHub/);
  github.repository(repository).tag(release.tag, head, 'c'.repeat(40));
  const [moved] = await githubTarget(github).preflight(release, {});
  assert.match(moved?.message ?? '', /is at the commit a{40}, not at b{40}/);
  assert.deepEqual(await githubTarget(github).preflight({ ...release, targetCommit: head }, {}), []);
});

test('sizes, names and counts beyond GitHub are found at once', async (t) => {
  const github = await githubScene(t);
  const release = await makeRelease(t, { files });
  const [first] = release.files;
  assert.ok(first);
  const problems = await githubTarget(github).preflight(
    {
      ...release,
      files: [
        { ...first, name: 'huge.tar.gz', sizeBytes: 2 ** 31 },
        { ...first, name: 'with space.tar.gz' },
        ...Array.from({ length: 999 }, (_, i) => ({ ...first, name: `m${i}.tar.gz` })),
      ],
    },
    {},
  );
  const text = problems.map(({ message }) => message).join('\n');
  assert.match(text, /1001 files are more than the 1000/);
  assert.match(text, /huge\.tar\.gz has 2\.15 GB/);
  assert.match(text, /would rename the file "with space\.tar\.gz"/);
});
