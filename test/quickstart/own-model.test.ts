import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { copyModel, retrainLastLayers, statedLicence } from '../../scripts/quickstart/own-model.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { safetensorsFile, writeTinyModel } from '../fixtures/tiny-model.ts';

const quickstart = fileURLToPath(new URL('../../scripts/quickstart.ts', import.meta.url));

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'aircher-quickstart-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('a model whose files are links, as in the cache of the Hub, is copied as files, without hidden ones', async (t) => {
  const place = await directory(t);
  await writeTinyModel(join(place, 'blobs'));
  await writeTinyModel(join(place, 'model'));
  await rm(join(place, 'model/model.safetensors'));
  await symlink('../blobs/model.safetensors', join(place, 'model/model.safetensors'));
  await writeFile(join(place, 'model/.gitattributes'), '');
  await copyModel(join(place, 'model'), join(place, 'copy'));
  const entries = await readdir(join(place, 'copy'), { withFileTypes: true });
  assert.ok(entries.every((entry) => !entry.isSymbolicLink()));
  assert.ok(entries.some(({ name }) => name === 'model.safetensors'));
  assert.ok(!entries.some(({ name }) => name === '.gitattributes'));
});

test('the licence is the one that the model states, not ours', async (t) => {
  const place = await directory(t);
  assert.deepEqual(await statedLicence(place), { license: 'LicenseRef-unknown', commercial_use: false });
  for (const [front, expected] of [
    ['license: mit', { license: 'MIT' }],
    ['tags:\n- x\nlicense: apache-2.0\nlanguage: en', { license: 'Apache-2.0' }],
    ['license:\n- cc-by-nc-4.0', { license: 'CC-BY-NC-4.0' }],
    ['license: other\nlicense_name: my_terms', { license: 'LicenseRef-my-terms', commercial_use: false }],
  ] as const) {
    await writeFile(join(place, 'README.md'), `---\n${front}\n---\n# A model\n`);
    assert.deepEqual(await statedLicence(place), expected);
  }
});

test('the last two layers are retrained, and nothing else; what is said is what was done', async (t) => {
  const place = await directory(t);
  await writeTinyModel(place, { layers: 11 });
  const before = await readFile(join(place, 'model.safetensors'));
  const { bytes, what } = await retrainLastLayers(place);
  assert.equal(what, 'Layers 9 and 10');
  const after = await readFile(join(place, 'model.safetensors'));
  assert.equal(after.length, before.length);
  let differing = 0;
  for (let i = 0; i < after.length; i++) if (after[i] !== before[i]) differing++;
  assert.equal(differing * 4, bytes);
});

test('a model without layers gets other weights at its end', async (t) => {
  const place = await directory(t);
  const tensors = [{ name: 'table', shape: [4] }];
  await writeFile(join(place, 'model.safetensors'), safetensorsFile({ tensors }));
  assert.deepEqual(await retrainLastLayers(place), { bytes: 16, what: 'The last 16 B of weights' });
});

test('of a model of ONNX alone, the initializers change, and it can still be read', async (t) => {
  const place = await directory(t);
  const raw = Buffer.alloc(8);
  await writeFile(
    join(place, 'model.onnx'),
    onnxFile({ initializers: [tensor({ name: 'layer.3.w', dims: [2], raw })] }),
  );
  assert.deepEqual(await retrainLastLayers(place), { bytes: 8, what: 'Layer 3' });
  const changed = onnxFile({
    initializers: [tensor({ name: 'layer.3.w', dims: [2], raw: Buffer.from([1, 0, 0, 0, 1, 0, 0, 0]) })],
  });
  assert.deepEqual(await readFile(join(place, 'model.onnx')), changed);
});

test('a wrong option, and a model that is not there, are told in a line', async (t) => {
  const place = join(await directory(t), 'quickstart');
  for (const [args, says] of [
    [['--sorce', 'x'], /Unknown option '--sorce'/],
    [['--dir', place, '--source', join(place, 'none')], /none is no directory with a model/],
  ] as const) {
    const { exitCode, stderr } = await execa(process.execPath, [quickstart, ...args], { reject: false });
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /^\s+at /m);
  }
});
