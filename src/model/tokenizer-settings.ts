import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { classDefaults, classNames, classOfModel, ignoredSettings, settingDefaults } from './tokenizer-defaults.ts';

/** Fields that name the special token for a purpose (a role). */
const roles = new Set(['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']);

/** These fields are compared with tokenizer.json's tokens, each in its own way. */
const comparedWithTokens = new Set([
  'tokenizer_class',
  'added_tokens_decoder',
  'additional_special_tokens',
  'extra_special_tokens',
]);

/** Members of a token in tokenizer.json. */
const tokenFlags = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;

/**
 * What the settings beside a tokenizer (tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json) say that is neither in tokenizer.json nor a default of the tokenizer's class.
 * `tokenizer`: tokenizer.json, where there is one.
 */
export function tokenizerSettings(view: ModelView, directory: string, tokenizer: JsonObject | undefined): JsonObject {
  const settings = documentOf(view, inDirectory(directory, 'tokenizer_config.json')) ?? {};
  const map = documentOf(view, inDirectory(directory, 'special_tokens_map.json')) ?? {};
  const named = documentOf(view, inDirectory(directory, 'added_tokens.json')) ?? {};
  const config = documentOf(view, inDirectory(directory, 'config.json')) ?? {};
  const known = new KnownTokens(tokenizer);
  const kind = classOf(settings, config);
  const own = Object.hasOwn(classDefaults, kind) ? classDefaults[kind] : undefined;
  const sides = sidesOf(tokenizer, own);
  const defaults: JsonObject = { ...settingDefaults, truncation_side: sides.truncation_side, ...own };
  const said = { ...sides, ...map, ...settings };
  const kept = Object.entries(said).flatMap(([name, value]): [string, unknown][] => {
    if (Object.hasOwn(ignoredSettings, name) || comparedWithTokens.has(name)) return [];
    const one = roles.has(name) ? known.nameOf(value) : value;
    const usual = Object.hasOwn(defaults, name) ? defaults[name] : null;
    return canonicalJson(one ?? null) === canonicalJson(usual ?? null) ? [] : [[name, one]];
  });
  return {
    class: kind,
    ...Object.fromEntries(kept),
    // Roles for which the two files name different tokens. Which file is read depends on the
    // loader.
    contradicted: nonEmpty(
      [...roles].filter((role) => map[role] && settings[role] && known.text(map[role]) !== known.text(settings[role])),
    ),
    named_special_tokens: isObject(said.extra_special_tokens)
      ? nonEmpty(Object.entries(said.extra_special_tokens))
      : undefined,
    extra_special_tokens: nonEmpty(known.others(listOf(settings) ?? listOf(map) ?? [])),
    added_tokens: nonEmpty([
      ...Object.entries(objectOf(settings.added_tokens_decoder)).filter(([id, token]) => !known.has(id, token)),
      ...Object.entries(named).filter(([content, id]) => !known.hasId(content, id)),
    ]),
  };
}

function classOf(settings: JsonObject, config: JsonObject): string {
  const type = textOf(config.model_type) ?? '';
  const said = textOf(settings.tokenizer_class) ?? textOf(config.tokenizer_class);
  const name = (said ?? (Object.hasOwn(classOfModel, type) ? classOfModel[type] : undefined) ?? '').replace(
    /Fast$/,
    '',
  );
  return (Object.hasOwn(classNames, name) ? classNames[name] : undefined) ?? name;
}

/**
 * The sides at which tokenizer.json cuts and pads. They hold unless tokenizer_config.json says
 * otherwise.
 */
function sidesOf(tokenizer: JsonObject | undefined, own: JsonObject | undefined): JsonObject {
  const side = (part: unknown): string | undefined => textOf(objectOf(part).direction)?.toLowerCase();
  return {
    truncation_side: side(tokenizer?.truncation) ?? 'right',
    padding_side: side(tokenizer?.padding) ?? own?.padding_side ?? 'right',
  };
}

/**
 * Special tokens without a role. The list has two names; under the newer one a map of named tokens
 * may stand instead, which is no list.
 */
function listOf({
  additional_special_tokens: old,
  extra_special_tokens: extra,
}: JsonObject): readonly unknown[] | undefined {
  if (Array.isArray(old)) return old;
  return Array.isArray(extra) ? extra : undefined;
}

function nonEmpty<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** The added tokens of tokenizer.json, by their text. */
class KnownTokens {
  readonly #tokens: ReadonlyMap<string, JsonObject>;

  constructor(tokenizer: JsonObject | undefined) {
    const added = Array.isArray(tokenizer?.added_tokens) ? tokenizer.added_tokens.filter(isObject) : [];
    this.#tokens = new Map(added.map((token) => [String(token.content), token]));
  }

  text(token: unknown): unknown {
    return isObject(token) ? token.content : token;
  }

  /**
   * The token's text, if its flags are those of tokenizer.json or left out. Else the whole token.
   */
  nameOf(token: unknown): unknown {
    if (!isObject(token)) return token;
    const known = this.#tokens.get(String(token.content));
    const flags = tokenFlags.filter((flag) => flag !== 'special' && token[flag] !== undefined);
    return known !== undefined && flags.every((flag) => token[flag] === known[flag]) ? token.content : token;
  }

  /** The tokens that tokenizer.json doesn't list as special. */
  others(tokens: readonly unknown[]): readonly unknown[] {
    return tokens
      .map((token) => this.nameOf(token))
      .filter((token) => this.#tokens.get(String(token))?.special !== true);
  }

  has(id: string, token: unknown): boolean {
    const { content, ...flags } = objectOf(token);
    const known = this.#tokens.get(String(content));
    return known !== undefined && String(known.id) === id && tokenFlags.every((flag) => flags[flag] === known[flag]);
  }

  hasId(content: string, id: unknown): boolean {
    return this.#tokens.get(content)?.id === id;
  }
}
