import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatManifest, type Manifest } from '../../src/contract/manifest.ts';
import { filePathFault, pathClashes } from '../../src/contract/names.ts';
import { AircherError } from '../../src/core/errors.ts';
import { exitCodeOf } from '../../src/core/exit-codes.ts';
import { ModelManager } from '../../src/fetch/model-manager.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { parseSecretKey } from '../../src/trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../src/trust/sign-message.ts';
import { formats, noise, packTree, safetensors, type Tree, writeTree } from '../archive/fixtures.ts';
import { weightsOf } from '../fixtures/weights-entry.ts';
import { plainPublicKey, plainSecretKey } from '../trust/keys.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 12);
const flipRuns = Number(process.env.AIRCHER_TEST_FLIPS ?? 40);

const part = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,7}$/),
  fc.constantFrom('a', 'a-b', 'ü', '文件', 'x'.repeat(101), '.hidden', 'with space'),
);
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const size = fc.oneof(fc.integer({ min: 0, max: 3000 }), fc.constantFrom(0, 1, 512, 65536, 1048575, 1048576, 1048577));
const content = fc.record({ size, seed: fc.nat() }).map(({ size, seed }) => noise(size, seed));
const weights = fc.array(fc.record({ size, seed: fc.nat() }), { minLength: 1, maxLength: 5 }).map((tensors) =>
  safetensors(
    tensors.map(({ size, seed }, index) => ({
      name: `t${index}`,
      dtype: 'U8',
      shape: [size],
      data: noise(size, seed),
    })),
  ),
);
const tree: fc.Arbitrary<Tree> = fc
  .record({ files: fc.dictionary(path, content, { maxKeys: 6 }), weights })
  .map(({ files, weights }) => ({ ...files, 'model.safetensors': weights }))
  .filter((files) => {
    const paths = Object.keys(files);
    return (
      paths.every((one) => filePathFault(one) === undefined && one !== '.version') && pathClashes(paths).length === 0
    );
  });

/** A release of one tree on a mirror: archive, index, manifest, signature. */
async function publish(
  place: string,
  url: string,
  files: Tree,
  format: (typeof formats)[number],
  indexed = true,
): Promise<void> {
  const source = join(place, 'source');
  await writeTree(source, files);
  await mkdir(join(place, 'mirror'), { recursive: true });
  const name = `model.${format}`;
  const packed = await packTree(source, format, join(place, 'mirror', name), 'model');
  const manifest: Manifest = {
    manifest_version: '1.0.0',
    namespace: 'test',
    release: 'models-v1.0.0',
    generated_at: '2026-01-01T00:00:00Z',
    models: {
      model: {
        version: '1.0.0',
        size_bytes: packed.archive.size_bytes,
        sha256: packed.archive.sha256,
        download_urls: { mirror: `${url}/${name}` },
        license: 'Apache-2.0',
        format,
        ...(indexed
          ? {
              index: {
                size_bytes: packed.indexSizeBytes,
                sha256: packed.indexSha256,
                download_urls: { mirror: `${url}/${name}.index.json` },
              },
            }
          : {}),
        files: packed.files.map((file) => ({ ...file })),
        ...weightsOf(packed.files, packed.archive.sha256),
      },
    },
  };
  const bytes = Buffer.from(formatManifest(manifest));
  const key = await parseSecretKey(plainSecretKey);
  await writeTree(join(place, 'mirror'), {
    'manifest.json': bytes,
    'manifest.json.minisig': signMessage(bytes, key, { trustedComment: trustedCommentOf('manifest.json', manifest) }),
  });
}

function client(place: string, url: string): ModelManager {
  return new ModelManager({
    namespace: 'test',
    cacheDir: join(place, 'cache'),
    manifestSources: [`${url}/manifest.json`],
    publicKeys: [plainPublicKey],
    http: { retryDelayMs: 5, stallTimeoutMs: 2000 },
  });
}

async function withPlace<T>(work: (place: string, url: string) => Promise<T>): Promise<T> {
  const place = await mkdtemp(join(tmpdir(), 'aircher-line-'));
  const mirror = await startStaticMirror({ directory: join(place, 'mirror') });
  try {
    return await work(place, mirror.url);
  } finally {
    await mirror.close();
    await rm(place, { recursive: true, force: true });
  }
}

for (const format of formats) {
  test(`any tree goes through pack and install unchanged, as ${format}, with an index and without`, async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.boolean(), async (files, indexed) => {
        await withPlace(async (place, url) => {
          await publish(place, url, files, format, indexed);
          const installed = await client(place, url).ensureModel('model');
          assert.deepEqual([...installed.files].length, Object.keys(files).length);
          for (const [name, bytes] of Object.entries(files)) {
            assert.deepEqual(await readFile(join(installed.path, name)), Buffer.from(bytes), name);
          }
        });
      }),
      { numRuns },
    );
  });
}

/** The first line of a signature is a comment that nothing protects and nothing shows. */
function protectedFrom(name: string, bytes: Buffer): number {
  return name.endsWith('.minisig') ? bytes.indexOf('\n') + 1 : 0;
}

for (const format of formats) {
  test(`a flipped bit in any byte of ${format} archive, index, manifest or signature is refused, unless it is no file's: nothing wrong becomes visible`, async () => {
    const files: Tree = {
      'config.json': '{"hidden_size": 8}\n',
      'model.safetensors': safetensors([{ name: 'w', dtype: 'U8', shape: [5000], data: noise(5000, 1) }]),
    };
    await withPlace(async (place, url) => {
      await publish(place, url, files, format);
      const archive = `model.${format}`;
      const { length: archiveBytes } = await readFile(join(place, 'mirror', archive));
      const flip = fc.record({
        name: fc.constantFrom(archive, `${archive}.index.json`, 'manifest.json', 'manifest.json.minisig'),
        at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        bit: fc.nat(7),
      });
      const everyEnd = [0, 1, 3, 9, 10, 11, ...Array.from({ length: 12 }, (_, back) => archiveBytes - 1 - back)];
      await fc.assert(
        fc.asyncProperty(flip, async ({ name, at, bit }) => {
          const file = join(place, 'mirror', name);
          const good = await readFile(file);
          const from = protectedFrom(name, good);
          const offset = from + Math.floor(at * (good.length - from));
          const bad = Buffer.from(good);
          bad[offset] = bad[offset]! ^ (1 << bit);
          try {
            await writeTree(join(place, 'mirror'), { [name]: bad });
            // Again, so that what is kept of an interrupted installation doesn't make it right.
            for (const attempt of ['first', 'second']) {
              const failure = await client(place, url)
                .install('model')
                .then(
                  () => undefined,
                  (error: unknown) => error,
                );
              const what = `${attempt} installation, ${name} with bit ${bit} of byte ${offset} flipped`;
              // The archive's own structure isn't read: `sha256sum -c` and `verify --deep` look at
              // it.
              if (failure === undefined && name === archive) {
                for (const [path, bytes] of Object.entries(files)) {
                  const installed = await readFile(join(place, 'cache/models/model', path));
                  assert.ok(installed.equals(Buffer.from(bytes)), `${what}: ${path} is another`);
                }
                continue;
              }
              assert.ok(failure instanceof AircherError, `${what}: installed`);
              assert.ok([3, 4].includes(exitCodeOf(failure)), `${what}: ${exitCodeOf(failure)}: ${failure.message}`);
              const visible = await readdir(join(place, 'cache/models')).catch((): string[] => []);
              assert.ok(!visible.includes('model'), what);
            }
          } finally {
            await writeTree(join(place, 'mirror'), { [name]: good });
            await rm(join(place, 'cache'), { recursive: true, force: true });
          }
        }),
        {
          numRuns: flipRuns,
          examples: everyEnd.map((offset) => [{ name: archive, at: (offset + 0.5) / archiveBytes, bit: offset % 8 }]),
        },
      );
    });
  });
}
