import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseChunkIndex, structure } from '../../src/contract/chunk-index.ts';
import type { Manifest } from '../../src/contract/manifest.ts';
import type { InstallRecord } from '../../src/fetch/cache/records.ts';
import type { ModelShape, World } from './world.ts';

/** What every part has. */
export const plain = ['1_Pooling/config.json', 'LICENSE', 'config.json'];
export const onnx = 'onnx/model.onnx';
export const onnxData = 'onnx/model.onnx_data';
export const fp16 = 'fp16/model.safetensors';

/** model.safetensors is the default; one of the others has external data. */
export const threeWeights: ModelShape = {
  version: '1.0.0',
  weights: { [fp16]: { bytes: 400_000 }, [onnx]: { data: onnxData } },
};

/** What a server sends of an archive for these files alone. */
export async function bytesOf(world: World, manifest: Manifest, paths: readonly string[]): Promise<number> {
  const file = join(world.mirrorDirectory, manifest.release!, 'alpha.tar.gz.index.json');
  const index = parseChunkIndex(await readFile(file), { file });
  const sent = new Map<string, number>();
  for (const [, length, number, , , sha256] of index.chunks) {
    if (number !== structure && paths.includes(index.files[number]!.path)) sent.set(sha256, length);
  }
  return [...sent.values()].reduce((sum, length) => sum + length, 0);
}

/** Bytes of archives that the mirror has sent. */
export function archiveBytes(world: World): number {
  return world.mirror.log.entries
    .filter(({ path }) => path.endsWith('.tar.gz'))
    .reduce((sum, { bytesOut }) => sum + bytesOut, 0);
}

/**
 * So much was sent of archives, and what lies between files that are neighbours: tar's headers and
 * padding.
 */
export function assertFetched(world: World, bytes: number): void {
  const sent = archiveBytes(world);
  assert.ok(sent >= bytes && sent <= bytes + 1500, `${sent} bytes sent, ${bytes} are wanted`);
}

export async function readRecord(world: World, version = '1.0.0', cache = world.cache): Promise<InstallRecord> {
  return JSON.parse(await readFile(join(cache, 'state/installed/alpha', `${version}.json`), 'utf8'));
}

/** What lies in a version's directory, each file whole. */
export async function wholeFilesOf(directory: string, manifest: Manifest): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: string[] = [];
  for (const path of paths) {
    const name = path.slice(directory.length + 1);
    if (name === '.version') continue;
    const declared = manifest.models.alpha?.files?.find((file) => file.path === name);
    const digest = createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
    assert.equal(digest, declared?.sha256, name);
    files.push(name);
  }
  return files.sort();
}

/** Directory, record and checksums.json agree, and each file is what was released. */
export async function assertPart(
  world: World,
  manifest: Manifest,
  expected: { readonly wanted: readonly string[]; readonly files: readonly string[] },
  cache = world.cache,
): Promise<void> {
  const { version } = manifest.models.alpha!;
  const files = [...expected.files].sort();
  assert.deepEqual(await wholeFilesOf(join(cache, 'versions/alpha', version), manifest), files);
  const record = await readRecord(world, version, cache);
  assert.deepEqual([...record.wanted].sort(), [...expected.wanted].sort());
  assert.deepEqual(record.files.map(({ path }) => path).sort(), files);
  const checksums = JSON.parse(await readFile(join(cache, 'models/checksums.json'), 'utf8'));
  assert.equal(checksums.alpha.version, version);
  assert.deepEqual(Object.keys(checksums.alpha.files), files);
}
