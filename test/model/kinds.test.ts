import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { safetensorsFile, type TinyModelOptions, tinyModelFiles } from '../fixtures/tiny-model.ts';
import { inspectTiny, told } from './inspecting.ts';

function changed(path: string, members: Readonly<Record<string, unknown>>) {
  const json = JSON.parse(tinyModelFiles().get(path)?.toString() ?? '{}') as object;
  return { [path]: JSON.stringify({ ...json, ...members }) };
}

const library = 'config_sentence_transformers.json';
const alone = { 'modules.json': undefined, '1_Pooling/config.json': undefined, [library]: undefined };

async function factsOf(context: TestContext, files: TinyModelOptions['files'], options: TinyModelOptions = {}) {
  const { facts, ...inspected } = await inspectTiny(context, { ...options, files });
  return { ...facts.embedding, told: told(inspected) };
}

function modulesOf(...types: readonly (readonly [type: string, path: string])[]): { readonly 'modules.json': string } {
  return { 'modules.json': JSON.stringify(types.map(([type, path], idx) => ({ idx, name: String(idx), path, type }))) };
}

const transformer = ['sentence_transformers.models.Transformer', ''] as const;

test('without modules.json the class that the weights were saved as tells the kind; only dense models have dimensions', async (context) => {
  const kinds: readonly (readonly [string, string])[] = [
    ['BertModel', 'dense'],
    ['BertForSequenceClassification', 'reranker'],
    ['HF_ColBERT', 'multi-vector'],
    ['ColPaliForRetrieval', 'multi-vector'],
    ['BertForMaskedLM', 'unknown'],
    ['Qwen3ForCausalLM', 'unknown'],
  ];
  for (const [architecture, kind] of kinds) {
    const facts = await factsOf(context, { ...alone, ...changed('config.json', { architectures: [architecture] }) });
    assert.equal(facts.kind, kind, architecture);
    assert.equal(facts.dimensions, kind === 'dense' ? 32 : undefined, architecture);
    assert.equal('normalized' in facts, kind === 'dense');
    const guesses = kind === 'dense' || kind === 'unknown';
    assert.equal(
      facts.told.some((line) => line.includes('has no modules.json')),
      guesses,
      architecture,
    );
  }
});

test('old cross-encoders are known by their activation in config.json', async (context) => {
  for (const mark of [
    { sbert_ce_default_activation_function: 'torch.nn.modules.linear.Identity' },
    { sentence_transformers: { activation_fn: 'torch.nn.modules.activation.Sigmoid', version: '4.0.1' } },
  ]) {
    const facts = await factsOf(context, {
      ...alone,
      ...changed('config.json', { architectures: undefined, ...mark }),
    });
    assert.deepEqual([facts.kind, facts.similarity, facts.told], ['reranker', null, []]);
  }
});

test("the library's config tells the kind before the modules do", async (context) => {
  for (const [type, kind, similarity] of [
    ['SentenceTransformer', 'dense', 'cosine'],
    ['SparseEncoder', 'sparse', 'dot'],
    ['CrossEncoder', 'reranker', null],
    ['MultiVectorEncoder', 'multi-vector', 'maxsim'],
    ['ColBERT', 'multi-vector', 'maxsim'],
  ] as const) {
    const facts = await factsOf(context, changed(library, { model_type: type, similarity_fn_name: null }));
    assert.deepEqual([facts.kind, facts.similarity, facts.told], [kind, similarity, []], type);
  }
  assert.equal((await factsOf(context, changed(library, { similarity_fn_name: 'MaxSim' }))).kind, 'multi-vector');
});

test('a transformer alone is what its module_output_name says, and unknown where it says tokens or nothing', async (context) => {
  for (const [output, kind] of [
    ['sentence_embedding', 'dense'],
    ['scores', 'reranker'],
    ['token_embeddings', 'unknown'],
    [undefined, 'unknown'],
  ] as const) {
    const files = {
      ...modulesOf(transformer),
      ...changed('sentence_bert_config.json', { module_output_name: output }),
    };
    assert.equal((await factsOf(context, files)).kind, kind, output);
  }
});

test('truncate_dim shortens the vectors, and nothing normalises them again; a longer one changes nothing', async (context) => {
  const cut = await factsOf(context, changed(library, { truncate_dim: 8 }));
  assert.deepEqual([cut.dimensions, cut.normalized, cut.told], [8, false, []]);
  for (const truncate_dim of [32, 64, null]) {
    const whole = await factsOf(context, changed(library, { truncate_dim }));
    assert.deepEqual([whole.dimensions, whole.normalized], [32, true]);
  }
  const text = await factsOf(context, changed(library, { truncate_dim: '8' }));
  assert.match(text.told[0] ?? '', /warning config_sentence_transformers\.json \$\.truncate_dim: is "8", not a number/);
});

test('truncate_dim and default_prompt_name are part of the pooling fingerprint', async (context) => {
  const prompts = { query: 'query: ' };
  const print = async (members: object) =>
    (await inspectTiny(context, { files: changed(library, { prompts, ...members }) })).facts.pooling;
  const plain = await print({});
  assert.notEqual(await print({ truncate_dim: 8 }), plain);
  assert.notEqual(await print({ default_prompt_name: 'query' }), plain);
  const facts = await factsOf(context, changed(library, { prompts, default_prompt_name: 'query' }));
  assert.equal(facts.default_prompt_name, 'query');
});

test("PyLate's markers are prompts, and stand before a prompt of the same name", async (context) => {
  const marks = {
    query_prefix: '[Q] ',
    document_prefix: '[D] ',
    prompts: { query: 'find: ' },
    similarity_fn_name: 'MaxSim',
  };
  assert.deepEqual((await factsOf(context, changed(library, marks))).prompts, {
    query: '[Q] find: ',
    document: '[D] ',
  });
});

test('classes of the libraries are no code of the model, wherever a config names them', async (context) => {
  const dense = safetensorsFile({ tensors: [{ name: 'linear.weight', shape: [8, 32] }] });
  const files = {
    ...modulesOf(transformer, ['pylate.models.Dense.Dense', '1_Dense'], ['torch.nn.Identity', '']),
    '1_Dense/config.json': JSON.stringify({
      in_features: 32,
      out_features: 8,
      activation_function: 'torch.nn.modules.linear.Identity',
    }),
    '1_Dense/model.safetensors': dense,
  };
  const { facts, ...inspected } = await inspectTiny(context, { files });
  assert.deepEqual(told(inspected), []);
  assert.equal(facts.has_code, false);
  assert.equal(facts.embedding.kind, 'multi-vector');
});

test('code is refused where a loader reaches it: auto_map, modules, a router, a Dense, an activation', async (context) => {
  const router = {
    types: { query_0_Own: 'own_module.Own', document_0_Transformer: transformer[0] },
    structure: { query: ['query_0_Own'], document: ['document_0_Transformer'] },
  };
  const files = {
    ...modulesOf(['sentence_transformers.models.Router', ''], ['sentence_transformers.models.Dense', '2_Dense']),
    'router_config.json': JSON.stringify(router),
    'query_0_Own/x.json': '{}',
    'document_0_Transformer/config.json': '{"auto_map": {"AutoModel": "modeling.New"}}',
    'document_0_Transformer/model.safetensors': safetensorsFile({ tensors: [{ name: 'a', shape: [1] }] }),
    '2_Dense/config.json': '{"activation_function": "own_module.Act"}',
    '2_Dense/model.safetensors': safetensorsFile({ tensors: [{ name: 'linear.weight', shape: [8, 32] }] }),
    ...changed('config.json', { sbert_ce_default_activation_function: 'own_module.Act' }),
    'results.json': '{"auto_map": {"AutoModel": "modeling.New"}}',
  };
  const errors = told(await inspectTiny(context, { files })).filter((line) => line.startsWith('error'));
  assert.deepEqual(errors, [
    'error document_0_Transformer/config.json $.auto_map: makes loaders run code of the model',
    'error router_config.json $.types.query_0_Own: names own_module.Own, which is code of the model',
    'error 2_Dense/config.json $.activation_function: names own_module.Act, which is code of the model',
    'error config.json $.sbert_ce_default_activation_function: names own_module.Act, which is code of the model',
  ]);
  const none = { ...changed('config.json', { auto_map: {} }), ...changed('tokenizer_config.json', { auto_map: null }) };
  assert.deepEqual(told(await inspectTiny(context, { files: none })), []);
});

test("a router's ways are followed: equal widths are the model's, missing parts are told", async (context) => {
  const way = (kind: string) => `sentence_transformers.models.${kind}`;
  const router = {
    types: {
      query_0_StaticEmbedding: way('StaticEmbedding'),
      document_0_Transformer: way('Transformer'),
      document_1_Pooling: way('Pooling'),
    },
    structure: { query: ['query_0_StaticEmbedding'], document: ['document_0_Transformer', 'document_1_Pooling'] },
  };
  const model = new Map(tinyModelFiles());
  const files: Record<string, string | Uint8Array | undefined> = {
    ...modulesOf([way('Router'), '']),
    'router_config.json': JSON.stringify(router),
    'query_0_StaticEmbedding/tokenizer.json': '{}',
    'query_0_StaticEmbedding/model.safetensors': safetensorsFile({
      tensors: [{ name: 'embedding.weight', shape: [64, 32] }],
    }),
    'document_1_Pooling/config.json': model.get('1_Pooling/config.json'),
    '1_Pooling/config.json': undefined,
  };
  for (const path of [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'sentence_bert_config.json',
  ]) {
    files[`document_0_Transformer/${path}`] = model.get(path);
    files[path] = undefined;
  }
  const whole = await factsOf(context, files);
  assert.deepEqual([whole.kind, whole.dimensions, whole.max_tokens, whole.told], ['dense', 32, 64, []]);
  const { told: lines } = await factsOf(context, { ...files, 'document_1_Pooling/config.json': undefined });
  assert.deepEqual(lines, [
    'error router_config.json $.types.document_1_Pooling: names Pooling in "document_1_Pooling", but that folder has no file',
  ]);
});

test('the base of an adapter comes from elsewhere: a warning, until its commit is written down', async (context) => {
  const adapter = { base_model_name_or_path: 'BAAI/bge-base-en-v1.5', revision: null, task_type: 'FEATURE_EXTRACTION' };
  const weights = safetensorsFile({
    tensors: [{ name: 'base_model.model.encoder.layer.0.attention.self.query.lora_A.weight', shape: [4, 32] }],
  });
  const files = (revision: string | null) => ({
    'config.json': undefined,
    'model.safetensors': undefined,
    'adapter_model.safetensors': weights,
    'adapter_config.json': JSON.stringify({ ...adapter, revision }),
  });
  const { told: lines } = await factsOf(context, files(null));
  assert.deepEqual(lines, [
    'warning adapter_config.json $.base_model_name_or_path: the network is loaded from "BAAI/bge-base-en-v1.5", by no fixed revision: what stands there can change under an unchanged release',
  ]);
  assert.deepEqual((await factsOf(context, files('0123456789abcdef0123456789abcdef01234567'))).told, []);
});
