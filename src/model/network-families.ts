import { isObject, type JsonObject, textOf } from '../contract/json-values.ts';
import type { PlacedTensor } from '../weights/weights-file.ts';
import type { Findings } from './findings.ts';

/**
 * Architectures whose tensors have the same names, and the names of one layer's tensors. Taken from
 * the models of transformers 5.24.
 */
interface Family {
  readonly types: readonly string[];
  readonly has: RegExp;
  readonly lacks?: RegExp;
}

const families: readonly Family[] = [
  {
    types: [
      ...['bert', 'roberta', 'xlm-roberta', 'xlm-roberta-xl', 'camembert', 'electra', 'rembert', 'ernie', 'mobilebert'],
      ...['megatron-bert', 'roformer', 'big_bird', 'longformer', 'roberta-prelayernorm', 'convbert'],
    ],
    has: /\.layer\.\d+\.attention\.self\.query\./,
  },
  { types: ['mpnet'], has: /\.layer\.\d+\.attention\.attn\.q\./ },
  { types: ['distilbert'], has: /\.layer\.\d+\.attention\.q_lin\./ },
  { types: ['albert'], has: /\.albert_layers\.\d+\.attention\.query\./ },
  { types: ['deberta'], has: /\.layer\.\d+\.attention\.self\.in_proj\./ },
  { types: ['deberta-v2'], has: /\.layer\.\d+\.attention\.self\.query_proj\./ },
  { types: ['t5', 'mt5', 'umt5'], has: /\.block\.\d+\.layer\.0\.SelfAttention\.q\./ },
  { types: ['clip', 'siglip', 'siglip2'], has: /text_model\.encoder\.layers\.\d+\.self_attn\.q_proj\./ },
  { types: ['gemma3_text', 'gemma3'], has: /layers\.\d+\.pre_feedforward_layernorm\./ },
  { types: ['qwen3'], has: /layers\.\d+\.self_attn\.q_norm\./, lacks: /\.pre_feedforward_layernorm\./ },
  { types: ['qwen2'], has: /layers\.\d+\.self_attn\.q_proj\.bias/, lacks: /text_model\.|\.q_norm\./ },
  {
    types: ['llama', 'mistral', 'gemma'],
    has: /layers\.\d+\.self_attn\.q_proj\./,
    lacks: /text_model\.|\.q_norm\.|\.q_proj\.bias|\.pre_feedforward_layernorm\./,
  },
  { types: ['modernbert'], has: /(?:^|model\.)layers\.\d+\.attn\.Wqkv\./ },
];

export const otherModels = 'Weights and config.json are of different models: take those that belong together.';

/**
 * Reports a `model_type` that the weights don't belong to: judged by the class that they were saved
 * as, and by the names of the tensors. Architectures that aren't listed here are not checked.
 */
export function checkModelType(
  config: JsonObject,
  path: string,
  tensors: readonly Pick<PlacedTensor, 'name'>[],
  findings: Findings,
): void {
  const type = textOf(config.model_type);
  // A model with code of its own may name its tensors as it likes.
  if (type === undefined || isObject(config.auto_map)) return;
  const found = (message: string): void => findings.error({ in: path, at: '$.model_type', message, hint: otherModels });
  const saved = [config.architectures].flat().find((name) => typeof name === 'string') ?? '';
  const called = /^(\w+?)(?:Encoder)?(?:Model|For[A-Z]\w*)$/.exec(saved)?.[1]?.toLowerCase();
  const family = families.find(({ types }) => types.includes(type));
  if (family === undefined) return;
  if (called !== undefined && isOther(called, className(type))) {
    found(`is "${type}", but the weights were saved as ${saved}`);
    return;
  }
  if (fits(family, tensors)) return;
  const other = families.find((candidate) => fits(candidate, tensors));
  found(
    other === undefined
      ? `is "${type}", but the weights have no attention of such a network`
      : `is "${type}", but the tensors are named as those of ${other.types.slice(0, 4).join(', ')}`,
  );
}

/**
 * The name of a model type in transformers' class names, in lower case: `xlm-roberta` is
 * XLMRobertaModel, `gemma3_text` is Gemma3TextModel.
 */
function className(type: string): string {
  return type.replace(/[-_]/g, '');
}

/** Different names of the same network. */
const robertas = ['roberta', 'xlmroberta', 'camembert'];

function isOther(called: string, expected: string): boolean {
  const known = families.some(({ types }) => types.some((type) => className(type) === called));
  return known && called !== expected && !(robertas.includes(called) && robertas.includes(expected));
}

function fits({ has, lacks }: Family, tensors: readonly Pick<PlacedTensor, 'name'>[]): boolean {
  return tensors.some(({ name }) => has.test(name)) && !tensors.some(({ name }) => lacks?.test(name));
}
