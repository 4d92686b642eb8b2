import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { HubOptions } from '../../src/rehearsal/hub/server.ts';
import {
  call,
  commitLines,
  type HubScene,
  headOf,
  hubScene,
  repository,
  sha256Of,
  strangerToken,
  textFile,
  uploadLarge,
  weights,
  writeToken,
} from './hub-scene.ts';

const run = promisify(execFile);

/** The output of a program; undefined where the program isn't there or fails. */
async function outputOf(program: string, ...args: readonly string[]): Promise<string | undefined> {
  return run(program, args).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}

async function skipWithout(t: TestContext, program: string, ...args: readonly string[]): Promise<boolean> {
  if ((await outputOf(program, ...args)) !== undefined) return false;
  t.skip(`${program} ${args.join(' ')} doesn't work here`);
  return true;
}

const model = weights(12_000_000);

/**
 * A stand-in with a model as we publish one, tagged v1; and the environment of a client that talks
 * to it alone.
 */
async function published(
  t: TestContext,
  options: Partial<HubOptions> = {},
): Promise<HubScene & { readonly url: string; readonly env: Record<string, string | undefined> }> {
  const scene = await hubScene(t, options);
  const { hub, directory } = scene;
  const weightsLine = (await uploadLarge(hub, 'm.safetensors', model)) as { key: string; value: object };
  const response = await commitLines(hub, [
    weightsLine,
    { ...weightsLine, value: { ...weightsLine.value, path: 'm/model.safetensors' } },
    textFile('m/config.json', '{"hidden_size":384}\n'),
    textFile('README.md', '---\nlicense: mit\n---\n# m\n'),
  ]);
  assert.equal(response.status, 200);
  assert.equal((await call(hub, '/tag/main', { tag: 'v1' })).status, 201);
  const { HF_TOKEN: _token, HUGGING_FACE_HUB_TOKEN: _old, ...inherited } = process.env;
  const env = {
    ...inherited,
    HOME: directory,
    HF_HOME: join(directory, 'hf'),
    HF_ENDPOINT: hub.url,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HUB_DISABLE_PROGRESS_BARS: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    NO_PROXY: '127.0.0.1',
  };
  return { hub, directory, restart: scene.restart, url: hub.url, env };
}

async function sha256OfFile(path: string): Promise<string> {
  return sha256Of(await readFile(path));
}

const python = process.env.AIRCHER_TEST_HF_PYTHON ?? 'python3';
const pythonCheck = ['-c', 'import huggingface_hub'] as const;

test('Python: snapshot_download gives a tag whole, hf_hub_download a file, and both name the commit', async (t) => {
  if (await skipWithout(t, python, ...pythonCheck)) return;
  const { env, hub } = await published(t);
  const script = `
from huggingface_hub import hf_hub_download, snapshot_download
print(snapshot_download("${repository}", revision="v1"))
print(hf_hub_download("${repository}", "m.safetensors"))
`;
  const { stdout } = await run(python, ['-c', script], { env });
  const [snapshot = '', file = ''] = stdout.trim().split('\n');
  assert.ok(snapshot.endsWith(await headOf(hub, 'v1')));
  assert.equal(await sha256OfFile(file), sha256Of(model));
  assert.equal(await sha256OfFile(join(snapshot, 'm/model.safetensors')), sha256Of(model));
  assert.equal(await readFile(join(snapshot, 'm/config.json'), 'utf8'), '{"hidden_size":384}\n');
});

test('Python: hf download puts a revision into a directory', async (t) => {
  if (await skipWithout(t, python, ...pythonCheck)) return;
  const { env, directory } = await published(t);
  const target = join(directory, 'out');
  const cli = 'from huggingface_hub.cli.hf import main; main()';
  await run(python, ['-c', cli, 'download', repository, '--revision', 'v1', '--local-dir', target], { env });
  assert.equal(await sha256OfFile(join(target, 'm.safetensors')), sha256Of(model));
});

test('Python: upload_folder, branches, tags, parents and listings work with plain uploads, in parts too', async (t) => {
  if (await skipWithout(t, python, ...pythonCheck)) return;
  const { env, directory, url, hub } = await published(t, { multipart: { thresholdBytes: 50_000, partBytes: 30_000 } });
  const folder = join(directory, 'up');
  await mkdir(folder);
  await writeFile(join(folder, 'new.safetensors'), weights(100_000));
  await writeFile(join(folder, 'empty.bin'), '');
  await writeFile(join(folder, 'note.txt'), 'note\n');
  const script = `
from huggingface_hub import HfApi, CommitOperationCopy, CommitOperationDelete
from huggingface_hub.errors import HfHubHTTPError
api = HfApi()
repo = "${repository}"
def status(call):
    try: call()
    except HfHubHTTPError as e: return e.response.status_code
assert api.whoami()["name"] == "alice"
assert str(api.create_repo(repo, exist_ok=True)) == "${url}/" + repo
api.create_branch(repo, branch="b")
assert status(lambda: api.create_branch(repo, branch="b")) == 409
first = api.upload_folder(repo_id=repo, folder_path=${JSON.stringify(folder)}, revision="b", path_in_repo="n")
second = api.create_commit(repo, [CommitOperationCopy("n/new.safetensors", "copy.safetensors"), CommitOperationDelete("m/")], commit_message="move", revision="b", parent_commit=first.oid)
assert status(lambda: api.create_commit(repo, [CommitOperationDelete("n/note.txt")], commit_message="late", revision="b", parent_commit=first.oid)) == 412
api.create_tag(repo, tag="v2", revision=second.oid, tag_message="two")
assert status(lambda: api.create_tag(repo, tag="v2")) == 409
refs = api.list_repo_refs(repo)
assert {t.name: t.target_commit for t in refs.tags}["v2"] == second.oid
files = {f.path: f for f in api.list_repo_tree(repo, revision="v2", recursive=True, expand=True)}
assert set(files) == {".gitattributes", "README.md", "copy.safetensors", "m.safetensors", "n", "n/empty.bin", "n/new.safetensors", "n/note.txt"}, set(files)
assert files["copy.safetensors"].lfs.sha256 == files["n/new.safetensors"].lfs.sha256
assert files["copy.safetensors"].last_commit.oid == second.oid and files["n"].last_commit.oid == first.oid
assert api.get_paths_info(repo, ["n/note.txt", "gone"], revision="v2")[0].size == 5
assert [c.commit_id for c in api.list_repo_commits(repo, revision="b")][:2] == [second.oid, first.oid]
assert api.model_info(repo, revision="v2", files_metadata=True).card_data.license == "mit"
api.delete_tag(repo, tag="v2")
api.delete_branch(repo, branch="b")
`;
  await run(python, ['-c', script], { env: { ...env, HF_TOKEN: writeToken, HF_HUB_DISABLE_XET: '1' } });
  const parts = hub.log.entries.filter(({ method, path }) => method === 'PUT' && path.includes('partNumber'));
  assert.ok(parts.some(({ bytesIn }) => bytesIn === 10_000));
});

test('Rust: hf-hub 0.4 fetches the weights by name, through HF_ENDPOINT', async (t) => {
  const program = process.env.AIRCHER_TEST_HF_HUB_RS;
  if (program === undefined) {
    t.skip('AIRCHER_TEST_HF_HUB_RS names no program (arguments: repository, file; prints the path)');
    return;
  }
  const { env, hub } = await published(t);
  const { stdout } = await run(program, [repository, 'm.safetensors'], { env });
  assert.equal(await sha256OfFile(stdout.trim()), sha256Of(model));
  assert.ok(hub.log.entries.some(({ origin, range }) => origin === 'cdn' && range !== undefined));
});

test('curl goes on with a partial file', async (t) => {
  if (await skipWithout(t, 'curl', '--version')) return;
  const { env, directory, url, hub } = await published(t);
  const file = join(directory, 'part.bin');
  await writeFile(file, model.subarray(0, 5_000_000));
  await run('curl', ['-fsSL', '-C', '-', '-o', file, `${url}/${repository}/resolve/v1/m.safetensors`], { env });
  assert.equal(await sha256OfFile(file), sha256Of(model));
  const sent = hub.log.entries.filter(({ origin, method }) => origin === 'cdn' && method === 'GET');
  assert.deepEqual(
    sent.map(({ bytesOut }) => bytesOut),
    [7_000_000],
  );
});

test('aria2c fetches a file over several connections', async (t) => {
  if (await skipWithout(t, 'aria2c', '--version')) return;
  const { env, directory, url } = await published(t);
  const address = `${url}/${repository}/resolve/v1/m.safetensors`;
  await run('aria2c', ['-q', '-x4', '-s4', '-k1M', '--no-conf', '-d', directory, '-o', 'a.bin', address], { env });
  assert.equal(await sha256OfFile(join(directory, 'a.bin')), sha256Of(model));
});

test('git ls-remote sees branches and tags, of a private repository only with its token', async (t) => {
  if (await skipWithout(t, 'git', '--version')) return;
  const { env, url, hub } = await published(t);
  const { stdout } = await run('git', ['ls-remote', `${url}/${repository}`], { env });
  const head = await headOf(hub);
  assert.equal(stdout, `${head}\tHEAD\n${head}\trefs/heads/main\n${head}\trefs/tags/v1\n`);
  await hub.createRepository('acme/secret', { private: true });
  const withToken = (token: string): Promise<unknown> =>
    run('git', ['ls-remote', `${url.replace('//', `//alice:${token}@`)}/acme/secret`], { env });
  await withToken(writeToken);
  await assert.rejects(withToken(strangerToken));
  await assert.rejects(run('git', ['ls-remote', `${url}/acme/secret`], { env }));
});

test('git clone and git lfs pull give the files of a revision', async (t) => {
  if ((await skipWithout(t, 'git', '--version')) || (await skipWithout(t, 'git', 'lfs', 'version'))) return;
  const { env, directory, url } = await published(t);
  const clone = join(directory, 'clone');
  const skipLarge = { ...env, GIT_LFS_SKIP_SMUDGE: '1' };
  await run('git', ['clone', '-q', '-b', 'v1', `${url}/${repository}`, clone], { env: skipLarge });
  await run('git', ['-C', clone, 'lfs', 'install', '--local'], { env });
  await run('git', ['-C', clone, 'lfs', 'pull'], { env });
  assert.equal(await sha256OfFile(join(clone, 'm/model.safetensors')), sha256Of(model));
  assert.equal((await run('git', ['-C', clone, 'status', '--porcelain'], { env })).stdout, '');
});
