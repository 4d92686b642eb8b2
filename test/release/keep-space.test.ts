import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import type { ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { configure, embed, entryOf, refused, vectorsAt, vectorsScene } from './vectors-scene.ts';

/** A release with vectors, whose next version may keep its space. */
async function released(t: TestContext): Promise<ReleaseWorkspace> {
  const workspace = await vectorsScene(t);
  await workspace.json(['release']);
  return workspace;
}

/**
 * Adds to the first number of each token's vector: with unit vectors of 32 numbers of about 0.06,
 * 1 − cosine grows by about 150 × the square of `amount`.
 */
async function shift(workspace: ReleaseWorkspace, amount: number): Promise<void> {
  const path = workspace.path('models/alpha/model.safetensors');
  const bytes = await readFile(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const tensor = JSON.parse(bytes.toString('utf8', 8, start))['embeddings.word_embeddings.weight'];
  const [rows, width] = tensor.shape as [number, number];
  for (let row = 0; row < rows; row++) {
    const at = start + tensor.data_offsets[0] + row * width * 4;
    bytes.writeFloatLE(bytes.readFloatLE(at) + amount, at);
  }
  await writeFile(path, bytes);
}

const notesOf = (workspace: ReleaseWorkspace): Promise<string> =>
  readFile(workspace.path('release/RELEASE_NOTES.md'), 'utf8');

describe('keep_space', () => {
  it('keeps the space where the vectors of its origin come out equal, and the manifest says by how much', async (t) => {
    const workspace = await released(t);
    const first = await entryOf(workspace);
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.1.0', keep_space: true });
    const planned = (await workspace.run(['plan'])).stdout;
    assert.match(planned, /^alpha: `prove` will measure whether the space is kept, so that indices stay valid$/m);
    const { models } = (await workspace.json(['pack'])) as { models: { space?: string; weights: object[] }[] };
    const unknown = { path: 'model.safetensors', default: true, space_change: 'unknown' };
    assert.deepEqual([models[0]?.space, models[0]?.weights], [undefined, [unknown]], 'vectors must tell');
    await workspace.json(['release']);
    const entry = await entryOf(workspace);
    assert.notEqual(entry.fingerprints?.weights, first.fingerprints?.weights);
    assert.equal(entry.embedding?.space, first.embedding?.space);
    assert.equal(entry.weights?.[0]?.space, first.embedding?.space);
    const { origin, max_cosine_distance: distance, texts } = entry.space_evidence!;
    assert.deepEqual(origin, { version: '1.0.0', release: 'models-v1.0.0', sha256: first.reference?.sha256 });
    assert.ok(distance > 1e-8 && distance < 1e-4 && texts === 24, `${distance} over ${texts}`);
    const notes = await notesOf(workspace);
    assert.doesNotMatch(notes, /must be rebuilt/);
    assert.match(
      notes,
      /indices stay valid: the reference vectors of 1\.0\.0 come out within .*\(1 − cosine, 24 texts\)/,
    );
    assert.match(notes, /largest distance of vectors from those of 1\.0\.0, over 24 texts: model\.safetensors /);
    const plan = (await workspace.run(['plan'])).stdout;
    assert.match(plan, /alpha: largest distance of vectors from those of 1\.0\.0/);
    assert.match(plan, /alpha, model\.safetensors \(default\): indices stay valid/);
    assert.equal((await vectorsAt(workspace)).sets[0]?.space, first.embedding?.space);

    // What comes after with the same fingerprints goes on having the evidence.
    await writeFile(workspace.path('models/alpha/README.md'), '---\nlicense: apache-2.0\n---\nOther words.\n');
    await configure(workspace, { release: '1.1.1' });
    await workspace.json(['release']);
    assert.deepEqual((await entryOf(workspace)).space_evidence, entry.space_evidence);
    assert.equal((await entryOf(workspace)).embedding?.space, first.embedding?.space);

    // Without the word, other weights are another space.
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.2.0' });
    await workspace.json(['release']);
    assert.notEqual((await entryOf(workspace)).embedding?.space, first.embedding?.space);
    assert.equal((await entryOf(workspace)).space_evidence, undefined);
    assert.match(await notesOf(workspace), /must be rebuilt[\s\S]*largest distance of vectors from those of 1\.1\.1/);
  });

  it('stops the release with the numbers where vectors differ; that it needs a minor version, plan tells', async (t) => {
    const workspace = await released(t);
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.0.1', keep_space: true });
    await refused(workspace, ['plan'], /keep_space: other weights need a minor version[\s\S]*Write 1\.1\.0; or take/);
    await shift(workspace, 0.02);
    await configure(workspace, { release: '1.1.0', keep_space: true });
    const said = await refused(workspace, ['release'], /the space of alpha 1\.0\.0 can't be kept: over 24 texts/);
    assert.match(said, /model\.safetensors has a distance of 0\.0\d+ \(text "[a-z-]+"\), allowed are 0\.0001/);
    assert.match(said, /Take "keep_space" out of release\.json/);
    await workspace.writeModel('alpha', { seed: 1, hidden: 16 });
    await configure(workspace, { release: '2.0.0', keep_space: true });
    await refused(workspace, ['release'], /can't be kept: "dimensions" is 16, was 32/);
  });

  it('a wide tolerance of runtimes is no wide space, and a narrow one is held', async (t) => {
    const workspace = await vectorsScene(t, { reference: { command: embed(), tolerance: 0.5 } });
    await workspace.json(['release']);
    await shift(workspace, 0.02);
    await configure(workspace, { release: '1.1.0', keep_space: true });
    await refused(workspace, ['release'], /allowed are 0\.0001/);
    const narrow = await vectorsScene(t, { reference: { command: embed(), tolerance: 1e-9 } });
    await narrow.json(['release']);
    await shift(narrow, 1e-4);
    await configure(narrow, { release: '1.1.0', keep_space: true });
    await refused(narrow, ['release'], /allowed are 1e-9/);
  });

  it('is refused after a version without vectors, and the remedy works', async (t) => {
    const workspace = await vectorsScene(t, { reference: undefined });
    await workspace.json(['release']);
    const { embedding } = await entryOf(workspace);
    await cp(workspace.path('models/alpha'), workspace.path('published'), { recursive: true });
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.1.0', keep_space: true });
    await refused(workspace, ['plan'], /\$\.models\.alpha\.keep_space: alpha 1\.0\.0 has no reference vectors/);
    await cp(workspace.path('models/alpha'), workspace.path('new'), { recursive: true });
    await rm(workspace.path('models/alpha'), { recursive: true });
    await cp(workspace.path('published'), workspace.path('models/alpha'), { recursive: true });
    await configure(workspace, { release: '1.0.1' });
    await workspace.json(['release']);
    await cp(workspace.path('new'), workspace.path('models/alpha'), { recursive: true });
    await configure(workspace, { release: '1.1.0', keep_space: true });
    await workspace.json(['release']);
    const entry = await entryOf(workspace);
    assert.deepEqual([entry.embedding?.space, entry.space_evidence?.origin.version], [embedding?.space, '1.0.1']);
  });

  it('a chain of versions is measured from its origin, so that small steps do not add up', async (t) => {
    const workspace = await released(t);
    const first = await entryOf(workspace);
    const distances: number[] = [];
    for (let minor = 1; minor <= 10; minor++) {
      await shift(workspace, 5e-5);
      await configure(workspace, { release: `1.${minor}.0`, keep_space: true });
      await workspace.json(['release']);
      const { embedding, space_evidence: evidence } = await entryOf(workspace);
      assert.equal(embedding?.space, first.embedding?.space);
      assert.equal(evidence?.origin.sha256, first.reference?.sha256);
      distances.push(evidence!.max_cosine_distance);
    }
    assert.ok(
      distances.every((distance, at) => at === 0 || distance > distances[at - 1]!),
      distances.join(' '),
    );
    // As far from the last version as a step before would have been allowed to be.
    await shift(workspace, 3.5e-4);
    await configure(workspace, { release: '1.11.0', keep_space: true });
    await refused(workspace, ['release'], /the space of alpha 1\.0\.0 can't be kept: over 24 texts/);
    const last = await vectorsAt(workspace, 'mirror/models-v1.10.0/alpha.vectors.json');
    assert.equal(last.sets[0]?.space, first.embedding?.space);
  });

  it('texts of the origin are embedded too where the texts are others by now', async (t) => {
    const workspace = await released(t);
    await shift(workspace, 1e-4);
    await writeFile(workspace.path('manifests/texts.json'), JSON.stringify([{ id: 'own', text: 'of our own' }]));
    const reference = { command: embed(), texts: 'manifests/texts.json' };
    await configure(workspace, { release: '1.1.0', keep_space: true, reference });
    await workspace.json(['release']);
    assert.equal((await entryOf(workspace)).space_evidence?.texts, 24);
    const ids = (await vectorsAt(workspace)).texts.map(({ id }) => id);
    assert.deepEqual([ids[0], ids[2], ids.length], ['own', '1.0.0:short', 25]);

    const few = await vectorsScene(t, { reference });
    await writeFile(few.path('manifests/texts.json'), JSON.stringify([{ id: 'own', text: 'of our own' }]));
    await few.json(['release']);
    await shift(few, 1e-4);
    await configure(few, { release: '1.1.0', keep_space: true });
    const said =
      /1\.0\.0 was tried on 1 text, 1 of them with a vector of its own \(model\.safetensors\), and less than 16/;
    await refused(few, ['release'], said);
  });

  it('counts only texts with a vector of their own as evidence, and the remedy works', async (t) => {
    const texts = (count: number) => [
      ...Array.from({ length: 40 }, (_, at) => ({ id: `equal ${at}`, text: 'a'.repeat(at + 1) })),
      ...Array.from({ length: count }, (_, at) => ({
        id: `other ${at}`,
        text: 'bcdefghijklmnopqrst'.slice(0, at + 1),
      })),
    ];
    const reference = { command: embed(), texts: 'manifests/texts.json' };
    const workspace = await vectorsScene(t, { reference });
    const write = (count: number) => writeFile(workspace.path('manifests/texts.json'), JSON.stringify(texts(count)));
    await write(14);
    await workspace.json(['release']);
    const { embedding } = await entryOf(workspace);
    await cp(workspace.path('models/alpha'), workspace.path('published'), { recursive: true });
    await shift(workspace, 1e-4);
    await write(19);
    await configure(workspace, { release: '1.1.0', keep_space: true, reference });
    const said = await refused(
      workspace,
      ['release'],
      /1\.0\.0 was tried on 54 texts, 15 of them with a vector of its own/,
    );
    assert.match(said, /Or release the files of 1\.0\.0 once more under the next patch version/);

    await cp(workspace.path('published'), workspace.path('models/alpha'), { recursive: true });
    await configure(workspace, { release: '1.0.1', reference });
    await workspace.json(['release']);
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.1.0', keep_space: true, reference });
    await workspace.json(['release']);
    const entry = await entryOf(workspace);
    assert.deepEqual([entry.embedding?.space, entry.space_evidence?.origin.version], [embedding?.space, '1.0.1']);
  });

  it('speaks for other weights that were embedded too, and for no others', async (t) => {
    const graph = (seed: number): Buffer =>
      onnxFile({ initializers: [tensor({ dims: [2], raw: Buffer.alloc(8, seed) })] });
    const files = (seed: number) => ({ 'a.onnx': graph(seed), 'b.onnx': graph(seed + 10) });
    const reference = { command: embed(), weights: { 'a.onnx': {} } };
    const workspace = await vectorsScene(t, { reference }, { files: files(1) });
    await workspace.json(['release']);
    const spaces = async () =>
      Object.fromEntries((await entryOf(workspace)).weights!.map((one) => [one.path, one.space]));
    const before = await spaces();
    await workspace.writeModel('alpha', { seed: 1, files: files(2) });
    await configure(workspace, { release: '1.1.0', keep_space: true, reference });
    await workspace.json(['release']);
    const after = await spaces();
    assert.equal(after['a.onnx'], before['a.onnx']);
    assert.equal(after['model.safetensors'], before['model.safetensors']);
    assert.notEqual(after['b.onnx'], before['b.onnx']);

    // Kept by evidence, it stays while its files do.
    await workspace.writeModel('alpha', { seed: 1, files: { ...files(2), 'b.onnx': graph(30) } });
    await configure(workspace, { release: '1.2.0', reference });
    await workspace.json(['release']);
    assert.equal((await spaces())['a.onnx'], before['a.onnx']);
  });

  it('is measured by what plan brought: without that, or with something else, nothing is kept', async (t) => {
    const workspace = await released(t);
    await shift(workspace, 1e-4);
    await configure(workspace, { release: '1.1.0', keep_space: true });
    for (const step of ['plan', 'pack', 'prove']) await workspace.json([step]);
    const path = workspace.path('release/earlier/alpha-1.0.0.vectors.json');
    const bytes = await readFile(path);
    await rm(path);
    for (const step of ['manifest', 'prove']) {
      await refused(workspace, [step], /no host has the reference vectors of alpha 1\.0\.0 \(models-v1\.0\.0\)/, 5);
    }
    await writeFile(path, `${bytes} `);
    await refused(workspace, ['prove'], /alpha-1\.0\.0\.vectors\.json is not what was published/, 4);
    await workspace.json(['release']);
    assert.deepEqual(await readFile(path), bytes);
  });
});
