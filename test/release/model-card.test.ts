import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import type { ManifestModel } from '../../src/contract/manifest.ts';
import type { ReleaseConfig } from '../../src/contract/release-config.ts';
import { composeModelCard } from '../../src/release/documents/model-card.ts';
import { createPublishScene, repository } from './publish-scene.ts';

const tag = 'models-v1.0.0';
const config = { namespace: 'test', huggingface: { repository, raw_files: true } } as ReleaseConfig;

function entry(paths: readonly string[], embedding: ManifestModel['embedding'] = {}): ManifestModel {
  const digest = 'a'.repeat(64);
  return {
    version: '1.0.0',
    size_bytes: 1,
    sha256: digest,
    download_urls: { mirror: 'https://models.example.org/x' },
    files: paths.map((path) => ({ path, size_bytes: 1, sha256: digest })),
    embedding,
  };
}

/** The Python programs of a card. */
function programs(card: string): readonly string[] {
  return [...card.matchAll(/```python\n([\s\S]*?)```\n/g)].map(([, program]) => program ?? '');
}

describe("the model card's program", () => {
  it('is that of sentence-transformers where the model says how its vectors are made, with a prompt where it has some', () => {
    const card = composeModelCard(
      config,
      {
        alpha: entry(['modules.json', 'config.json'], { pooling: 'mean', prompts: { none: '', query: 'query: ' } }),
        beta: entry(['modules.json'], { pooling: 'cls' }),
      },
      tag,
    );
    const [program = '', ...others] = programs(card);
    assert.deepEqual(others, []);
    assert.match(
      program,
      /snapshot_download\("acme\/models", revision="models-v1\.0\.0", allow_patterns="alpha\/\*"\)/,
    );
    assert.match(program, /SentenceTransformer\(f"\{folder\}\/alpha"\)/);
    assert.match(program, /encode\(\["A text"\], prompt_name="query"\)/);
    assert.doesNotMatch(program, /AutoModel|"none"/);
  });

  it('pools and normalises by hand only where there is no modules.json', () => {
    const facts = { pooling: 'cls', normalized: true, max_tokens: 512 };
    const models = {
      alpha: entry(['modules.json']),
      bare: entry(['config.json'], facts),
      guess: entry(['config.json']),
    };
    const [library = '', byHand = '', ...others] = programs(composeModelCard(config, models, tag));
    assert.deepEqual(others, []);
    assert.match(
      library,
      /^model = SentenceTransformer\(f"\{folder\}\/alpha"\)\nvectors = model\.encode\(\["A text"\]\)$/m,
    );
    assert.match(byHand, /AutoModel\.from_pretrained\(f"\{folder\}\/bare"\)/);
    assert.match(byHand, /max_length=512/);
    assert.match(byHand, /^vectors = tokens\[:, 0\]\nvectors = torch\.nn\.functional\.normalize\(vectors\)$/m);
    const [mean = ''] = programs(composeModelCard(config, { guess: models.guess }, tag));
    assert.match(mean, /\* mask\)\.sum\(1\) \/ mask\.sum\(1\)$/m);
    assert.doesNotMatch(mean, /normalize/);
    const unknown = { odd: entry(['config.json'], { pooling: 'weightedmean' }) };
    assert.deepEqual(programs(composeModelCard(config, unknown, tag)), [], 'nothing rather than other vectors');
  });

  it('makes the vectors that the model makes', {
    skip: process.env.AIRCHER_TEST_ST_PYTHON === undefined,
  }, async (t) => {
    const python = process.env.AIRCHER_TEST_ST_PYTHON ?? '';
    for (const pooling of ['mean', 'cls', 'max', 'lasttoken'] as const) {
      for (const withModules of [true, false]) {
        const normalize = pooling !== 'max';
        const scene = await createPublishScene(t);
        const library = { prompts: { query: 'word7 word8: ' }, default_prompt_name: null };
        const files = {
          'config_sentence_transformers.json': `${JSON.stringify(library)}\n`,
          // The library makes its own of vocab.txt: the small model's is not whole.
          'tokenizer.json': undefined,
          ...(withModules ? {} : { 'modules.json': undefined }),
        };
        await rm(scene.workspace.path('models/alpha'), { recursive: true });
        await scene.workspace.writeModel('alpha', { seed: 1, pooling, normalize, files });
        const released = await scene.start(['release']);
        assert.equal(released.exitCode, 0, String(released.stderr));
        const manifest = JSON.parse(await readFile(scene.workspace.path('release/manifest.json'), 'utf8'));
        // The gate finds no pooling without modules.json; a manifest that says it is taken at its
        // word.
        if (!withModules) Object.assign(manifest.models.alpha.embedding, { pooling, normalized: normalize });
        const [program = ''] = programs(composeModelCard(config, { alpha: manifest.models.alpha }, tag));
        const texts = '["word6 word9 word10", "word7"]';
        const expected = [
          'from sentence_transformers import SentenceTransformer, models',
          `folder = "${scene.workspace.path('models/alpha')}"`,
          withModules
            ? 'model = SentenceTransformer(folder)'
            : `t = models.Transformer(folder); model = SentenceTransformer(modules=[t, models.Pooling(t.get_word_embedding_dimension(), pooling_mode="${pooling}")${normalize ? ', models.Normalize()' : ''}])`,
          `expected = model.encode(${texts}${withModules ? ', prompt_name="query"' : ''})`,
          'import numpy',
          'print(float(numpy.abs(numpy.asarray(vectors) - expected).max()), numpy.asarray(vectors).shape)',
        ];
        const run = await execa(python, ['-'], {
          input: [program.replace('["A text"]', texts), ...expected].join('\n'),
          env: { HF_ENDPOINT: scene.hub.url, HF_HOME: scene.workspace.path('hf'), HF_HUB_DISABLE_TELEMETRY: '1' },
          reject: false,
        });
        assert.equal(run.exitCode, 0, run.stderr);
        const [, difference, shape] = /^(\S+) (.*)$/m.exec(run.stdout) ?? [];
        assert.ok(Number(difference) < 1e-6, run.stdout);
        assert.equal(shape, '(2, 32)');
        await scene.close();
      }
    }
  });
});
