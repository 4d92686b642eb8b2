import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf } from '../contract/json-values.ts';

/**
 * Names that rotary positions had before transformers 5, by which a config is known to use them.
 */
const oldNames = [
  'rope_theta',
  'rope_scaling',
  'rope_local_base_freq',
  'global_rope_theta',
  'local_rope_theta',
  'partial_rotary_factor',
] as const;

/**
 * Models that scale their positions where the config doesn't say it, so that null is not the same
 * as nothing (4.57, 5.24).
 */
const scaledByDefault = new Set([
  ...['apertus', 'apertus1p5_text', 'cwm', 'gpt_oss', 'higgs_audio_v2', 'ministral3', 'mistral4'],
  ...['mistral_large4_text', 'openai_privacy_filter', 'qwen2_5_omni_text'],
]);

/**
 * A config whose rotary positions are told in the words of transformers 5: `rope_parameters`, of
 * one kind or by type of layer. Before, base and scaling stood beside each other. Sources:
 * `PreTrainedConfig.convert_rope_params_to_dict` of 5.24, and the configurations of Gemma 3 and
 * ModernBERT in 4.57.
 */
export function oneRope(config: JsonObject, type: string | undefined): JsonObject {
  if (scaledByDefault.has(type ?? '')) return config;
  const old = Object.fromEntries(
    oldNames.flatMap((name) => (Object.hasOwn(config, name) ? [[name, config[name]]] : [])),
  );
  const rest = Object.fromEntries(Object.entries(config).filter(([name]) => !Object.hasOwn(old, name)));
  if (Object.hasOwn(config, 'rope_parameters')) {
    const parameters = oneForm(config.rope_parameters);
    // Where both are there and differ, loaders differ.
    const repeated = canonicalJson(inNewWords(old, type) ?? null) === canonicalJson(parameters ?? null);
    return { ...rest, ...(repeated ? {} : old), rope_parameters: parameters };
  }
  const parameters = inNewWords(old, type);
  return parameters === undefined ? rest : { ...rest, rope_parameters: parameters };
}

function inNewWords(old: JsonObject, type: string | undefined): unknown {
  const { rope_theta, rope_scaling, rope_local_base_freq, global_rope_theta, local_rope_theta, ...rest } = old;
  if (type === 'modernbert') {
    return {
      full_attention: {
        rope_type: 'default',
        rope_theta: global_rope_theta === undefined ? 160_000 : global_rope_theta,
      },
      sliding_attention: {
        rope_type: 'default',
        rope_theta: local_rope_theta === undefined ? 10_000 : local_rope_theta,
      },
    };
  }
  const main = { rope_theta, ...objectOf(rope_scaling), ...rest };
  if (type === 'gemma3_text') {
    return {
      full_attention: oneForm({ ...main, rope_theta: rope_theta === undefined ? 1_000_000 : rope_theta }),
      sliding_attention: {
        rope_type: 'default',
        rope_theta: rope_local_base_freq === undefined ? 10_000 : rope_local_base_freq,
      },
    };
  }
  const others = { rope_local_base_freq, global_rope_theta, local_rope_theta };
  const named = Object.entries({ ...main, ...others }).filter(([, value]) => value !== undefined);
  return named.length === 0 ? undefined : oneForm(Object.fromEntries(named));
}

/**
 * `type` was the name of `rope_type`; a missing one is `default`, and `mrope` is that with
 * sections.
 */
function oneForm(parameters: unknown): unknown {
  if (!isObject(parameters)) return parameters;
  if (isObject(parameters.full_attention)) {
    return Object.fromEntries(Object.entries(parameters).map(([layers, own]) => [layers, oneForm(own)]));
  }
  const { type, rope_type: named = type ?? 'default', ...rest } = parameters;
  const kind = named === 'mrope' && rest.mrope_section !== undefined ? 'default' : named;
  const same = type === undefined || type === named || type === kind;
  const partial = rest.partial_rotary_factor === 1 ? { partial_rotary_factor: undefined } : {};
  return { ...rest, ...partial, rope_type: kind, ...(same ? {} : { type }) };
}
