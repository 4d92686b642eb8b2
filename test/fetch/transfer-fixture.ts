import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { packArchive } from '../../src/archive/pack-archive.ts';
import type { ArchiveFormat, ChunkIndex } from '../../src/contract/chunk-index.ts';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import type { ReuseSource, TransferRequest } from '../../src/fetch/transfer/types.ts';
import { createHttp } from '../../src/http/create-http.ts';
import type { Http, HttpOptions } from '../../src/http/http-client.ts';
import { createFaults } from '../../src/rehearsal/faults.ts';
import { type StaticMirror, type StaticMirrorOptions, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { noise, safetensors } from '../archive/fixtures.ts';
import { finetuned, weightsLike } from '../archive/weights-like.ts';
import { weightsOf } from '../fixtures/weights-entry.ts';

export const model = 'tiny-test';

export interface Published {
  readonly directory: string;
  /** The unpacked files. */
  readonly source: string;
  readonly contents: ReadonlyMap<string, Buffer>;
  readonly index: ChunkIndex;
  readonly indexBytes: Buffer;
  entry(urls: EntryUrls): ManifestModel;
  /** It, as an installed version. */
  reuse(): ReuseSource & { readonly version: string };
}

export interface EntryUrls {
  readonly github?: string;
  readonly huggingface?: string;
  readonly mirror?: string;
  /** Base of raw files, of kind `huggingface`. */
  readonly raw?: string;
  readonly primary?: string;
  readonly index?: boolean;
  readonly files?: boolean;
}

export interface ModelShape {
  readonly version?: string;
  readonly layers?: number;
  readonly layerBytes?: number;
  /** Layers whose weights differ from another version's. */
  readonly retrained?: readonly number[];
  readonly config?: string;
  /** Files of 60 bytes, each a chunk. */
  readonly smallFiles?: number;
  readonly format?: ArchiveFormat;
  /** Weights are floats, fine-tuned by so many steps; without it they are noise. */
  readonly trained?: number;
  readonly planes?: boolean;
  /** Versions from which there are patches. */
  readonly patchFrom?: readonly Published[];
}

/**
 * A model's archive and index, packed into a directory that a static mirror can serve, with its raw
 * files below `<model>/`.
 */
export async function publish(context: TestContext, shape: ModelShape = {}): Promise<Published> {
  const { version = '1.0.0', layers = 6, layerBytes = 700_000, retrained = [], format = 'tar.gz' } = shape;
  const directory = await temporary(context);
  const source = join(directory, model);
  const contents = new Map<string, Buffer>([
    ['config.json', Buffer.from(`{"hidden_size":8,"note":${JSON.stringify(shape.config ?? '')}}\n`)],
    ['empty.txt', Buffer.alloc(0)],
    ['nested/vocab.txt', noise(3000, 77)],
    ...Array.from({ length: shape.smallFiles ?? 0 }, (_, at) => [`small/${at}`, noise(60, 5000 + at)] as const),
    [
      'model.safetensors',
      safetensors(
        Array.from({ length: layers }, (_, layer) => ({
          name: `layer.${layer}.weight`,
          ...(shape.trained === undefined
            ? { dtype: 'U8', shape: [layerBytes] }
            : { dtype: 'F32', shape: [layerBytes / 4] }),
          data: dataOf(shape, layer, layerBytes, retrained.includes(layer)),
        })),
      ),
    ],
  ]);
  for (const [path, bytes] of contents) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), bytes);
  }
  const name = `${model}.${format}`;
  const packed = await packArchive({
    model,
    files: [...contents.keys()].map((path) => ({
      path,
      absolutePath: join(source, path),
      sizeBytes: contents.get(path)!.length,
    })),
    format,
    output: join(directory, name),
    mtimeSeconds: 499162500,
    encodings: {
      planes: shape.planes ?? false,
      patches: (shape.patchFrom ?? []).map((old) => {
        const { version, directory } = old.reuse();
        return { version, directory, index: old.index };
      }),
    },
  });
  const indexBytes = await readFile(join(directory, `${name}.index.json`));
  const at = (urls: EntryUrls, path: string): Record<string, string> =>
    Object.fromEntries(
      (['github', 'huggingface', 'mirror'] as const).flatMap((kind) =>
        urls[kind] === undefined ? [] : [[kind, `${urls[kind]}/${path}`]],
      ),
    );
  return {
    directory,
    source,
    contents,
    index: packed.index,
    indexBytes,
    entry: (urls) => ({
      version,
      size_bytes: packed.archive.size_bytes,
      sha256: packed.archive.sha256,
      download_urls: at(urls, name),
      ...(urls.primary && { primary: urls.primary }),
      ...((urls.index ?? true) && {
        format,
        index: {
          size_bytes: indexBytes.length,
          sha256: sha256(indexBytes),
          download_urls: at(urls, `${name}.index.json`),
        },
      }),
      ...(packed.encodings.length > 0 && {
        encodings: packed.encodings.map((encoding) => ({
          ...encoding,
          download_urls: at(urls, encoding.name),
          index: { ...encoding.index, download_urls: at(urls, `${encoding.name}.index.json`) },
        })),
      }),
      ...((urls.files ?? true) && {
        files: packed.files.map((file) => ({
          ...file,
          ...(urls.raw && { download_urls: { huggingface: `${urls.raw}/${model}/${file.path}` } }),
        })),
        ...weightsOf(packed.files, sha256(`${model} ${version}`)),
      }),
    }),
    reuse: () => ({ version, directory: source, files: packed.files, index: packed.index }),
  };
}

function dataOf({ trained }: ModelShape, layer: number, bytes: number, isRetrained: boolean): Buffer {
  if (trained === undefined) return noise(bytes, isRetrained ? 1000 + layer : layer);
  return finetuned(weightsLike(bytes, layer), trained, layer);
}

export async function temporary(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-test-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function serve(context: TestContext, options: StaticMirrorOptions): Promise<StaticMirror> {
  const mirror = await startStaticMirror({ faults: createFaults(), ...options });
  context.after(() => mirror.close());
  return mirror;
}

/** A client with deadlines short enough for tests. */
export function http(context: TestContext, options: HttpOptions = {}): Http {
  const client = createHttp({
    connectTimeoutMs: 700,
    archiveTimeoutMs: 700,
    stallTimeoutMs: 700,
    retryDelayMs: 20,
    maxRetryAfterMs: 3000,
    ...options,
  });
  context.after(() => client.close());
  return client;
}

export async function request(
  context: TestContext,
  entry: ManifestModel,
  more: Partial<TransferRequest> = {},
): Promise<TransferRequest> {
  return { model, entry, staging: await temporary(context), reuse: [], ...more };
}

/** What differs between the files in a directory and those published; empty where nothing does. */
export async function differences(directory: string, published: Published): Promise<string[]> {
  const wrong: string[] = [];
  for (const [path, bytes] of published.contents) {
    const found = await readFile(join(directory, path)).catch(() => undefined);
    if (found === undefined) wrong.push(`${path} is missing`);
    else if (!found.equals(bytes)) wrong.push(`${path} differs`);
  }
  return wrong;
}

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}
