import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { decodePatch, decodePlanes } from '../../src/archive/decode-planes.ts';
import { type PackedArchive, packArchive } from '../../src/archive/pack-archive.ts';
import type { ArchiveFormat } from '../../src/contract/chunk-index.ts';
import { type EncodingIndex, parseEncodingIndex } from '../../src/contract/encoding-index.ts';
import { isAircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { formats, noise, safetensors, sourceFiles, type Tree, temporaryDirectory, writeTree } from './fixtures.ts';
import { finetuned, weightsLike } from './weights-like.ts';

const mebibyte = 1024 * 1024;

interface TensorChange {
  readonly data?: Uint8Array;
  readonly name?: string;
  readonly dtype?: string;
}

/** A model of every kind of chunk; `step` says how far it was trained. */
function modelTree(step: number, change: TensorChange = {}): Tree {
  const trained = (bytes: number, seed: number): Buffer => finetuned(weightsLike(bytes, seed), step, seed);
  return {
    'model.safetensors': safetensors([
      { name: 'a.large', dtype: 'F32', shape: [1.5 * 262144], data: trained(1.5 * mebibyte, 1) },
      { name: 'b.frozen', dtype: 'F32', shape: [65536], data: weightsLike(262144, 2) },
      { name: 'c.small', dtype: 'F32', shape: [100], data: trained(400, 3) },
      { name: 'd.small', dtype: 'F32', shape: [200], data: trained(800, 4) },
      { name: 'e.ids', dtype: 'I64', shape: [30000], data: Buffer.alloc(240000, step) },
      { name: 'f.changes', dtype: 'F32', shape: [40000], data: trained(160000, 5), ...change },
      { name: 'g.noise', dtype: 'U8', shape: [100000], data: noise(100000, 6 + step) },
    ]),
    'copy/model.safetensors': safetensors([
      { name: 'a.large', dtype: 'F32', shape: [1.5 * 262144], data: trained(1.5 * mebibyte, 1) },
    ]),
    'config.json': `{ "step": ${step} }\n`,
  };
}

interface Packed extends PackedArchive {
  readonly root: string;
  readonly out: string;
}

async function pack(
  context: TestContext,
  tree: Tree,
  encodings: { readonly planes: boolean; readonly from?: Readonly<Record<string, Packed>> },
  format: ArchiveFormat = 'tar.gz',
  parallel?: number,
): Promise<Packed> {
  const directory = await temporaryDirectory(context);
  const [root, out] = [join(directory, 'tree'), join(directory, 'out')];
  await writeTree(root, tree);
  const patches = Object.entries(encodings.from ?? {}).map(([version, packed]) => ({
    ...{ version, directory: packed.root, index: packed.index },
  }));
  const packed = await packArchive({
    model: 'm',
    files: await sourceFiles(root),
    format,
    output: join(out, `m.${format}`),
    mtimeSeconds: 499162500,
    encodings: { planes: encodings.planes, patches },
    ...(parallel === undefined ? {} : { parallel }),
  });
  return { ...packed, root, out };
}

async function indexOf(packed: Packed, name: string): Promise<EncodingIndex> {
  const bytes = await readFile(join(packed.out, `${name}.index.json`));
  const made = packed.encodings.find((encoding) => encoding.name === name);
  assert.deepEqual({ size_bytes: bytes.length, sha256: sha256(bytes) }, made?.index);
  const index = parseEncodingIndex(bytes, packed.index, name);
  const body = await readFile(join(packed.out, name));
  assert.deepEqual([body.length, sha256(body)], [index.size_bytes, index.sha256]);
  assert.deepEqual([made?.size_bytes, made?.sha256, made?.kind], [index.size_bytes, index.sha256, index.kind]);
  return index;
}

/** The names of the tensors' chunks in an encoding, each decoded and found right. */
async function decodeAll(packed: Packed, name: string, old?: Packed): Promise<string[]> {
  const bodies = await readFile(join(packed.out, name));
  const names: string[] = [];
  for (const [number, offset, length, oldSha256] of (await indexOf(packed, name)).chunks) {
    const [, archiveLength, file, fileOffset, chunkLength, digest] = packed.index.chunks[number]!;
    const body = bodies.subarray(offset, offset + length);
    assert.ok(length <= archiveLength * 0.98);
    const chunk =
      oldSha256 === undefined
        ? await decodePlanes(body, chunkLength)
        : await decodePatch(body, await oldChunk(old!, oldSha256));
    assert.equal(sha256(chunk), digest);
    names.push(`${packed.index.files[file]!.path} ${fileOffset}`);
  }
  return names;
}

async function oldChunk({ index, root }: Packed, digest: string): Promise<Uint8Array> {
  const [, , file, offset, length] = index.chunks.find((chunk) => chunk[5] === digest)!;
  return (await readFile(join(root, index.files[file]!.path))).subarray(offset, offset + length);
}

test('planes hold the chunks of float tensors, each once; noise, integers of one value and text are left to the archive', async (context) => {
  for (const format of formats) {
    const packed = await pack(context, modelTree(0), { planes: true }, format);
    const names = await decodeAll(packed, 'm.planes');
    const ofFile = (path: string): number => names.filter((name) => name.startsWith(`${path} `)).length;
    // In archive order copy/ comes first, and its two chunks are those of a.large.
    assert.equal(ofFile('copy/model.safetensors'), 2);
    assert.ok(ofFile('model.safetensors') >= 2 && names.length <= 8, names.join());
    const plain = await pack(context, modelTree(0), { planes: false }, format);
    assert.equal(plain.archive.sha256, packed.archive.sha256, 'the archive stays as it is');
    assert.deepEqual([plain.encodings, packed.encodings.length], [[], 1]);
  }
});

test('a patch holds what was trained further, from the old chunks; what is the same or has no counterpart is not in it', async (context) => {
  const old = await pack(context, modelTree(0), { planes: false });
  const packed = await pack(context, modelTree(1), { planes: true, from: { '1.0.0': old } });
  assert.deepEqual(
    packed.encodings.map(({ kind, name, from }) => [kind, name, from]),
    [
      ['planes', 'm.planes', undefined],
      ['patch', 'm.from-1.0.0.patch', '1.0.0'],
    ],
  );
  const names = await decodeAll(packed, 'm.from-1.0.0.patch', old);
  const planes = await decodeAll(packed, 'm.planes');
  assert.ok(names.length >= 4 && names.length < planes.length + 2, names.join());
  const plain = await pack(context, modelTree(1), { planes: false, from: { '1.0.0': old } });
  assert.deepEqual(
    plain.encodings.map(({ name }) => name),
    ['m.from-1.0.0.patch'],
  );
});

test('chunks pair only where name, type, shape and part are the same', async (context) => {
  const old = await pack(context, modelTree(0), { planes: false });
  const base = await pack(context, modelTree(1), { planes: false, from: { '1.0.0': old } });
  const count = (await decodeAll(base, 'm.from-1.0.0.patch', old)).length;
  const changes: Readonly<Record<string, TensorChange>> = {
    'another name': { name: 'f.renamed' },
    'another type': { dtype: 'I32' },
    'another length': { data: finetuned(weightsLike(160_000, 5), 1, 5).subarray(0, 159_996) },
  };
  for (const [name, change] of Object.entries(changes)) {
    const shape = change.data === undefined ? {} : { shape: [39_999] };
    const packed = await pack(context, modelTree(1, { ...change, ...shape }), {
      planes: false,
      from: { '1.0.0': old },
    });
    assert.equal((await decodeAll(packed, 'm.from-1.0.0.patch', old)).length, count - 1, name);
  }
});

test('a patch that saves less than a quarter is not made, and no trace of it stays', async (context) => {
  const old = await pack(context, modelTree(0), { planes: false });
  const other = {
    'model.safetensors': safetensors([{ name: 'a.large', dtype: 'U8', shape: [mebibyte], data: noise(mebibyte, 9) }]),
  };
  const packed = await pack(context, other, { planes: true, from: { '1.0.0': old } });
  assert.deepEqual(packed.encodings, []);
  assert.deepEqual((await readdir(packed.out)).sort(), ['m.tar.gz', 'm.tar.gz.index.json']);
  const same = await pack(context, modelTree(0), { planes: false, from: { '1.0.0': old } });
  assert.deepEqual(same.encodings, [], 'the same content');
});

test('what planes save counts for no patch', async (context) => {
  const model = (trained: number, others: number): Tree => ({
    'model.safetensors': safetensors(
      [0, 1, 2, 3, 4].map((layer) => ({
        name: `layer.${layer}`,
        dtype: 'F64',
        shape: [32768],
        data:
          layer === 0
            ? spread(finetuned(weightsLike(131072, 1), trained, 1))
            : spread(weightsLike(131072, layer + others)),
      })),
    ),
  });
  const old = await pack(context, model(0, 0), { planes: false });
  const packed = await pack(context, model(1, 100), { planes: true, from: { '1.0.0': old } });
  assert.deepEqual(
    packed.encodings.map(({ name }) => name),
    ['m.planes'],
  );
  const { size_bytes: planes } = packed.encodings[0]!;
  assert.ok(planes < 0.75 * packed.archive.size_bytes, `${planes} of ${packed.archive.size_bytes}`);
});

/** 32-bit floats as 64-bit ones: planes of zeros, of which the archive knows nothing. */
function spread(floats: Buffer): Buffer {
  const wide = Buffer.alloc(floats.length * 2);
  for (let at = 0; at < floats.length; at += 4) wide.writeDoubleLE(floats.readFloatLE(at), at * 2);
  return wide;
}

test('encodings have the same bytes however many chunks are made at a time', async (context) => {
  const old = await pack(context, modelTree(0), { planes: false });
  const digests = async (parallel: number): Promise<readonly string[]> => {
    const wanted = { planes: true, from: { '1.0.0': old } };
    const { encodings } = await pack(context, modelTree(1), wanted, 'tar.gz', parallel);
    return encodings.flatMap((encoding) => [encoding.sha256, encoding.index.sha256]);
  };
  assert.deepEqual(await digests(1), await digests(7));
});

test('an older version whose weights are broken is an error that names the file', async (context) => {
  const old = await pack(context, modelTree(0), { planes: false });
  await writeFile(join(old.root, 'model.safetensors'), 'broken');
  await assert.rejects(
    pack(context, modelTree(1), { planes: false, from: { '1.0.0': old } }),
    (error) => isAircherError(error, 'invalid') && error.message.includes(join(old.root, 'model.safetensors')),
  );
});
