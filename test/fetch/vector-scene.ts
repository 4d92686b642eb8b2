import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Manifest } from '../../src/contract/manifest.ts';
import { formatReferenceVectors } from '../../src/contract/reference-vectors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { embedWith, texts } from '../fixtures/trap-embedder.ts';
import { fp16 } from './part-scene.ts';
import { createWorld, type ModelShape, type World } from './world.ts';

/** Embeds as its argument says: a trap, or how it fails. */
export const program = fileURLToPath(new URL('../fixtures/trap-embedder.ts', import.meta.url));
const shape: ModelShape = { version: '1.0.0', weights: { [fp16]: {} } };

/** A release of alpha with reference vectors for its default weights. */
export async function vectorWorld(t: TestContext): Promise<World> {
  const world = await createWorld(t);
  const { models } = await world.release('1.0.0', { alpha: shape }, { unannounced: true });
  const alpha = models.alpha!;
  const bytes = Buffer.from(
    formatReferenceVectors({
      model: 'alpha',
      version: '1.0.0',
      archive_sha256: alpha.sha256,
      dimensions: 48,
      texts,
      sets: [
        {
          weights: 'model.safetensors',
          space: alpha.embedding!.space!,
          tolerance: 1e-4,
          runtime: 'the maintainer’s',
          vectors: embedWith('none', texts),
        },
      ],
    }),
  );
  await writeFile(join(world.mirrorDirectory, 'models-v1.0.0/alpha.vectors.json'), bytes);
  const download_urls = { mirror: `${world.mirror.url}/models-v1.0.0/alpha.vectors.json` };
  const reference = { size_bytes: bytes.length, sha256: sha256(bytes), download_urls };
  await world.release('1.0.0', {}, { models: { alpha: { ...alpha, reference } } } satisfies Partial<Manifest>);
  return world;
}
