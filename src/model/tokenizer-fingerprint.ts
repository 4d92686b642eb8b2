import { posix } from 'node:path';
import { canonicalJson } from '../contract/canonical-json.ts';
import { isObject, type JsonObject, objectOf, textOf } from '../contract/json-values.ts';
import { compareBytes } from '../contract/names.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import { isTokenizerFile } from './file-kinds.ts';
import { documentOf, inDirectory, type ModelView } from './model-view.ts';
import type { ModulePlace } from './module-files.ts';
import { transformerConfigPath } from './pooling.ts';
import { ignoredInParts, ignoredInTokenizer, partDefaults, typeByMember } from './tokenizer-defaults.ts';
import { tokenizerSettings } from './tokenizer-settings.ts';

/**
 * What the tokenizers of a model do, as far as it is known before packing. Vocabularies that aren't
 * JSON are read only then.
 */
export interface TokenizerFacts {
  /** Digest of what the JSON files say. Null where there is no tokenizer. */
  readonly described: Sha256 | null;
  /** Paths of files that count by their bytes, by what they are. Packing adds their digests. */
  readonly files: Readonly<Record<string, string>>;
  /**
   * Digests of texts by what they are. Other models have such a text in a file of its own, and its
   * digest is then the same.
   */
  readonly texts: Readonly<Record<string, Sha256>>;
}

/** These are always read as JSON: what they say counts, not their bytes. */
const settingsFiles = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];

const preprocessorFiles = [
  'preprocessor_config.json',
  'processor_config.json',
  'image_processor_config.json',
  'video_preprocessor_config.json',
  'feature_extractor_config.json',
];

/**
 * What the tokenizers that the modules load do to a text: tokenizer.json, the settings beside it,
 * and the token limit. Without a tokenizer.json, files with vocabularies and merges count by their
 * bytes. Copies in other folders don't count. `maxTokens`: how many tokens of a text are used.
 */
export function tokenizerFacts(
  view: ModelView,
  places: readonly ModulePlace[],
  hasModules: boolean,
  maxTokens: number | null,
): TokenizerFacts {
  const described: Record<string, unknown> = {};
  const files: Record<string, string> = {};
  const texts: Record<string, Sha256> = {};
  const seen = new Set<string>();
  for (const place of places) {
    if (seen.has(place.directory)) continue;
    seen.add(place.directory);
    const near = [...view.files.keys()].filter((path) => posix.dirname(path) === (place.directory || '.'));
    const inputs = inputsOf(view, place, hasModules);
    const own = near.filter(isTokenizerFile);
    const tokenizer = documentOf(view, inDirectory(place.directory, 'tokenizer.json'));
    if (tokenizer === undefined) {
      for (const path of own) {
        const name = posix.basename(path);
        if (!settingsFiles.includes(name)) files[`${place.key}/${name}`] = path;
      }
    }
    if (inputs.messages) {
      const chat = chatTemplates(view, place);
      Object.assign(files, chat.files);
      Object.assign(texts, chat.texts);
    }
    const preprocessors = inputs.others ? preprocessorsOf(view, place.directory) : undefined;
    if (own.length === 0 && preprocessors === undefined) continue;
    described[place.key] = {
      tokenizer: tokenizer === undefined ? undefined : tokenizerContent(tokenizer),
      settings: tokenizerSettings(view, place.directory, tokenizer),
      preprocessors,
    };
  }
  if (Object.keys(described).length === 0) return { described: null, files: {}, texts: {} };
  return { described: sha256(canonicalJson({ ...described, max_tokens: maxTokens })), files, texts };
}

/**
 * Whether the module puts texts into a chat template (`messages`), and whether it takes anything
 * but text (`others`).
 */
function inputsOf(
  view: ModelView,
  { directory, kind, custom }: ModulePlace,
  hasModules: boolean,
): { readonly messages: boolean; readonly others: boolean } {
  // Without modules.json the loader decides by the files that are there, so everything counts.
  if (!hasModules || custom) return { messages: true, others: true };
  const path = transformerConfigPath(view, directory);
  const settings = path === undefined ? undefined : documentOf(view, path);
  const modalities = Object.keys(objectOf(settings?.modality_config));
  const messages = modalities.includes('message') || objectOf(settings?.processing_kwargs).chat_template !== undefined;
  const config = documentOf(view, inDirectory(directory, 'config.json'));
  const towers = config?.vision_config !== undefined || config?.audio_config !== undefined;
  return { messages, others: kind === 'CLIPModel' || towers || modalities.some((name) => name !== 'text') };
}

/**
 * The chat templates by name. They stand in tokenizer_config.json, or in files of their own, which
 * then replace those.
 */
function chatTemplates(view: ModelView, { directory, key }: ModulePlace): Omit<TokenizerFacts, 'described'> {
  const { chat_template: said } = documentOf(view, inDirectory(directory, 'tokenizer_config.json')) ?? {};
  const processor = documentOf(view, inDirectory(directory, 'chat_template.json'))?.chat_template;
  const named = Array.isArray(said)
    ? said.map((entry): [string, unknown] => [String(objectOf(entry).name), objectOf(entry).template])
    : Object.entries(isObject(said) ? said : { default: said });
  if (processor !== undefined) named.push(['default', processor]);
  const files = new Map([['default', inDirectory(directory, 'chat_template.jinja')]]);
  const folder = inDirectory(directory, 'additional_chat_templates');
  for (const path of view.files.keys()) {
    if (posix.dirname(path) === folder) files.set(posix.basename(path, '.jinja'), path);
  }
  const found = [...files].filter(([, path]) => view.files.has(path));
  const texts = named.filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const as = (name: string): string => `${key}/chat template ${name}`;
  return {
    files: Object.fromEntries(found.map(([name, path]) => [as(name), path])),
    texts: Object.fromEntries(texts.map(([name, text]) => [as(name), sha256(text)])),
  };
}

function preprocessorsOf(view: ModelView, directory: string): JsonObject | undefined {
  const found = preprocessorFiles.flatMap((name) => {
    const { transformers_version: _, ...said } = documentOf(view, inDirectory(directory, name)) ?? {};
    return Object.keys(said).length === 0 ? [] : [[name, said]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** tokenizer.json with its digests, in the same form whichever version of the library wrote it. */
function tokenizerContent(tokenizer: JsonObject): JsonObject {
  const { added_tokens: added, ...rest } = tokenizer;
  const kept = Object.entries(rest).flatMap(([name, value]) =>
    ignoredInTokenizer.has(name) || value === null
      ? []
      : [[name, canonicalPart(value, name === 'model' ? modelType(value) : name)]],
  );
  return {
    ...Object.fromEntries(kept),
    added_tokens: Array.isArray(added) ? added.map(canonicalJson).sort(compareBytes) : added,
  };
}

function modelType(model: unknown): string | undefined {
  const member = Object.keys(typeByMember).find((name) => objectOf(model)[name] !== undefined);
  return textOf(objectOf(model).type) ?? (member === undefined ? undefined : typeByMember[member]);
}

/**
 * A part of tokenizer.json without its defaults. `usual`: its type, if the part doesn't name one.
 */
function canonicalPart(value: unknown, usual?: string): unknown {
  if (Array.isArray(value)) return value.map((item) => canonicalPart(item));
  if (!isObject(value)) return value;
  const type = textOf(value.type) ?? usual ?? '';
  const said = type === 'Metaspace' ? canonicalMetaspace(value) : value;
  const ignored = Object.hasOwn(ignoredInParts, type) ? ignoredInParts[type] : undefined;
  const defaults: JsonObject = Object.hasOwn(partDefaults, type) ? (partDefaults[type] ?? {}) : {};
  const kept = Object.entries(said).flatMap(([name, member]) => {
    if (member === null || ignored?.includes(name)) return [];
    if (Object.hasOwn(defaults, name) && defaults[name] === member) return [];
    return [[name, canonicalPart(member)]];
  });
  return { ...Object.fromEntries(kept), ...(type === '' ? {} : { type }) };
}

/**
 * Before 0.19, tokenizers wrote `add_prefix_space` instead of `prepend_scheme`, and the replacement
 * a second time as `str_rep`.
 */
function canonicalMetaspace({ add_prefix_space: old, str_rep: _, ...rest }: JsonObject): JsonObject {
  if (rest.prepend_scheme !== undefined || old === undefined) return rest;
  return { ...rest, prepend_scheme: old === true ? 'always' : 'never' };
}
