import { cp, open, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import parseExpression from 'spdx-expression-parse';
import { formatBytes } from '../../src/core/format.ts';
import { listSourceFiles } from '../../src/model/source-files.ts';
import { readWeights, weightFormatOf } from '../../src/weights/read-weights.ts';
import type { PlacedTensor } from '../../src/weights/weights-file.ts';

/**
 * Copies a model of one's own, links as what they lead to (the Hub's cache has links), and hidden
 * files not at all.
 */
export async function copyModel(source: string, target: string): Promise<void> {
  await cp(source, target, {
    recursive: true,
    dereference: true,
    filter: (path) => path === source || !basename(path).startsWith('.'),
  });
}

/** What release.json says of the licence of a model whose own README states one, or none. */
export async function statedLicence(model: string): Promise<{ license: string; commercial_use?: boolean }> {
  const readme = await readFile(join(model, 'README.md'), 'utf8').catch(() => '');
  const front = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---/.exec(readme)?.[1] ?? '';
  const value = (key: string): string | undefined =>
    new RegExp(`^${key}:\\s*(?:\\r?\\n\\s*)?(?:-\\s*)?["']?([\\w.+-]+)`, 'm').exec(front)?.[1];
  const stated = value('license') === 'other' ? (value('license_name') ?? 'other') : (value('license') ?? 'unknown');
  const capital = stated.charAt(0).toUpperCase() + stated.slice(1);
  const listed = [stated, stated.toUpperCase(), capital].find(isExpression);
  if (listed !== undefined) return { license: listed };
  return { license: `LicenseRef-${stated.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`, commercial_use: false };
}

function isExpression(text: string): boolean {
  try {
    return 'license' in parseExpression(text);
  } catch {
    return false;
  }
}

export interface Retrained {
  /** Bytes of tensors that have other values now. */
  readonly bytes: number;
  /** `Layers 4 and 5` */
  readonly what: string;
}

const layerNumber = /(?:^|\.)(?:layers?|blocks?|h)\.(\d+)\./;

/**
 * Other weights in the last two layers, or where names tell of no layers in the last mebibyte.
 * Changes the files in place: the safetensors in the model's own folder, and where there are none
 * its ONNX and GGUF files.
 */
export async function retrainLastLayers(model: string): Promise<Retrained> {
  const tensors = await weightsOf(model);
  const layers = new Set(tensors.flatMap(({ name }) => layerOf(name) ?? []));
  const last = [...layers].sort((a, b) => a - b).slice(-2);
  let bytes = 0;
  for (const { name, file, begin, end } of tensors) {
    if (!last.includes(layerOf(name) ?? -1)) continue;
    await alter(join(model, file), begin, end - begin);
    bytes += end - begin;
  }
  if (bytes > 0) return { bytes, what: last.length === 1 ? `Layer ${last[0]}` : `Layers ${last.join(' and ')}` };
  const [final] = tensors.toSorted((a, b) => b.end - a.end);
  if (final === undefined) throw new Error(`${model} has no weights`);
  const length = Math.min(1 << 20, final.end - final.begin);
  await alter(join(model, final.file), final.end - length, length);
  return { bytes: length, what: `The last ${formatBytes(length)} of weights` };
}

async function weightsOf(model: string): Promise<readonly PlacedTensor[]> {
  const { files } = await listSourceFiles({ model: basename(model), root: model });
  const safetensors = files.filter(({ path }) => !path.includes('/') && weightFormatOf(path) === 'safetensors');
  const byPath = new Map(files.map((file) => [file.path, file]));
  const read = (safetensors.length > 0 ? safetensors : files).map((file) => readWeights(file, byPath));
  return (await Promise.all(read)).flatMap((weights) => weights?.tensors ?? []);
}

function layerOf(tensor: string): number | undefined {
  const number = layerNumber.exec(tensor)?.[1];
  return number === undefined ? undefined : Number(number);
}

/**
 * Flips the lowest bit of every fourth byte: the lowest of an F32's fraction, so that all stay
 * numbers.
 */
async function alter(path: string, start: number, length: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    const piece = Buffer.alloc(Math.min(length, 1 << 20));
    for (let at = 0; at < length; at += piece.length) {
      const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, length - at), start + at);
      for (let i = 0; i < bytesRead; i += 4) piece[i]! ^= 1;
      await handle.write(piece, 0, bytesRead, start + at);
    }
  } finally {
    await handle.close();
  }
}
