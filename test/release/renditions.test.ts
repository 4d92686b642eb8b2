import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { test } from 'node:test';
import { totalSize } from '../../src/contract/fields.ts';
import type { Manifest } from '../../src/contract/manifest.ts';
import { formatBytes } from '../../src/core/format.ts';
import { ggufFile } from '../fixtures/gguf-file.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

const onnx = 'onnx/model.onnx';
const gguf = 'tiny.gguf';
/** Of 2 MB, beside which model.safetensors is small. */
const large = tensor({ name: 'large', dims: [500_000], raw: Buffer.alloc(2_000_000, 7) });
const graph = (seed: number): Buffer => onnxFile({ initializers: [tensor({ dims: [2], raw: Buffer.alloc(8, seed) })] });

async function manifestOf(workspace: ReleaseWorkspace): Promise<Manifest> {
  return (await workspace.readJson('release/manifest.json')) as Manifest;
}

async function spaces(workspace: ReleaseWorkspace): Promise<Readonly<Record<string, string>>> {
  const { models } = await manifestOf(workspace);
  return Object.fromEntries(models.alpha?.weights?.map(({ path, space }) => [path, space]) ?? []);
}

function configure(workspace: ReleaseWorkspace, release: string, version: string, changes: object = {}): Promise<void> {
  const models = { alpha: modelConfig('alpha', version, { ...changes }), beta: modelConfig('beta') };
  return workspace.configure({ release, models });
}

async function refused(workspace: ReleaseWorkspace): Promise<string> {
  const result = await workspace.run(['release']);
  assert.equal(result.exitCode, 3, result.stderr);
  return result.stderr;
}

const notesOf = async (workspace: ReleaseWorkspace): Promise<string> => {
  return ((await workspace.json(['notes'])) as { notes: string }).notes;
};

test('added ONNX is a patch; exchanged it needs a minor version, its space changes alone; taken away a major one', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  await workspace.json(['release']);
  const before = await spaces(workspace);
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(1), 'onnx/config.json': '{}' } });
  await configure(workspace, '1.1.0', '1.0.1');
  await workspace.json(['release']);
  const added = await spaces(workspace);
  assert.deepEqual(Object.keys(added), ['model.safetensors', onnx]);
  assert.equal(added['model.safetensors'], before['model.safetensors']);
  const told = await notesOf(workspace);
  assert.match(told, /onnx\/model\.onnx: new/);
  assert.match(
    told,
    /- \*\*alpha\*\*: model\.safetensors \([\d.]+ [kM]?B, the default\), onnx\/model\.onnx \([\d.]+ [kM]?B\); the archive with all of them has [\d.]+ [kM]?B\n/i,
  );

  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(2) } });
  await configure(workspace, '1.2.0', '1.0.2');
  assert.match(await refused(workspace), /need a minor one: onnx\/model\.onnx has another space[\s\S]*Write 1\.1\.0/);
  await configure(workspace, '1.2.0', '1.1.0');
  await workspace.json(['plan']);
  const packed = (await workspace.json(['pack', '--model', 'alpha'])) as { models: { weights: unknown }[] };
  assert.deepEqual(packed.models[0]?.weights, [
    { path: 'model.safetensors', default: true, space_change: 'same' },
    { path: onnx, space_change: 'changes' },
  ]);
  await workspace.json(['release']);
  const exchanged = await spaces(workspace);
  assert.equal(exchanged['model.safetensors'], added['model.safetensors']);
  assert.notEqual(exchanged[onnx], added[onnx]);
  const notes = await notesOf(workspace);
  assert.match(notes, /Indices built with alpha's onnx\/model\.onnx must be rebuilt/);
  assert.match(
    notes,
    /\| same for model\.safetensors \(default\), \*\*changed for onnx\/model\.onnx: rebuild indices\*\* \|\n/,
  );
  assert.match(
    notes,
    /- model\.safetensors \(default\): indices stay valid\n {2}- onnx\/model\.onnx: indices must be rebuilt/,
  );

  await rm(workspace.path('models/alpha', onnx));
  await workspace.writeModel('alpha', { seed: 1, files: { 'moved.onnx': graph(2) } });
  await configure(workspace, '1.3.0', '1.1.1');
  assert.match(await refused(workspace), /need a minor one: onnx\/model\.onnx is moved\.onnx now[\s\S]*Write 1\.2\.0/);
  await configure(workspace, '1.3.0', '1.2.0');
  await workspace.json(['release', '--dry-run']);
  assert.match(await notesOf(workspace), /- onnx\/model\.onnx → moved\.onnx: indices stay valid/);

  await rm(workspace.path('models/alpha', 'moved.onnx'));
  await configure(workspace, '1.3.0', '1.2.0');
  assert.match(await refused(workspace), /need a major one: onnx\/model\.onnx is gone[\s\S]*Write 2\.0\.0/);
});

test('another default is compared with the old one, and the old weights go on under their path', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(1) } });
  await workspace.json(['release']);
  const before = await spaces(workspace);
  await configure(workspace, '1.1.0', '2.0.0', { default_weights: onnx });
  await workspace.json(['release']);
  assert.deepEqual(await spaces(workspace), before);
  const { alpha } = (await manifestOf(workspace)).models;
  assert.equal(alpha?.embedding?.space, before[onnx]);
  assert.equal(alpha?.tensors?.parameters, 2);
  const notes = await notesOf(workspace);
  assert.match(
    notes,
    /Indices built with alpha's model\.safetensors → onnx\/model\.onnx \(default\) must be rebuilt[\s\S]*\| same for model\.safetensors and onnx\/model\.onnx, \*\*changed for model\.safetensors → onnx/,
  );
  assert.match(
    notes,
    /model\.safetensors → onnx\/model\.onnx \(default\): indices must be rebuilt\n {2}- model\.safetensors: indices stay valid\n {2}- onnx\/model\.onnx: indices stay valid/,
  );
});

test('models of ONNX alone and of GGUF alone go down the whole line', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  const paths = { alpha: onnx, beta: gguf } as const;
  await workspace.writeModel('alpha', { files: { [onnx]: graph(1) } });
  await workspace.writeModel('beta', { files: { [gguf]: ggufFile() } });
  for (const name of ['alpha', 'beta']) await rm(workspace.path('models', name, 'model.safetensors'));
  await workspace.configure({
    check: ['sh', '-c', 'ls "$MODEL_DIR"/*.gguf "$MODEL_DIR"/onnx/*.onnx 2>/dev/null | grep -q .'],
  });
  await workspace.json(['release']);
  const { models } = await manifestOf(workspace);
  for (const [name, path] of Object.entries(paths)) {
    const entry = models[name];
    assert.deepEqual(
      entry?.weights?.map((one) => [one.path, one.default]),
      [[path, true]],
    );
    assert.equal(entry?.embedding?.space, entry?.weights?.[0]?.space);
    assert.equal(entry?.embedding?.dimensions, 32);
  }
});

test('the notes tell what the default takes on disk, though the archive has more', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: onnxFile({ initializers: [large] }) } });
  await workspace.configure({ models: { alpha: modelConfig('alpha', '1.0.0', { default_weights: onnx }) } });
  await workspace.json(['release', '--dry-run']);
  const { alpha } = (await manifestOf(workspace)).models;
  const other = alpha?.weights?.find(({ path }) => path === 'model.safetensors')?.size_bytes ?? 0;
  const expected = totalSize(alpha?.files ?? []) - other;
  assert.match(await notesOf(workspace), new RegExp(`\\| \`alpha\` \\| 1\\.0\\.0 \\| ${formatBytes(expected)} \\|`));
});

test('plan tells of each of the weights whether indices stay valid, as far as it can without reading them', async (t) => {
  const workspace = await createReleaseWorkspace(t);
  const [safetensors, fp16] = ['model.safetensors', 'onnx/model_fp16.onnx'];
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(1), [fp16]: graph(3) } });
  const first = (await workspace.json(['plan'])) as PlanDocument;
  assert.deepEqual(first.models[0]?.weights, [], 'nobody has an index');
  await workspace.json(['release']);
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(2) } });
  await rm(workspace.path('models/alpha', fp16));
  await configure(workspace, '1.1.0', '2.0.0');

  const plan = async () => ((await workspace.json(['plan'])) as PlanDocument).models.map(({ weights }) => weights);
  const kept = { path: safetensors, default: true, space_change: 'same' };
  const unread = [
    { ...kept, space_change: 'unknown' },
    { path: onnx, space_change: 'unknown' },
    { path: fp16, space_change: 'gone' },
  ];
  const sorted = (weights: readonly { path: string }[] | undefined) => {
    return [...(weights ?? [])].sort((a, b) => (a.path < b.path ? -1 : 1));
  };
  const [alpha, beta] = await plan();
  assert.deepEqual(sorted(alpha), sorted(unread));
  assert.deepEqual(beta, [kept], 'what is carried forward stays as it is');
  const told = (await workspace.run(['plan'])).stdout;
  assert.match(told, /^alpha, model\.safetensors \(default\): `pack` will tell$/m);
  assert.match(told, /^alpha, onnx\/model_fp16\.onnx: gone/m);

  await workspace.writeModel('alpha', { seed: 1, files: { 'moved.onnx': graph(3) } });
  const moved = unread.map((one) => ({ ...one, space_change: 'unknown' }));
  assert.deepEqual(sorted((await plan())[0]), sorted(moved), 'it may be the one that is gone');
  await rm(workspace.path('models/alpha/moved.onnx'));
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(2) } });

  await workspace.json(['release', '--dry-run']);
  const packed = [kept, { path: onnx, space_change: 'changes' }, { path: fp16, space_change: 'gone' }];
  assert.deepEqual(sorted((await plan())[0]), sorted(packed), 'these files were packed here');
  assert.match((await workspace.run(['plan'])).stdout, /^alpha, onnx\/model\.onnx: indices must be rebuilt$/m);
  await workspace.writeModel('alpha', { seed: 1, files: { [onnx]: graph(5) } });
  assert.deepEqual(sorted((await plan())[0]), sorted(unread), 'these were not');
});

interface PlanDocument {
  readonly models: readonly { readonly weights: readonly { path: string }[] }[];
}
