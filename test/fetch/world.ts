import { createHash } from 'node:crypto';
import { copyFile, cp, link, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { packArchive } from '../../src/archive/pack-archive.ts';
import type { PatchSource } from '../../src/archive/patch-base.ts';
import { formatManifest, type Manifest, type ManifestModel } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { exists } from '../../src/core/read-files.ts';
import type { ClientOptions } from '../../src/fetch/api.ts';
import { ModelManager } from '../../src/fetch/model-manager.ts';
import { createFaults } from '../../src/rehearsal/faults.ts';
import type { Limits } from '../../src/rehearsal/pacing.ts';
import { type StaticMirror, startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import type { SecretKey } from '../../src/trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import { noise, safetensors } from '../archive/fixtures.ts';
import { finetuned, weightsLike } from '../archive/weights-like.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { weightsOf } from '../fixtures/weights-entry.ts';
import { assertOutput } from '../json/output-schema.ts';

/** A mirror with releases of small models, and caches to install them into. */
export interface World {
  readonly root: string;
  readonly mirror: StaticMirror;
  readonly mirrorDirectory: string;
  readonly cache: string;
  readonly manifestUrl: string;
  path(...parts: readonly string[]): string;
  /** Publishes a release with these models, carrying forward what it doesn't name. */
  release(version: string, models: Readonly<Record<string, ModelShape>>, changes?: ReleaseChanges): Promise<Manifest>;
  manager(options?: ClientOptions): ModelManager;
  /** Runs `aircher model …` as a process. What it prints with --json is held to its schema. */
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
}

export interface ModelShape {
  readonly version: string;
  readonly layers?: number;
  readonly layerBytes?: number;
  readonly retrained?: readonly number[];
  /**
   * Weights are floats, fine-tuned by so many steps, with planes and a patch from the version
   * before.
   */
  readonly trained?: number;
  readonly space?: string;
  /** Weights besides model.safetensors, by path. */
  readonly weights?: Readonly<Record<string, WeightsShape>>;
  /** Default: model.safetensors. */
  readonly defaultWeights?: string;
  readonly entry?: Partial<ManifestModel>;
}

/** A safetensors file; an ONNX file, where the path ends like that. */
export interface WeightsShape {
  readonly bytes?: number;
  /** Other bytes and another space for another number. Of ONNX with external data, these alone. */
  readonly seed?: number;
  /** The path whose space they have; default: their own. */
  readonly spaceOf?: string;
  /** External data, in the same folder. */
  readonly data?: string;
}

export interface ReleaseChanges extends Partial<Manifest> {
  readonly key?: SecretKey;
  /** Leave the newest pointer alone. */
  readonly unannounced?: boolean;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cache?: string;
  readonly uid?: number;
}

export interface RunResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export const clientProgram = fileURLToPath(new URL('../../src/fetch-cli.ts', import.meta.url));

export async function createWorld(t: TestContext, options: { readonly limits?: Limits } = {}): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), 'aircher-house-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const path = (...parts: readonly string[]): string => join(root, ...parts);
  const mirrorDirectory = path('mirror');
  await mkdir(mirrorDirectory);
  const mirror = await startStaticMirror({ ...options, directory: mirrorDirectory, faults: createFaults() });
  t.after(() => mirror.close());
  const manifestUrl = `${mirror.url}/manifest.json`;
  const cache = path('cache');
  const newest = new Map<string, PatchSource>();
  let last: Manifest | undefined;
  let lastBytes: Buffer | undefined;
  return {
    root,
    mirror,
    mirrorDirectory,
    cache,
    manifestUrl,
    path,
    release: async (version, models, { key, unannounced, ...changes } = {}) => {
      const tag = `models-v${version}`;
      const directory = join(mirrorDirectory, tag);
      await mkdir(directory, { recursive: true });
      const entries: [string, ManifestModel][] = Object.entries(last?.models ?? {});
      for (const [name, shape] of Object.entries(models)) {
        const before = last && Object.hasOwn(last.models, name) ? last.models[name] : undefined;
        const source = path('sources', name, shape.version);
        const packed = await pack(source, directory, name, shape, `${mirror.url}/${tag}`, newest);
        const published = [...(before?.published_versions ?? [])];
        if (before && before.version !== shape.version && lastBytes && last?.release) {
          const url = `${mirror.url}/${last.release}/manifest.json`;
          published.unshift({
            version: before.version,
            release: last.release,
            ...(before.embedding?.space === undefined ? {} : { space: before.embedding.space }),
            manifest: { size_bytes: lastBytes.length, sha256: sha256(lastBytes), download_urls: { mirror: url } },
          });
        }
        const place = entries.findIndex(([other]) => other === name);
        if (place !== -1) entries.splice(place, 1);
        entries.push([name, { ...packed, release: tag, published_versions: published, ...shape.entry }]);
      }
      const manifest: Manifest = {
        manifest_version: '1.0.0',
        namespace: 'test',
        release: tag,
        generated_at: `2026-01-01T00:00:${String(entries.length).padStart(2, '0')}Z`,
        models: Object.fromEntries(entries),
        ...changes,
      };
      const bytes = Buffer.from(formatManifest(manifest));
      const files: [string, Buffer | string][] = [['manifest.json', bytes]];
      if (key)
        files.push([
          'manifest.json.minisig',
          signMessage(bytes, key, { trustedComment: trustedCommentOf('manifest.json', manifest) }),
        ]);
      for (const [name, content] of files) {
        await writeFile(join(directory, name), content);
        if (!unannounced) await cp(join(directory, name), join(mirrorDirectory, name));
      }
      if (!unannounced) {
        last = manifest;
        lastBytes = bytes;
      }
      return manifest;
    },
    manager: (options = {}) =>
      new ModelManager({
        namespace: 'test',
        cacheDir: cache,
        manifestSources: [manifestUrl],
        http: { retryDelayMs: 20, stallTimeoutMs: 2000 },
        ...options,
      }),
    run: async (args, options = {}) => {
      const { uid } = options;
      const [node, client] =
        uid === undefined ? [process.execPath, clientProgram] : await programsForAll(path('programs'));
      const result = await execa(node, [client, 'model', ...args], {
        cwd: root,
        extendEnv: false,
        env: {
          PATH: process.env.PATH ?? '',
          AIRCHER_CACHE_DIR: options.cache ?? cache,
          AIRCHER_MANIFEST_URL: manifestUrl,
          ...options.env,
        },
        reject: false,
        ...(uid === undefined ? {} : { uid, gid: uid }),
      });
      if (args.includes('--json') && result.stdout !== '') assertOutput(['model', ...args], result.stdout);
      return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
    },
  };
}

/**
 * Node and the client where every user gets to them: the project may lie in a folder that is one
 * user's alone.
 */
async function programsForAll(directory: string): Promise<[node: string, client: string]> {
  const [node, client] = [join(directory, 'node'), join(directory, 'aircher.mjs')] as const;
  if (await exists(directory)) return [node, client];
  await mkdir(directory);
  await link(process.execPath, node).catch(() => copyFile(process.execPath, node));
  await copyFile(fileURLToPath(new URL('../../dist/client/aircher.mjs', import.meta.url)), client);
  return [node, client];
}

async function pack(
  source: string,
  output: string,
  name: string,
  shape: ModelShape,
  base: string,
  newest: Map<string, PatchSource>,
): Promise<ManifestModel> {
  const { version, layers = 4, layerBytes = 200_000, retrained = [], trained } = shape;
  const contents = new Map<string, Buffer>([
    ['LICENSE', Buffer.from('Do as you like.\n')],
    ['config.json', Buffer.from(`{"hidden_size":8,"version":"${version}"}\n`)],
    ['1_Pooling/config.json', Buffer.from('{"pooling_mode_mean_tokens":true}\n')],
    [
      'model.safetensors',
      safetensors(
        Array.from({ length: layers }, (_, layer) => ({
          name: `layer.${layer}.weight`,
          ...(trained === undefined ? { dtype: 'U8', shape: [layerBytes] } : { dtype: 'F32', shape: [layerBytes / 4] }),
          data:
            trained === undefined
              ? noise(layerBytes, layer + (retrained.includes(layer) ? 1000 : 0))
              : finetuned(weightsLike(layerBytes, layer), trained, layer),
        })),
      ),
    ],
  ]);
  const more = Object.entries(shape.weights ?? {});
  for (const [path, { bytes = 300_000, seed = path.length, data }] of more) {
    const raw = noise(bytes, 7000 + seed);
    if (data !== undefined) contents.set(data, raw);
    contents.set(
      path,
      path.endsWith('.onnx')
        ? onnxFile({
            initializers: [
              tensor({ name: 'first', type: 2, dims: [bytes], raw: noise(bytes, 6000) }),
              tensor({
                name: 'second',
                type: 2,
                dims: [bytes],
                ...(data === undefined ? { raw } : { external: { location: basename(data) } }),
              }),
            ],
          })
        : safetensors([{ name: 'w', dtype: 'U8', shape: [bytes], data: raw }]),
    );
  }
  for (const [path, bytes] of contents) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), bytes);
  }
  const archive = `${name}.tar.gz`;
  const packed = await packArchive({
    model: name,
    files: [...contents].map(([path, bytes]) => ({ path, absolutePath: join(source, path), sizeBytes: bytes.length })),
    format: 'tar.gz',
    output: join(output, archive),
    mtimeSeconds: 499162500,
    encodings: {
      planes: trained !== undefined,
      patches: trained === undefined ? [] : [...newest].flatMap(([other, old]) => (other === name ? [old] : [])),
    },
  });
  newest.set(name, { version, directory: source, index: packed.index });
  const index = await readFile(join(output, `${archive}.index.json`));
  const [first] = weightsOf(packed.files, sha256(shape.space ?? `${name} ${retrained.join()}`)).weights;
  const { default: _, ...plain } = first!;
  const others = more.map(([path, { spaceOf = path, seed = spaceOf.length, data }]) => {
    const format = path.endsWith('.onnx') ? ('onnx' as const) : ('safetensors' as const);
    const files = data === undefined ? [path] : [path, data];
    const size_bytes = files.reduce((sum, file) => sum + contents.get(file)!.length, 0);
    return { ...plain, path, format, files, size_bytes, space: sha256(`${name} ${spaceOf} ${seed}`) };
  });
  const weights = [plain, ...others].map((one) =>
    one.path === (shape.defaultWeights ?? plain.path) ? { ...one, default: true as const } : one,
  );
  const { space } = weights.find((one) => 'default' in one)!;
  return {
    version,
    size_bytes: packed.archive.size_bytes,
    sha256: packed.archive.sha256,
    download_urls: { mirror: `${base}/${archive}` },
    license: 'Apache-2.0',
    commercial_use: true,
    format: 'tar.gz',
    index: {
      size_bytes: index.length,
      sha256: sha256(index),
      download_urls: { mirror: `${base}/${archive}.index.json` },
    },
    ...(packed.encodings.length > 0 && {
      encodings: packed.encodings.map((encoding) => ({
        ...encoding,
        download_urls: { mirror: `${base}/${encoding.name}` },
        index: { ...encoding.index, download_urls: { mirror: `${base}/${encoding.name}.index.json` } },
      })),
    }),
    files: packed.files.map((file) => ({ ...file })),
    weights,
    embedding: { dimensions: 8, space },
  };
}

/**
 * Holds what must hold after any kill: everything under models/ leads to a version whose every file
 * has the sha256 that checksums.json (derived from the record) and the release say, with `.version`
 * beside. Answers with the current versions.
 */
export async function checkModels(cache: string, manifests: readonly Manifest[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const names = await readdir(join(cache, 'models')).catch(() => []);
  for (const name of names) {
    if (name === 'checksums.json' || name === 'CACHEDIR.TAG' || name.startsWith('.tmp-')) continue;
    const directory = join(cache, 'models', name);
    await readlink(directory);
    const version = (await readFile(join(directory, '.version'), 'utf8')).trim();
    const entry = manifests.map((manifest) => manifest.models[name]).find((model) => model?.version === version);
    if (entry?.files === undefined) throw new Error(`${name} ${version} was never released`);
    for (const file of entry.files) {
      const bytes = await readFile(join(directory, file.path));
      const digest = createHash('sha256').update(bytes).digest('hex');
      if (digest !== file.sha256) throw new Error(`${name} ${version}: ${file.path} is not what was released`);
    }
    found[name] = version;
  }
  return found;
}

/** What checksums.json says: versions by model. */
export async function checksummedVersions(cache: string): Promise<Record<string, string>> {
  const text = await readFile(join(cache, 'models/checksums.json'), 'utf8');
  const parsed = JSON.parse(text) as Record<string, { version: string }>;
  return Object.fromEntries(Object.entries(parsed).map(([name, { version }]) => [name, version]));
}
