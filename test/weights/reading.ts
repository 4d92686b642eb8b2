import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { readWeights, type WeightsFile } from '../../src/weights/read-weights.ts';
import { temporaryDirectory } from '../model/inspecting.ts';

/** Writes these files, and reads the first as weights. */
export async function readAs(
  context: TestContext,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<WeightsFile | undefined> {
  const root = await temporaryDirectory(context);
  const listed = Object.entries(files).map(([path, content]) => ({
    path,
    absolutePath: join(root, path),
    sizeBytes: content.length,
  }));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return await readWeights(listed[0]!, new Map(listed.map((file) => [file.path, file])));
}
