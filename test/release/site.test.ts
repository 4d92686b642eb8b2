import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';

async function released(t: TestContext): Promise<ReleaseWorkspace> {
  const workspace = await createReleaseWorkspace(t);
  await workspace.json(['release']);
  return workspace;
}

const textOf = (workspace: ReleaseWorkspace, ...path: readonly string[]) => readFile(workspace.path(...path), 'utf8');

/** Every file of a directory, with its inode and when it was written. */
async function filesBelow(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory, { recursive: true });
  const each = names.sort().map(async (name) => {
    const { ino, mtimeMs } = await stat(join(directory, name));
    return `${name} ${ino} ${mtimeMs}`;
  });
  return Promise.all(each);
}

describe("a mirror's root", () => {
  it('has the catalogue and the client of the newest release; publishing again writes nothing', async (t) => {
    const workspace = await released(t);
    for (const name of ['index.html', 'aircher.mjs']) {
      assert.equal(
        await textOf(workspace, 'mirror', name),
        await textOf(workspace, 'mirror/models-v1.0.0', name),
        name,
      );
    }
    const page = await textOf(workspace, 'mirror/index.html');
    assert.match(page, /<a href="#m-alpha">alpha<\/a> <small>1\.0\.0<\/small>/);
    const before = await filesBelow(workspace.path('mirror'));
    await workspace.json(['publish']);
    assert.deepEqual(await filesBelow(workspace.path('mirror')), before);

    await workspace.writeModel('alpha', { seed: 5 });
    const models = { alpha: modelConfig('alpha', '2.0.0'), beta: modelConfig('beta') };
    await workspace.configure({ release: '2.0.0-rc.1', models });
    await workspace.json(['release']);
    assert.equal(await textOf(workspace, 'mirror/index.html'), page, 'a prerelease is not for everybody');
    await workspace.configure({ release: '2.0.0', models });
    await workspace.json(['release']);
    const next = await textOf(workspace, 'mirror/index.html');
    assert.match(next, /<i>A<\/i><span>1\.0\.0<\/span><\/li><li class="rebuild">.*<i>B<\/i><b>2\.0\.0<\/b>/);
    assert.equal(await textOf(workspace, 'mirror/models-v1.0.0/index.html'), page);
  });

  it('is strange neither to verify nor to status', async (t) => {
    const workspace = await released(t);
    assert.equal((await workspace.run(['verify', '--latest'])).exitCode, 0);
    const status = await workspace.run(['status', 'models-v1.0.0']);
    assert.match(status.stdout, /everything of .*manifest\.json is there/);
    assert.match(status.stdout, /index\.html/);
  });

  it('takes a catalogue of the same manifest that is drawn otherwise, and replaces one of another manifest', async (t) => {
    const workspace = await released(t);
    await appendFile(workspace.path('release/index.html'), '<!-- drawn by another version -->\n');
    const before = await filesBelow(workspace.path('mirror'));
    await workspace.json(['publish']);
    assert.deepEqual(await filesBelow(workspace.path('mirror')), before);
    const page = await textOf(workspace, 'mirror/index.html');
    const other = page.replace(/[0-9a-f]{64}(?=<\/code><\/p><\/footer>)/, 'f'.repeat(64));
    assert.notEqual(other, page);
    await writeFile(workspace.path('mirror/index.html'), other);
    await workspace.json(['publish']);
    assert.equal(await textOf(workspace, 'mirror/index.html'), page);
  });

  it("keeps a page that isn't a catalogue of ours, be it behind a link, and says so", async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const page = workspace.path('mirror/index.html');
    await mkdir(workspace.path('mirror'));
    await writeFile(page, '<h1>Ours</h1>');
    const run = await workspace.run(['release']);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stderr, /index\.html: is not a catalogue of ours, and stays as it is/);
    assert.match(run.stderr, /The catalogue is \S+models-v1\.0\.0\/index\.html/);
    assert.equal(await readFile(page, 'utf8'), '<h1>Ours</h1>');
    assert.equal(((await workspace.readJson('mirror/manifest.json')) as { release: string }).release, 'models-v1.0.0');

    await rm(page);
    await symlink('elsewhere.html', page);
    const again = await workspace.run(['publish']);
    assert.match(again.stderr, /stays as it is/);
    assert.equal(await readlink(page), 'elsewhere.html');

    await rm(page);
    await workspace.json(['publish']);
    assert.match(await readFile(page, 'utf8'), /test embedding models/);
  });
});

describe('site', () => {
  it('writes what the mirror has at its root, of the newest release that is no prerelease', async (t) => {
    const workspace = await released(t);
    await workspace.configure({ release: '1.1.0-rc.1' });
    await workspace.json(['release']);
    const report = (await workspace.json(['site', '--to', 'pages'])) as { tag: string };
    assert.equal(report.tag, 'models-v1.0.0');
    assert.deepEqual((await readdir(workspace.path('pages'))).sort(), ['aircher.mjs', 'index.html']);
    for (const name of ['index.html', 'aircher.mjs']) {
      assert.equal(await textOf(workspace, 'pages', name), await textOf(workspace, 'mirror', name), name);
    }
    await workspace.json(['site', '--to', 'pages']);
  });

  it('writes over no other page, and needs a release', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const none = await workspace.run(['site', '--to', 'pages']);
    assert.equal(none.exitCode, 3, none.stderr);
    assert.match(none.stderr, /nothing is published/);
    assert.equal((await workspace.run(['site'])).exitCode, 2);
    await workspace.json(['release']);
    await mkdir(workspace.path('pages'));
    await writeFile(workspace.path('pages/index.html'), '<h1>Ours</h1>');
    const refused = await workspace.run(['site', '--to', 'pages']);
    assert.equal(refused.exitCode, 6, refused.stderr);
    assert.match(refused.stderr, /is not a catalogue of ours/);
    assert.equal(await textOf(workspace, 'pages/index.html'), '<h1>Ours</h1>');
  });

  it("never offers a client that the release's checksums, signed where keys are, do not name", async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const key = await newSigningKey(workspace.path('keys'));
    await workspace.configure({ signing: { public_keys: [key.publicKey] } });
    const run = await workspace.run(['release'], { env: key.env });
    assert.equal(run.exitCode, 0, run.stderr);
    assert.equal((await workspace.run(['site', '--to', 'pages'])).exitCode, 0);
    await rm(workspace.path('pages'), { recursive: true });

    const refuse = async (name: string, edit: (text: string) => string): Promise<void> => {
      const path = workspace.path('mirror/models-v1.0.0', name);
      const text = await readFile(path, 'utf8');
      await writeFile(path, edit(text));
      const refused = await workspace.run(['site', '--to', 'pages']);
      assert.equal(refused.exitCode, 4, refused.stderr);
      assert.match(refused.stderr, /verify models-v1\.0\.0/);
      await assert.rejects(readdir(workspace.path('pages')), { code: 'ENOENT' });
      await writeFile(path, text);
    };
    await refuse('aircher.mjs', (text) => `${text}\n`);
    await refuse('checksums.sha256', (text) => text.replace(/^[0-9a-f]{64}(?= {2}aircher)/m, 'f'.repeat(64)));
    await refuse('checksums.sha256', () => 'nonsense');
    await refuse('checksums.sha256.minisig', (text) => text.replace('models-v1.0.0', 'models-v0.9.0'));
  });
});
