import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { packArchive } from '../../src/archive/pack-archive.ts';
import { tensorDigest } from '../../src/archive/tensor-digests.ts';
import { noise, safetensors, sourceFiles, temporaryDirectory, writeTree } from './fixtures.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 12);
const mebibyte = 1024 * 1024;

/** The rule of docs/spaces.md, written once more. */
function digest(data: Uint8Array): string {
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
  if (data.length < 64 * 1024) return sha256(data).toString('hex');
  const chunks: Buffer[] = [];
  for (let at = 0; at < data.length; at += mebibyte) chunks.push(sha256(data.subarray(at, at + mebibyte)));
  return sha256(Buffer.concat(chunks)).toString('hex');
}

test('the digest of a tensor is that of its data alone, whatever stands around it', async (context) => {
  const directory = await temporaryDirectory(context);
  const size = fc.oneof(
    fc.integer({ min: 0, max: 3000 }),
    fc.constantFrom(0, 1, 65535, 65536, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte, 2 * mebibyte + 3),
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 12 }), fc.nat(), async (sizes, seed) => {
      const tensors = sizes.map((bytes, number) => ({
        ...{ name: `t${number}`, dtype: 'U8', shape: [bytes] },
        data: noise(bytes, seed + number),
      }));
      const root = join(directory, String(run++));
      await writeTree(root, { 'model.safetensors': safetensors(tensors), 'a.json': Buffer.from('{}') });
      const files = await sourceFiles(root);
      const output = `${root}.tar`;
      const packed = await packArchive({ model: 'm', files, format: 'tar', output, mtimeSeconds: 0 });
      const found = new Map(packed.tensors.get('model.safetensors')?.map((tensor) => [tensor.name, tensor.sha256]));
      assert.deepEqual([...packed.tensors.keys()], ['model.safetensors']);
      assert.deepEqual([...found].sort(), tensors.map(({ name, data }) => [name, digest(data)]).sort());
      for (const { name, data } of tensors) assert.equal(tensorDigest(data), found.get(name));
    }),
    { numRuns },
  );
});
