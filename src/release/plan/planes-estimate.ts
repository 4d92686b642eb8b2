import { open } from 'node:fs/promises';
import { ContentsReader } from '../../archive/chunk-contents.ts';
import { mostOfOther } from '../../archive/chunk-encodings.ts';
import { cutFile } from '../../archive/cut.ts';
import type { Element } from '../../archive/element.ts';
import { encodeChunk } from '../../archive/encode.ts';
import { encodePlanes } from '../../archive/encode-planes.ts';
import { readTensors } from '../../archive/model-tensors.ts';
import type { SourceFile } from '../../archive/pack-archive.ts';
import type { ArchiveFormat } from '../../contract/fields.ts';
import { AircherError, hasSystemCode } from '../../core/errors.ts';
import { readFully } from '../../core/read-files.ts';
import type { PlanesEstimate } from './plan-record.ts';

/** Chunks of a model that are encoded for the estimate. */
const mostSamples = 8;

/**
 * Undefined where planes would save nothing, or the weights aren't on this machine yet, or are
 * broken.
 */
export async function estimatePlanes(
  files: readonly SourceFile[],
  format: ArchiveFormat,
): Promise<PlanesEstimate | undefined> {
  try {
    const { described, layouts } = await readTensors(files);
    const tensors = [...described.values()].flat();
    const chunks: { path: string; offset: number; length: number; element: Element }[] = [];
    for (const { path, absolutePath, sizeBytes } of files) {
      const reader = new ContentsReader(tensors, path);
      let offset = 0;
      for (const length of cutFile(sizeBytes, layouts.get(path))) {
        const contents = layouts.has(path) ? reader.read(offset, length) : undefined;
        if (contents) chunks.push({ path: absolutePath, offset, length, element: contents.element });
        offset += length;
      }
    }
    const total = chunks.reduce((sum, { length }) => sum + length, 0);
    const samples = chunks.filter((_, at) => at % Math.ceil(chunks.length / mostSamples) === 0);
    let [sampled, asPlanes, asSlices] = [0, 0, 0];
    for (const { path, offset, length, element } of samples) {
      const handle = await open(path);
      const chunk = await readFully(handle, length, offset).finally(() => handle.close());
      const sizes = [encodePlanes(chunk, element), encodeChunk(format, chunk)].map(async (pieces) =>
        (await pieces).reduce((sum, piece) => sum + piece.length, 0),
      );
      const [planes = 0, slice = 0] = await Promise.all(sizes);
      sampled += length;
      if (planes > slice * mostOfOther) continue;
      asPlanes += planes;
      asSlices += slice;
    }
    if (asPlanes === 0) return undefined;
    const ofAll = (bytes: number): number => Math.round((bytes / sampled) * total);
    return { upload_bytes: ofAll(asPlanes), saved_bytes: ofAll(asSlices - asPlanes) };
  } catch (error) {
    // The gate tells what is broken, and its place.
    if (error instanceof AircherError || hasSystemCode(error, 'ENOENT', 'EACCES')) return undefined;
    throw error;
  }
}
