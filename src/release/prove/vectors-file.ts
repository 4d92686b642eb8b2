import { join } from 'node:path';
import { vectorsName } from '../../contract/artifacts.ts';
import { limits } from '../../contract/limits.ts';
import { parseReferenceVectors, type ReferenceVectors } from '../../contract/reference-vectors.ts';
import { readBoundedFile } from '../../core/read-files.ts';
import type { Workspace } from '../workspace.ts';

export function vectorsPath(model: string, workspace: Workspace): string {
  return join(workspace.out, vectorsName(model));
}

/**
 * The vectors that `prove` wrote; undefined where it wrote none. Throws `invalid` where something
 * else stands in their place.
 */
export async function readVectors(model: string, workspace: Workspace): Promise<ReferenceVectors | undefined> {
  const file = vectorsPath(model, workspace);
  const bytes = await readBoundedFile(file, limits.vectorsBytes);
  return bytes && parseReferenceVectors(bytes, file);
}
