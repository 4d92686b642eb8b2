import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { artifactsOf } from '../../src/contract/artifacts.ts';
import { formatChecksums } from '../../src/contract/checksums.ts';
import type { CopyFile } from '../../src/contract/copy-file.ts';
import type { Manifest } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { readFileIfThere } from '../../src/core/read-files.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import type { SecretKey } from '../../src/trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import type { World } from './world.ts';

/**
 * Gives a release what every real one has besides manifest and artifacts: a client, and checksums.
 */
export async function addClient(world: World, manifest: Manifest, key?: SecretKey): Promise<void> {
  const place = (name: string): string => join(world.mirrorDirectory, manifest.release!, name);
  const client = Buffer.from(`// the client of ${manifest.release}\n`);
  const sums = Buffer.from(
    formatChecksums([
      { name: 'aircher.mjs', sha256: sha256(client) },
      { name: 'manifest.json', sha256: sha256(await readFile(place('manifest.json'))) },
    ]),
  );
  await writeFile(place('aircher.mjs'), client);
  await writeFile(place('checksums.sha256'), sums);
  await writeFile(place('manifest.json.asc'), 'for people\n');
  if (key === undefined) return;
  const trustedComment = trustedCommentOf('checksums.sha256', manifest);
  await writeFile(place('checksums.sha256.minisig'), signMessage(sums, key, { trustedComment }));
}

/** Serves a copy as a web server would, and counts what it is asked. */
export async function serve(t: TestContext, directory: string): Promise<StaticMirror & { readonly manifest: string }> {
  const server = await startStaticMirror({ directory });
  t.after(() => server.close());
  return { ...server, manifest: `${server.url}/manifest.json` };
}

/** Another user's cache, in a directory of its own. */
export async function freshCache(t: TestContext): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), 'aircher-copy-cache-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  return cache;
}

/** Every file below a directory with its sha256, unfinished work left out. */
export async function contentOf(directory: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name).slice(directory.length + 1);
    if (entry.isFile() && !path.startsWith('.mirror')) files[path] = sha256(await readFile(join(directory, path)));
  }
  return files;
}

/**
 * Holds what a web server's visitors rely on at every moment: what copy.json and the manifests in
 * it name is there, whole, but for models that weren't asked for.
 */
export async function assertServable(directory: string, releases: readonly Manifest[]): Promise<void> {
  const listed = await readFileIfThere(join(directory, 'copy.json'));
  const root = await readFileIfThere(join(directory, 'manifest.json'));
  assert.ok(root === undefined || listed !== undefined, 'the root has a manifest, and doesn’t say that it is a copy');
  const models: CopyFile['models'] = listed === undefined ? {} : JSON.parse(String(listed)).models;
  for (const [name, versions] of Object.entries(models)) {
    for (const version of versions) {
      const entry = releases.map((release) => release.models[name]).find((one) => one?.version === version);
      assert.ok(entry, `${name} ${version} was never released`);
      for (const artifact of artifactsOf(name, entry)) {
        const bytes: Buffer = await readFile(join(directory, entry.release!, artifact.name));
        assert.equal(sha256(bytes), artifact.sha256, artifact.name);
      }
    }
  }
  for (const release of releases) {
    const own = await readFileIfThere(join(directory, release.release!, 'manifest.json'));
    if (root === undefined || JSON.parse(String(root)).release !== release.release) continue;
    assert.deepEqual(own, root);
    for (const [name, { version }] of Object.entries(release.models)) {
      if (Object.hasOwn(models, name)) assert.ok(models[name]?.includes(version), `${name} ${version}`);
    }
  }
}

export async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}
