import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import { classDefaults, classNames, classOfModel, ignoredSettings, settingDefaults } from './tokenizer-defaults.ts';

/** Special tokens by what they are for. */
const roles = new Set(['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']);

/** Fields that are compared with tokenizer.json's tokens. */
const apart = new Set(['tokenizer_class', 'added_tokens_decoder', 'additional_special_tokens', 'extra_special_tokens']);

/** Members of a token in tokenizer.json. */
const tokenFlags = ['single_word', 'lstrip', 'rstrip', 'normalized', 'special'] as const;

/**
 * What the settings beside a tokenizer (tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json) say beyond tokenizer.json and the defaults of the tokenizer's class.
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
    if (Object.hasOwn(ignoredSettings, name) || apart.has(name)) return [];
    const one = roles.has(name) ? known.nameOf(value) : value;
    const usual = Object.hasOwn(defaults, name) ? defaults[name] : null;
    return canonicalJson(one ?? null) === canonicalJson(usual ?? null) ? [] : [[name, one]];
  });
  return {
    class: kind,
    ...Object.fromEntries(kept),
    // A role that the two files give to different tokens: loaders differ in which they read.
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
 * The sides that tokenizer.json cuts and fills at, which hold where tokenizer_config.json doesn't
 * say another.
 */
function sidesOf(tokenizer: JsonObject | undefined, own: JsonObject | undefined): JsonObject {
  const side = (part: unknown): string | undefined => textOf(objectOf(part).direction)?.toLowerCase();
  return {
    truncation_side: side(tokenizer?.truncation) ?? 'right',
    padding_side: side(tokenizer?.padding) ?? own?.padding_side ?? 'right',
  };
}

/**
 * Tokens without a role: a list under one of two names, the newer of which may be a map of named
 * ones instead.
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

/** The added tokens of tokenizer.json, by content. */
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
   * The token's content, where its flags are those of tokenizer.json, or left to it; else all that
   * is said.
   */
  nameOf(token: unknown): unknown {
    if (!isObject(token)) return token;
    const known = this.#tokens.get(String(token.content));
    const flags = tokenFlags.filter((flag) => flag !== 'special' && token[flag] !== undefined);
    return known !== undefined && flags.every((flag) => token[flag] === known[flag]) ? token.content : token;
  }

  /** Those that tokenizer.json doesn't know as special already. */
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
