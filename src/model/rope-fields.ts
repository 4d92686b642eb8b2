import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf } from '../contract/json-values.ts';

/**
 * Fields about rotary positions before transformers 5. A config with one of them uses rotary
 * positions.
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
 * Models that scale their positions even if the config doesn't say so. For them null and a missing
 * field differ, so their config is left as it is (4.57, 5.24).
 */
const scaledByDefault = new Set([
  ...['apertus', 'apertus1p5_text', 'cwm', 'gpt_oss', 'higgs_audio_v2', 'ministral3', 'mistral4'],
  ...['mistral_large4_text', 'openai_privacy_filter', 'qwen2_5_omni_text'],
]);

/**
 * The config with its rotary positions in the fields of transformers 5: `rope_parameters`, for the
 * whole network or by type of layer. Before, base and scaling were fields of their own. Sources:
 * `PreTrainedConfig.convert_rope_params_to_dict` of 5.24, and the configurations of Gemma 3 and
 * ModernBERT in 4.57.
 */
export function canonicalRope(config: JsonObject, type: string | undefined): JsonObject {
  if (scaledByDefault.has(type ?? '')) return config;
  const old = Object.fromEntries(
    oldNames.flatMap((name) => (Object.hasOwn(config, name) ? [[name, config[name]]] : [])),
  );
  const rest = Object.fromEntries(Object.entries(config).filter(([name]) => !Object.hasOwn(old, name)));
  if (Object.hasOwn(config, 'rope_parameters')) {
    const parameters = canonicalParameters(config.rope_parameters);
    // A config may have old and new fields. If they disagree, it depends on the loader which count,
    // so both stay.
    const repeated = canonicalJson(parametersFromOldFields(old, type) ?? null) === canonicalJson(parameters ?? null);
    return { ...rest, ...(repeated ? {} : old), rope_parameters: parameters };
  }
  const parameters = parametersFromOldFields(old, type);
  return parameters === undefined ? rest : { ...rest, rope_parameters: parameters };
}

function parametersFromOldFields(old: JsonObject, type: string | undefined): unknown {
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
      full_attention: canonicalParameters({ ...main, rope_theta: rope_theta === undefined ? 1_000_000 : rope_theta }),
      sliding_attention: {
        rope_type: 'default',
        rope_theta: rope_local_base_freq === undefined ? 10_000 : rope_local_base_freq,
      },
    };
  }
  const others = { rope_local_base_freq, global_rope_theta, local_rope_theta };
  const named = Object.entries({ ...main, ...others }).filter(([, value]) => value !== undefined);
  return named.length === 0 ? undefined : canonicalParameters(Object.fromEntries(named));
}

/**
 * `rope_parameters` in one form: `type` is the old name of `rope_type`, a missing one is `default`,
 * and `mrope` is `default` with sections.
 */
function canonicalParameters(parameters: unknown): unknown {
  if (!isObject(parameters)) return parameters;
  if (isObject(parameters.full_attention)) {
    return Object.fromEntries(Object.entries(parameters).map(([layers, own]) => [layers, canonicalParameters(own)]));
  }
  const { type, rope_type: named = type ?? 'default', ...rest } = parameters;
  const kind = named === 'mrope' && rest.mrope_section !== undefined ? 'default' : named;
  const same = type === undefined || type === named || type === kind;
  const partial = rest.partial_rotary_factor === 1 ? { partial_rotary_factor: undefined } : {};
  return { ...rest, ...partial, rope_type: kind, ...(same ? {} : { type }) };
}
