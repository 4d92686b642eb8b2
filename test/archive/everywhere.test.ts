import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { ArchiveFormat } from '../../src/contract/chunk-index.ts';
import { sampleTree, sourceFiles, temporaryDirectory, writeTree } from './fixtures.ts';

const packModule = fileURLToPath(new URL('../../src/archive/pack-archive.ts', import.meta.url));
const decompressModule = fileURLToPath(new URL('../../src/archive/decompress.ts', import.meta.url));
const tarModule = fileURLToPath(new URL('../../src/archive/tar-reader.ts', import.meta.url));
const encodePlanesModule = fileURLToPath(new URL('../../src/archive/encode-planes.ts', import.meta.url));
const decodePlanesModule = fileURLToPath(new URL('../../src/archive/decode-planes.ts', import.meta.url));
const samplesModule = fileURLToPath(new URL('./plane-samples.ts', import.meta.url));
const decodeModule = fileURLToPath(new URL('../../src/archive/decode.ts', import.meta.url));

/** Other Node executables to try, by the platform's path separator. */
const otherNodes = (process.env.AIRCHER_TEST_NODES ?? '').split(delimiter).filter((path) => path !== '');

async function bundle(directory: string, name: string, source: string): Promise<string> {
  const entry = join(directory, `${name}.ts`);
  const outfile = join(directory, `${name}.mjs`);
  await writeFile(entry, source);
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
  });
  return outfile;
}

interface Sample {
  readonly directory: string;
  readonly pack: (format: ArchiveFormat, name: string, options?: PackOptions) => Promise<string>;
}

interface PackOptions {
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly umask?: string;
}

/** A sample tree, and a way to pack it in a process of its own; answers with both digests. */
async function sample(context: TestContext): Promise<Sample> {
  const directory = await temporaryDirectory(context);
  await writeTree(join(directory, 'tree'), sampleTree());
  await writeFile(join(directory, 'files.json'), JSON.stringify(await sourceFiles(join(directory, 'tree'))));
  const script = await bundle(
    directory,
    'pack',
    `import { packArchive } from ${JSON.stringify(packModule)};
import { readFileSync } from 'node:fs';
const [format, output, files] = process.argv.slice(2);
const packed = await packArchive({ model: 'sample', format, output, files: JSON.parse(readFileSync(files, 'utf8')), mtimeSeconds: 499162500 });
console.log(packed.archive.sha256, packed.indexSha256);`,
  );
  const pack = async (format: ArchiveFormat, name: string, options: PackOptions = {}): Promise<string> => {
    await mkdir(join(directory, name), { recursive: true });
    const args = [script, format, join(directory, name, `sample.${format}`), join(directory, 'files.json')];
    const command = [
      '-c',
      `umask ${options.umask ?? '022'}; exec "$0" "$@"`,
      options.node ?? process.execPath,
      ...args,
    ];
    const result = spawnSync('sh', command, { env: { ...process.env, ...options.env } });
    assert.equal(result.status, 0, result.stderr.toString());
    return result.stdout.toString();
  };
  return { directory, pack };
}

test('umask, time zone, locale and working directory leave no trace in archive and index', {
  skip: process.platform === 'win32',
}, async (context) => {
  const { pack } = await sample(context);
  const expected = await pack('tar.gz', 'plain');
  const other = await pack('tar.gz', 'other', {
    umask: '077',
    env: { TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR' },
  });
  assert.equal(other, expected);
});

for (const node of otherNodes) {
  test(`${node} makes the same tar.gz and tar, and the same tar.zst where it has the same libzstd`, async (context) => {
    const { pack } = await sample(context);
    const libzstd = spawnSync(node, ['-p', 'process.versions.zstd']).stdout.toString().trim();
    for (const format of ['tar.gz', 'tar', 'tar.zst'] as const) {
      if (format === 'tar.zst' && libzstd !== process.versions.zstd) continue;
      assert.equal(await pack(format, 'other', { node }), await pack(format, 'here'), format);
    }
  });

  test(`${node} reads every format back, whole and chunk by chunk`, async (context) => {
    const { directory, pack } = await sample(context);
    const script = await bundle(
      directory,
      'read',
      `import { decompress } from ${JSON.stringify(decompressModule)};
import { readTar } from ${JSON.stringify(tarModule)};
import { decodeChunk } from ${JSON.stringify(decodeModule)};
import { createReadStream, readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
const [format, file] = process.argv.slice(2);
const index = JSON.parse(readFileSync(file + '.index.json', 'utf8'));
const files = [];
for await (const entry of readTar(decompress(format, createReadStream(file), { maxBytes: 1e8 }), { topDirectory: 'sample' })) {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of entry.body) { hash.update(piece); size += piece.length; }
  if (entry.type === 'file') files.push({ path: entry.path, size_bytes: size, sha256: hash.digest('hex') });
}
const bytes = readFileSync(file);
let good = 0;
for (const [offset, archiveLength, , , length, digest] of index.chunks) {
  const chunk = await decodeChunk(format, bytes.subarray(offset, offset + archiveLength), length);
  if (createHash('sha256').update(chunk).digest('hex') === digest) good++;
}
console.log(JSON.stringify({ files, good }));`,
    );
    for (const format of ['tar.gz', 'tar.zst', 'tar'] as const) {
      await pack(format, 'here');
      const file = join(directory, 'here', `sample.${format}`);
      const result = spawnSync(node, [script, format, file]);
      assert.equal(result.status, 0, `${format}: ${result.stderr}`);
      const index = JSON.parse(await readFile(`${file}.index.json`, 'utf8')) as {
        readonly files: unknown;
        readonly chunks: unknown[];
      };
      assert.deepEqual(JSON.parse(result.stdout.toString()), { files: index.files, good: index.chunks.length }, format);
    }
  });

  test(`${node} encodes planes and patches to the golden bytes, and decodes them`, async (context) => {
    const directory = await temporaryDirectory(context);
    const script = await bundle(
      directory,
      'planes',
      `import { encodePatch, encodePlanes } from ${JSON.stringify(encodePlanesModule)};
import { decodePatch, decodePlanes } from ${JSON.stringify(decodePlanesModule)};
import { planeSamples } from ${JSON.stringify(samplesModule)};
import { createHash } from 'node:crypto';
const digests = {};
for (const { name, element, old, now } of planeSamples()) {
  const [planes, patch] = [await encodePlanes(now, element), await encodePatch(now, old, element)].map((body) => Buffer.concat(body));
  digests[name] = [planes, patch].map((body) => createHash('sha256').update(body).digest('hex'));
  const found = [await decodePlanes(planes, now.length), await decodePatch(patch, old)];
  if (!found.every((bytes) => Buffer.from(bytes).equals(now))) throw new Error(name);
}
console.log(JSON.stringify(digests));`,
    );
    const result = spawnSync(node, [script]);
    assert.equal(result.status, 0, result.stderr.toString());
    const golden = await readFile(new URL('../golden/plane-digests.json', import.meta.url), 'utf8');
    assert.deepEqual(JSON.parse(result.stdout.toString()), JSON.parse(golden));
  });
}
