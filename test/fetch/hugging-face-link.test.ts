import assert from 'node:assert/strict';
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { cacheLayout } from '../../src/fetch/cache/layout.ts';
import { readRecord } from '../../src/fetch/cache/records.ts';
import { createClient } from '../../src/fetch/client.ts';
import { runModelCommand } from '../../src/fetch/command-line.ts';
import { huggingFaceCacheOf } from '../../src/fetch/hugging-face-home.ts';
import type { FileLinks } from '../../src/fetch/hugging-face-snapshot.ts';
import { linkModel } from '../../src/fetch/operations/link-model.ts';
import { gitBlobIdOf } from '../../src/targets/file-content.ts';
import { commitFiles, hubToken, startTestHub } from '../fixtures/hub-repository.ts';
import { huggingFacePython } from '../fixtures/hugging-face-python.ts';
import { assertOutput } from '../json/output-schema.ts';
import { clientProgram, createWorld, type ModelShape, type World } from './world.ts';

const files = ['1_Pooling/config.json', 'LICENSE', 'config.json', 'model.safetensors'];
const revision = '5'.repeat(40);
/** A release that was made from a repository on the Hub. */
const ofHub = (of = revision): ModelShape['entry'] => ({ source: { huggingface: 'acme/alpha', revision: of } });

async function install(world: World, entry?: ModelShape['entry']): Promise<void> {
  await world.release('1.0.0', { alpha: { version: '1.0.0', ...(entry && { entry }) } });
  assert.equal((await world.run(['install', 'alpha'])).exitCode, 0);
}

/** `link alpha --hf-cache …`, with its report. */
async function linked(world: World, ...args: readonly string[]) {
  const own = ['link', 'alpha', '--hf-cache', '--json', ...args];
  let stdout = '';
  let stderr = '';
  const exitCode = await runModelCommand(own, {
    env: { AIRCHER_CACHE_DIR: world.cache, HF_HUB_CACHE: world.path('hub') },
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
    signal: new AbortController().signal,
    program: 'aircher model',
  });
  assertOutput(['model', ...own], stdout);
  return { exitCode, stderr, report: JSON.parse(stdout) };
}

const inHub = (world: World, ...parts: readonly string[]): string => world.path('hub/models--acme--alpha', ...parts);
const refOf = (world: World, ref: string): Promise<string> => readFile(inHub(world, 'refs', ref), 'utf8');

async function treeOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}

test('link --hf-cache lays out what huggingface_hub would have downloaded, by hard links, and does it once', async (t) => {
  const world = await createWorld(t);
  await install(world, ofHub());
  const { report, stderr } = await linked(world);
  assert.match(
    stderr,
    /alpha 1\.0\.0 is acme\/alpha in the Hugging Face cache, as main and 1\.0\.0: 4 files linked, 0 /,
  );
  assert.deepEqual(
    [report.repository, report.revision, report.path, report.refs, report.linked],
    ['acme/alpha', revision, inHub(world, 'snapshots', revision), ['main', '1.0.0'], 4],
  );
  for (const path of files) {
    const installed = join(world.cache, 'versions/alpha/1.0.0', path);
    const pointer = inHub(world, 'snapshots', revision, path);
    assert.equal((await stat(pointer)).ino, (await stat(installed)).ino, path);
    const bytes = await readFile(installed);
    const blob = (await readlink(pointer)).split('/').at(-1);
    // In LFS: by sha256; else git's id, as the Hub's ETags are.
    if (path === 'model.safetensors') assert.match(blob ?? '', /^[0-9a-f]{64}$/);
    else assert.equal(blob, gitBlobIdOf(bytes), path);
    assert.match(await readlink(pointer), /^(\.\.\/){2,3}blobs\/[0-9a-f]+$/);
  }
  assert.deepEqual([await refOf(world, 'main'), await refOf(world, '1.0.0')], [revision, revision]);
  const before = await treeOf(inHub(world));
  assert.equal(before.length, 4 + 4 + 2);
  const again = (await linked(world)).report;
  assert.deepEqual([again.linked, again.copied, again.present], [0, 0, 4]);
  assert.deepEqual(await treeOf(inHub(world)), before);
});

test('without a repository on the Hub the id must be named, and be one', async (t) => {
  const world = await createWorld(t);
  await install(world);
  const none = await linked(world);
  assert.equal(none.exitCode, 2);
  assert.match(none.stderr, /names no repository on the Hub.*\n.*link alpha --hf-cache --as test\/alpha/);
  for (const id of ['alpha', 'a/b/c', '../alpha', 'acme/..', 'acme/al--pha', '/alpha', 'acme/al pha']) {
    const wrong = await linked(world, '--as', id);
    assert.equal(wrong.exitCode, 2, id);
  }
  const { report } = await linked(world, '--as', 'acme/alpha');
  assert.match(report.revision, /^[0-9a-f]{40}$/);
  assert.equal(await refOf(world, 'main'), report.revision);
  assert.equal((await world.run(['link', 'alpha'])).exitCode, 2);
  assert.equal((await world.run(['link', 'omega', '--hf-cache'])).exitCode, 3);
});

test('main moves from a version that was linked to the next, and from nothing else without being told', async (t) => {
  const world = await createWorld(t);
  await install(world);
  const first = (await linked(world, '--as', 'acme/alpha')).report.revision;
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [1] } });
  assert.equal((await world.run(['update', '--all'])).exitCode, 0);
  // Which are ours is known from the release, too, not from what is still installed alone.
  assert.equal((await world.run(['prune'])).exitCode, 0);
  const second = (await linked(world, '--as', 'acme/alpha')).report;
  assert.equal(second.present, 2, 'blobs that both have');
  assert.deepEqual([await refOf(world, 'main'), await refOf(world, '1.1.0')], [second.revision, second.revision]);
  assert.equal(await refOf(world, '1.0.0'), first);
  const foreign = 'f'.repeat(40);
  await writeFile(inHub(world, 'refs/main'), foreign);
  await rm(inHub(world, 'snapshots', second.revision), { recursive: true });
  const refused = await linked(world, '--as', 'acme/alpha');
  assert.equal(refused.exitCode, 6, refused.stderr);
  assert.match(
    refused.stderr,
    new RegExp(`refs/main leads to ${foreign}, which is no version of alpha that was linked`),
  );
  assert.equal(await refOf(world, 'main'), foreign);
  await assert.rejects(stat(inHub(world, 'snapshots', second.revision)), 'nothing was written');
  assert.deepEqual((await linked(world, '--as', 'acme/alpha', '--refs', 'keep')).report.refs, ['1.1.0']);
  assert.equal(await refOf(world, 'main'), foreign);
  await linked(world, '--as', 'acme/alpha', '--refs', 'replace');
  assert.equal(await refOf(world, 'main'), second.revision);
  assert.equal((await linked(world, '--refs', 'throw')).exitCode, 2);
});

test('what huggingface_hub has put there stays, other bytes are a conflict, and what leads nowhere is mended', async (t) => {
  const world = await createWorld(t);
  await install(world, ofHub());
  const config = join(world.cache, 'versions/alpha/1.0.0/config.json');
  const pointer = inHub(world, 'snapshots', revision, 'config.json');
  await mkdir(dirname(pointer), { recursive: true });
  // As on Windows without links.
  await writeFile(pointer, await readFile(config));
  const { ino } = await stat(pointer);
  assert.equal((await linked(world)).report.present, 1);
  assert.equal((await stat(pointer)).ino, ino);
  await writeFile(pointer, 'another');
  const conflict = await linked(world);
  assert.equal(conflict.exitCode, 6, conflict.stderr);
  assert.match(conflict.stderr, /config\.json has other bytes than it must have/);
  assert.equal(await readFile(pointer, 'utf8'), 'another');
  await unlink(pointer);
  await symlink('../../blobs/gone', pointer);
  assert.equal((await linked(world)).exitCode, 0);
  assert.equal(await readFile(pointer, 'utf8'), await readFile(config, 'utf8'));
  // A blob that isn't what its name says would be every program's from now on.
  const weights = await readlink(inHub(world, 'snapshots', revision, 'model.safetensors'));
  await unlink(inHub(world, 'snapshots', revision, 'model.safetensors'));
  const blob = inHub(world, 'blobs', weights.split('/').at(-1)!);
  await unlink(blob);
  await writeFile(blob, 'cut');
  assert.equal((await linked(world)).exitCode, 6);
});

test('a damaged install is not linked', async (t) => {
  const world = await createWorld(t);
  await install(world, ofHub());
  const file = join(world.cache, 'versions/alpha/1.0.0/model.safetensors');
  const bytes = await readFile(file);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(file, bytes);
  const damaged = await linked(world);
  assert.equal(damaged.exitCode, 4, damaged.stderr);
  assert.match(damaged.stderr, /verify --repair alpha/);
  await assert.rejects(stat(inHub(world, 'refs/main')));
  assert.ok(!(await treeOf(inHub(world))).some((path) => path.includes('safetensors')));
  assert.equal((await world.run(['verify', '--repair'])).exitCode, 0);
  assert.equal((await linked(world)).exitCode, 0);
});

test('where the file system has no links, files are copied, and take their space once', async (t) => {
  const world = await createWorld(t);
  await install(world, ofHub());
  const record = await readRecord(cacheLayout(world.cache), 'alpha', '1.0.0');
  const refuse = async (): Promise<never> => {
    throw Object.assign(new Error('EPERM: injected'), { code: 'EPERM' });
  };
  const run = (name: string, fileSystem: FileLinks) => {
    const env = { HF_HUB_CACHE: world.path(name) };
    return linkModel(createClient({ cacheDir: world.cache, env }), record!, {}, fileSystem);
  };
  // As Windows is for most: hard links, and no symbolic ones.
  const pointers = await run('windows', { link, symlink: refuse });
  assert.deepEqual([pointers.linked, pointers.copied], [4, 0]);
  assert.deepEqual(await treeOf(pointers.path), files);
  await assert.rejects(stat(world.path('windows/models--acme--alpha/blobs')));
  for (const path of files) assert.ok((await lstat(join(pointers.path, path))).isFile(), path);
  const again = await run('windows', { link, symlink: refuse });
  assert.equal(again.present, 4);
  const copies = await run('disk', { link: refuse, symlink });
  assert.deepEqual([copies.linked, copies.copied], [0, 4]);
  const { nlink } = await stat(join(copies.path, 'model.safetensors'));
  assert.equal(nlink, 1);
  const bytes = await readFile(join(world.cache, 'versions/alpha/1.0.0/model.safetensors'));
  assert.deepEqual(await readFile(join(copies.path, 'model.safetensors')), bytes);
});

test('a link that is killed at any rename is completed by the next, and no ref leads to less than all', async (t) => {
  const world = await createWorld(t);
  await install(world, ofHub());
  const hook = fileURLToPath(new URL('./kill-at-rename.ts', import.meta.url));
  const python = await huggingFacePython();
  const client = createClient({ cacheDir: world.cache, env: { HF_HUB_CACHE: world.path('hub') } });
  const record = await readRecord(client.layout, 'alpha', '1.0.0');
  let killed = true;
  for (let at = 1; killed; at++) {
    await rm(world.path('hub'), { recursive: true, force: true });
    const child = await execa(process.execPath, ['--import', hook, clientProgram, 'link', 'alpha', '--hf-cache'], {
      env: { AIRCHER_CACHE_DIR: world.cache, HF_HUB_CACHE: world.path('hub'), KILL_AT_RENAME: String(at) },
      reject: false,
    });
    killed = child.signal === 'SIGKILL';
    if (killed) assert.equal(await refOf(world, '1.0.0').catch(() => ''), '', 'the last');
    const isThere = (await refOf(world, 'main').catch(() => '')) !== '';
    if (isThere) assert.deepEqual(await treeOf(inHub(world, 'snapshots', revision)), files);
    if (python !== undefined && killed && at % 3 === 0) assert.deepEqual((await scan(python, world)).warnings, []);
    await linkModel(client, record!, {});
    assert.equal((await treeOf(inHub(world))).length, 10, `killed at ${at}: nothing is left over`);
  }
});

/** What huggingface_hub says of the cache. */
async function scan(python: string, world: World) {
  const script = `
import json, huggingface_hub
found = huggingface_hub.scan_cache_dir()
repos = [[repo.repo_id, sorted(ref for rev in repo.revisions for ref in rev.refs), repo.nb_files] for repo in found.repos]
print(json.dumps({"warnings": [str(warning) for warning in found.warnings], "repos": repos}))`;
  const env = { HF_HUB_CACHE: world.path('hub'), HF_HUB_OFFLINE: '1' };
  return JSON.parse((await execa(python, ['-c', script], { env })).stdout);
}

test('huggingface_hub loads a linked model by its id, offline, and finds nothing wrong', async (t) => {
  const python = await huggingFacePython();
  if (python === undefined) return t.skip('there is no Python that has huggingface_hub, and none can be made');
  const world = await createWorld(t);
  await install(world);
  const { path } = (await linked(world, '--as', 'acme/alpha')).report;
  const script = `
from huggingface_hub import snapshot_download, hf_hub_download
print(snapshot_download("acme/alpha", local_files_only=True))
print(snapshot_download("acme/alpha", revision="1.0.0"))
print(hf_hub_download("acme/alpha", "model.safetensors"))
print(hf_hub_download("acme/alpha", "1_Pooling/config.json", revision="1.0.0"))`;
  const env = { HF_HUB_CACHE: world.path('hub'), HF_HUB_OFFLINE: '1' };
  const { stdout } = await execa(python, ['-c', script], { env });
  assert.deepEqual(stdout.split('\n'), [
    path,
    path,
    join(path, 'model.safetensors'),
    join(path, '1_Pooling/config.json'),
  ]);
  assert.deepEqual(await scan(python, world), { warnings: [], repos: [['acme/alpha', ['1.0.0', 'main'], 4]] });
});

test('of a linked revision, and of a later one, huggingface_hub downloads what is missing alone', async (t) => {
  const python = await huggingFacePython();
  if (python === undefined) return t.skip('there is no Python that has huggingface_hub, and none can be made');
  const world = await createWorld(t);
  const hub = await startTestHub(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const source = world.path('sources/alpha/1.0.0');
  const contents = new Map<string, Buffer>();
  for (const path of files) contents.set(path, await readFile(join(source, path)));
  const first = await commitFiles(hub, 'acme/alpha', contents);
  await install(world, ofHub(first));
  const { path, revision: linkedRevision } = (await linked(world)).report;
  assert.equal(linkedRevision, first);
  const env = {
    HF_HUB_CACHE: world.path('hub'),
    HF_ENDPOINT: hub.url,
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_TOKEN: hubToken,
  };
  const script = 'from huggingface_hub import snapshot_download; print(snapshot_download("acme/alpha"))';
  const download = async (): Promise<string> => (await execa(python, ['-c', script], { env })).stdout;
  hub.log.clear();
  assert.equal(await download(), path);
  const second = await commitFiles(hub, 'acme/alpha', new Map([['config.json', Buffer.from('{"hidden_size":9}\n')]]));
  const updated = await download();
  assert.equal(updated, inHub(world, 'snapshots', second));
  assert.equal(await readFile(join(updated, 'config.json'), 'utf8'), '{"hidden_size":9}\n');
  const weights = [path, updated].map((snapshot) => readlink(join(snapshot, 'model.safetensors')));
  assert.equal(await weights[0], await weights[1]);
  const sent = hub.log.entries.reduce((sum, { bytesOut }) => sum + bytesOut, 0);
  assert.ok(sent < 50_000, `${sent} bytes sent`);
  // Now something else than `link` has moved main.
  const again = await linked(world);
  assert.equal(again.exitCode, 6);
  assert.ok(again.stderr.includes(`leads to ${second}`), again.stderr);
});

test('the Hugging Face cache is where huggingface_hub has it, whatever variables say', async (t) => {
  const python = await huggingFacePython();
  if (python === undefined) return t.skip('there is no Python that has huggingface_hub, and none can be made');
  const home = { HOME: '/home/somebody' };
  const settings: readonly Readonly<Record<string, string>>[] = [
    home,
    { ...home, XDG_CACHE_HOME: '/caches' },
    { ...home, XDG_CACHE_HOME: '~/caches' },
    { ...home, HF_HOME: '/hf', XDG_CACHE_HOME: '/caches' },
    { ...home, HF_HOME: '~/hf' },
    { ...home, HF_HOME: '/hf', HF_HUB_CACHE: '~/hub' },
    { ...home, HF_HOME: '/hf', HUGGINGFACE_HUB_CACHE: '/older', HF_HUB_CACHE: '/newer' },
    { ...home, HUGGINGFACE_HUB_CACHE: '~/older' },
  ];
  const script = 'from huggingface_hub import constants; print(constants.HF_HUB_CACHE)';
  const cacheBy = async (env: Readonly<Record<string, string>>): Promise<string> =>
    (await execa(python, ['-c', script], { env, extendEnv: false })).stdout;
  for (const env of settings) assert.equal(huggingFaceCacheOf(env), await cacheBy(env), JSON.stringify(env));
});
