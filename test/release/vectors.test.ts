import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { formatReferenceVectors, parseReferenceVectors } from '../../src/contract/reference-vectors.ts';
import { cosineDistance, vectorNorm } from '../../src/contract/vector-distance.ts';
import type { AircherError } from '../../src/core/errors.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { loadConfig } from '../../src/release/load-config.ts';
import { requirePackRecord } from '../../src/release/pack/pack-record.ts';
import { embedTexts } from '../../src/release/prove/embed-texts.ts';
import { requireVectors } from '../../src/release/prove/vectors-of-model.ts';
import { onnxFile, tensor } from '../fixtures/onnx-file.ts';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { configure, embed, entryOf, insideOf, refused, vectorsAt, vectorsScene } from './vectors-scene.ts';

describe('reference vectors in a release', () => {
  it('are made of the packed model, and stand on the host, in manifest, checksums, status and verify', async (t) => {
    const workspace = await vectorsScene(t);
    await workspace.json(['release']);
    const bytes = await readFile(workspace.path('mirror/models-v1.0.0/alpha.vectors.json'));
    const entry = await entryOf(workspace);
    assert.deepEqual(entry.reference, {
      size_bytes: bytes.length,
      sha256: sha256(bytes),
      download_urls: { mirror: 'http://127.0.0.1:9/models-v1.0.0/alpha.vectors.json' },
    });
    const { texts, sets, ...rest } = parseReferenceVectors(bytes, 'alpha');
    assert.deepEqual(rest, { model: 'alpha', version: '1.0.0', archive_sha256: entry.sha256, dimensions: 32 });
    assert.ok(texts.length >= 16 && texts.length <= 24);
    const { space } = entry.embedding ?? {};
    assert.deepEqual(
      sets.map(({ vectors, ...set }) => set),
      [{ weights: 'model.safetensors', space, tolerance: 1e-4, runtime: 'node, model.safetensors' }],
    );
    const isOne = (vector: Float32Array): boolean => Math.abs(vectorNorm(vector) - 1) < 1e-6;
    assert.deepEqual(
      texts.filter((_, at) => !isOne(sets[0]!.vectors[at]!)).map(({ id }) => id),
      ['empty'],
    );
    assert.match(
      await readFile(workspace.path('release/checksums.sha256'), 'utf8'),
      new RegExp(`^${sha256(bytes)} {2}alpha\\.vectors\\.json$`, 'm'),
    );
    assert.match(JSON.stringify(await workspace.json(['status', 'models-v1.0.0'])), /alpha\.vectors\.json/);
    assert.match((await workspace.run(['bill'])).stdout, new RegExp(sha256(bytes)));
    await workspace.json(['validate']);
    await workspace.json(['verify', 'models-v1.0.0']);
    await writeFile(workspace.path('mirror/models-v1.0.0/alpha.vectors.json'), `${bytes.toString()} `);
    const { exitCode, stderr } = await workspace.run(['verify', 'models-v1.0.0']);
    assert.deepEqual([exitCode, /alpha\.vectors\.json: is different/.test(stderr)], [4, true]);
  });

  it('repeat texts for the first four prompts by name, and other weights have sets of their own', async (t) => {
    const onnx = onnxFile({ initializers: [tensor({ dims: [2], raw: Buffer.alloc(8, 1) })] });
    const prompts = { e: 'e: ', d: 'd: ', c: 'c: ', b: '', a: 'a: ' };
    const reference = { command: embed(), tolerance: 0.001, weights: { 'onnx/model.onnx': { tolerance: 0.01 } } };
    const workspace = await vectorsScene(t, { reference }, { prompts, files: { 'onnx/model.onnx': onnx } });
    for (const step of ['plan', 'pack']) await workspace.json([step]);
    const proved = await workspace.json(['prove']);
    await workspace.json(['manifest']);
    const { models } = proved as { models: { reference: { texts: number; weights: string[] } }[] };
    assert.deepEqual(models[0]?.reference.weights, ['model.safetensors', 'onnx/model.onnx']);
    const { texts, sets } = await vectorsAt(workspace);
    assert.equal(texts.length, models[0]?.reference.texts);
    assert.deepEqual([...new Set(texts.map(({ prompt }) => prompt))], [null, 'a', 'b', 'c', 'd']);
    const entry = await entryOf(workspace, 'release/manifest.json');
    assert.deepEqual(
      sets.map(({ weights, space, tolerance }) => ({ weights, space, tolerance })),
      entry.weights?.map(({ path, space }, at) => ({ weights: path, space, tolerance: [0.001, 0.01][at] })),
    );
    const vector = (prompt: string | null): Float32Array =>
      sets[0]!.vectors[texts.findIndex((one) => one.text.startsWith('A small dog') && one.prompt === prompt)]!;
    assert.ok(cosineDistance(vector(null), vector('a')) > 1e-4);
    assert.equal(cosineDistance(vector(null), vector('b')), 0);
  });

  it('are of the texts that release.json names, which must fit the model', async (t) => {
    const reference = { command: embed(), texts: 'manifests/texts.json' };
    const workspace = await vectorsScene(t, { reference }, { prompts: { query: 'query: ' } });
    await refused(workspace, ['release'], /\$\.models\.alpha\.reference\.texts: manifests\/texts\.json is not there/);
    const write = (texts: unknown) => writeFile(workspace.path('manifests/texts.json'), JSON.stringify(texts));
    for (const [texts, said] of [
      [{}, /manifests\/texts\.json \$: must be an array/],
      [[], /must not be empty/],
      [[{ id: 'a' }], /manifests\/texts\.json \$\[0\]\.text: is missing/],
      [[{ id: 'a', text: 'x', prompt: 'quest' }], /"a" has the prompt "quest", which the model doesn't have/],
      [
        [
          { id: 'a', text: 'x' },
          { id: 'a', text: 'y' },
        ],
        /has an id twice/,
      ],
    ] as const) {
      await write(texts);
      const { exitCode, stderr } = await workspace.run(['release']);
      assert.equal(exitCode, 3, stderr);
      assert.match(stderr, said);
    }
    await write([
      { id: 'a', text: 'x' },
      { id: 'b', text: 'x', prompt: 'query' },
    ]);
    await workspace.json(['release']);
    assert.deepEqual((await vectorsAt(workspace)).texts, [
      { id: 'a', text: 'x', prompt: null },
      { id: 'b', text: 'x', prompt: 'query' },
    ]);
    await configure(workspace, { reference: { command: embed(), weights: { 'model.safetensor': {} } } });
    await refused(workspace, ['release'], /are no weights of the model\n.*Did you mean "model\.safetensors"/);
    await configure(workspace, { reference: undefined, keep_space: true });
    await refused(workspace, ['plan'], /\$\.models\.alpha\.keep_space: needs "reference"/);
    await configure(workspace, { reference: { comand: ['x'] } });
    await refused(workspace, ['plan'], /unknown key "comand"[\s\S]*Did you mean "command"/);
  });

  it('stay with the version that is carried forward, and wait for the next one where they are new', async (t) => {
    const workspace = await vectorsScene(t);
    await workspace.json(['release']);
    const first = await entryOf(workspace);
    await configure(workspace, { release: '1.0.1', version: '1.0.0', reference: undefined });
    await workspace.json(['release']);
    assert.deepEqual(await entryOf(workspace), first);
    assert.deepEqual(
      (await readdir(workspace.path('mirror/models-v1.0.1'))).filter((name) => name.startsWith('alpha')),
      [],
    );
    const without = await vectorsScene(t, { reference: undefined });
    await without.json(['release']);
    await configure(without, { release: '1.0.1', version: '1.0.0' });
    await without.json(['release']);
    assert.equal((await entryOf(without)).reference, undefined);
    await without.writeModel('alpha', { seed: 2 });
    await configure(without, { release: '1.1.0' });
    await without.json(['release']);
    assert.equal((await entryOf(without)).reference?.download_urls.mirror?.includes('models-v1.1.0'), true);
  });

  it('are wanted where they were published: a host that lost them gets the model again', async (t) => {
    const workspace = await vectorsScene(t);
    await workspace.json(['release']);
    await rm(workspace.path('mirror/models-v1.0.0/alpha.vectors.json'));
    await configure(workspace, { release: '1.0.1', version: '1.0.0' });
    const result = await workspace.run(['plan']);
    assert.match(`${result.stdout}${result.stderr}`, /alpha\.vectors\.json/);
  });
});

describe('the command that embeds', () => {
  for (const [what, command, said] of [
    [
      'fails',
      embed('fail'),
      /embedding with alpha 1\.0\.0, model\.safetensors failed \(exit code 7\):\n.*no such library/,
    ],
    ['prints garbage', embed('garbage'), /the command of "reference" for alpha .* printed: not valid JSON/],
    ['prints too few vectors', embed('few'), /23 vectors for 24 texts/],
    ['prints vectors of another length', embed('narrow'), /they have 31 dimensions, the model has 32/],
    ['makes NaN', embed('nan'), /the text "short" has NaN in its vector/],
    ['makes a zero vector of words', embed('zero'), /the text "short" has a zero vector/],
    ['makes one vector of all texts', embed('constant'), /the command gives all 22 texts the same vector/],
    ['does not normalise', embed('long'), /the model normalises, but "word" has the length/],
    ['prints without end', ['yes'], /failed \(printed more than 67\.1 MB\)/],
  ] as const) {
    it(`stops the release where it ${what}, with its words and a remedy`, async (t) => {
      const workspace = await vectorsScene(t, { reference: { command } });
      await refused(workspace, ['release'], said);
      await assert.rejects(readdir(workspace.path('mirror')), { code: 'ENOENT' });
      await refused(workspace, ['manifest'], /alpha is not proved/);
    });
  }

  it('is ended at its limit', { timeout: 120_000 }, async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const model = {
      name: 'alpha',
      version: '1.0.0',
      path: workspace.path('models/alpha'),
      weights: 'model.safetensors',
    };
    const embedding = { kind: 'dense', max_tokens: null, pooling: null, similarity: null } as const;
    const facts = { ...model, embedding: { ...embedding, prompts: {}, default_prompt_name: null } };
    const texts = [{ id: 'a', text: 'x'.repeat(500_000), prompt: null }];
    await assert.rejects(embedTexts(embed('never'), texts, facts, insideOf(workspace), 1500), {
      code: 'invalid',
      message: 'embedding with alpha 1.0.0, model.safetensors failed (not done after 2 s)',
    });
  });

  it('that embeds the same model in another way than before is told', async (t) => {
    const workspace = await vectorsScene(t);
    await workspace.json(['release']);
    await configure(workspace, { release: '1.0.1', reference: { command: embed('noise', '0.5') } });
    await writeFile(workspace.path('models/alpha/README.md'), '---\nlicense: apache-2.0\n---\nOther words.\n');
    for (const step of ['plan', 'pack']) await workspace.json([step]);
    const normal = await workspace.run(['prove']);
    assert.match(normal.stderr, /the model normalises/, 'so much noise is another length');
    await configure(workspace, { release: '1.0.1', reference: { command: embed('noise', '0.005'), tolerance: 1e-6 } });
    await workspace.json(['plan']);
    const { exitCode, stderr } = await workspace.run(['prove']);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /alpha does what 1\.0\.0 did, by its fingerprints, but its vectors are up to [\d.e-]+ away/);
  });

  it('gets the model and its weights by name, and no secret', { skip: process.platform === 'win32' }, async (t) => {
    const command = ['sh', '-c', 'env > seen; exec "$0" "$@"', ...embed()];
    const workspace = await vectorsScene(t, { reference: { command } });
    for (const step of ['plan', 'pack']) await workspace.json([step]);
    const env = { HF_TOKEN: 'canary', GITHUB_TOKEN: 'canary', AIRCHER_SIGNING_PASSWORD: 'canary' };
    const result = await workspace.run(['prove'], { env });
    assert.equal(result.exitCode, 0, result.stderr);
    const seen = await readFile(workspace.path('seen'), 'utf8');
    assert.match(seen, /^MODEL_NAME=alpha$/m);
    assert.match(seen, /^MODEL_VERSION=1\.0\.0$/m);
    assert.match(seen, /^MODEL_DIR=\/.*\/alpha$/m);
    assert.match(seen, /^MODEL_WEIGHTS=model\.safetensors$/m);
    assert.doesNotMatch(seen, /canary/);
  });
});

describe('vectors that another machine handed on', () => {
  it('are believed to be numbers, and nothing else', async (t) => {
    const workspace = await vectorsScene(t);
    for (const step of ['plan', 'pack', 'prove']) await workspace.json([step]);
    const here = insideOf(workspace);
    const record = await requirePackRecord('alpha', '1.0.0', here);
    const config = (await loadConfig(here)).config.models.alpha!;
    const path = workspace.path('release/alpha.vectors.json');
    const good = await readFile(path, 'utf8');
    const vectors = await vectorsAt(workspace);
    const [set] = vectors.sets;
    const digest = '0'.repeat(64);
    const other = (change: object): string => formatReferenceVectors({ ...vectors, ...change });
    const otherSet = (change: object): string => other({ sets: [{ ...set, ...change }] });
    const longer = set!.vectors.map((vector) => vector.map((number) => number * 2));
    for (const [what, content] of Object.entries({
      nothing: '',
      'no JSON': '\0'.repeat(100),
      'endless nesting': '['.repeat(100_000),
      'another name': other({ model: 'beta' }),
      'another version': other({ version: '1.0.1' }),
      'another archive': other({ archive_sha256: digest }),
      'a text less': other({ texts: vectors.texts.slice(1), sets: [{ ...set, vectors: set!.vectors.slice(1) }] }),
      'another text': other({ texts: vectors.texts.map((text) => ({ ...text, text: `${text.text}!` })) }),
      'an id that is a path': other({ texts: vectors.texts.map((text, at) => ({ ...text, id: `../${at}` })) }),
      'wrong rows': otherSet({ vectors: set!.vectors.slice(1) }),
      'other dimensions': other({
        dimensions: 31,
        sets: [{ ...set, vectors: set!.vectors.map((vector) => vector.slice(1)) }],
      }),
      NaN: otherSet({ vectors: set!.vectors.map((vector) => vector.map(() => Number.NaN)) }),
      'no unit length': otherSet({ vectors: longer }),
      'other weights': otherSet({ weights: '../../etc/passwd' }),
      'another space': otherSet({ space: digest }),
      'another tolerance': otherSet({ tolerance: 1 }),
      'a set more': other({ sets: [set, { ...set, weights: 'more' }] }),
      'a member more': good.replace('{', '{ "download_urls": {},'),
      'another form': JSON.stringify(JSON.parse(good)),
    })) {
      await writeFile(path, content);
      await assert.rejects(
        requireVectors(config, record, null, here),
        (error: AircherError) => error.code === 'invalid' && error.message.includes('alpha.vectors.json'),
        what,
      );
    }
    await truncate(path, 300e9);
    await refused(workspace, ['manifest'], /300000000000 bytes is more than the limit/);
    await rm(path);
    await refused(workspace, ['manifest'], /alpha has no reference vectors yet\n.*aircher-models prove --model alpha/);
    await writeFile(path, good);
    await workspace.json(['manifest']);
    const proof = workspace.path('release/alpha.proof.json');
    await writeFile(proof, (await readFile(proof, 'utf8')).replace('embed-command.mjs', 'other.mjs'));
    await refused(workspace, ['manifest'], /alpha\.proof\.json is not of alpha 1\.0\.0/);
  });

  it('change nothing of a manifest that is written: publish wants them as they were', async (t) => {
    const workspace = await vectorsScene(t);
    for (const step of ['plan', 'pack', 'prove', 'manifest', 'checksums', 'notes']) await workspace.json([step]);
    const vectors = await vectorsAt(workspace);
    const [set] = vectors.sets;
    const text = formatReferenceVectors({ ...vectors, sets: [{ ...set!, runtime: 'another' }] });
    await writeFile(workspace.path('release/alpha.vectors.json'), text);
    await refused(workspace, ['publish'], /manifest\.json: is not what the plan and the packed models make/);
    const manifest = (await workspace.readJson('release/manifest.json')) as Manifest;
    assert.notEqual(manifest.models.alpha?.reference?.sha256, sha256(text));
  });
});
