import * as z from 'zod/mini';
import { type Problem, throwProblems } from '../core/errors.ts';
import { hostKinds, maxTagLength } from './fields.ts';
import { isObject, objectOf } from './json-values.ts';
import { limits } from './limits.ts';
import { modelNameFault } from './names.ts';
import { jsonPath, problemsOf } from './problems-of.ts';
import {
  bucketMirror,
  directoryMirror,
  directorySource,
  hubSource,
  modelConfigSchema,
  type ReleaseConfig,
  referenceConfig,
  releaseConfigSchema,
  s3Bucket,
} from './release-config.ts';
import { parseStrictJson } from './strict-json.ts';

/**
 * Reads release.json. Throws `invalid` with every problem, its JSON path and the remedy. `file`
 * names it in messages.
 */
export function parseReleaseConfig(bytes: Uint8Array, file: string): ReleaseConfig {
  const json = parseStrictJson(bytes, { file, maxBytes: limits.releaseConfigBytes });
  const result = z.safeParse(releaseConfigSchema, json, { reportInput: true });
  const problems = [
    ...(result.success ? [] : problemsOf(result.error.issues.flatMap(meantIssues), file, knownKeys)),
    ...(isObject(json) ? wholeFileProblems(json, file) : []),
  ];
  throwProblems('invalid', `${file} is not valid`, problems);
  return z.parse(releaseConfigSchema, json);
}

/**
 * Of a value that fits none of several schemas: what the nearest of them found deep inside, where
 * it found one thing only.
 */
function meantIssues(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.find(([first, ...more]) => {
    if (first === undefined || more.length > 0) return false;
    return first.code === 'unrecognized_keys' ? first.keys.length === 1 : first.path.length > 0;
  });
  return meant?.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })) ?? [issue];
}

/**
 * What no single field shows. Looks at the raw JSON, so that it is found beside the faults of
 * single fields.
 */
function wholeFileProblems(json: Readonly<Record<string, unknown>>, file: string): Problem[] {
  const problems: Problem[] = [];
  const add = (path: readonly string[], message: string, hint: string): void => {
    problems.push({ level: 'error', file, path: jsonPath(path), message, hint });
  };
  if (!hostKinds.some((kind) => Object.hasOwn(json, kind))) {
    add([], 'names no target', 'Add at least one of "github", "huggingface", "mirror".');
  }
  if (typeof json.tag_prefix === 'string' && typeof json.release === 'string') {
    const fault = tagFault(json.tag_prefix + json.release);
    if (fault !== undefined) {
      add(['tag_prefix'], `makes the tag ${json.tag_prefix}${json.release}, which ${fault}`, 'Choose another prefix.');
    }
  }
  if (!isObject(json.models)) return problems;
  const names = Object.keys(json.models);
  if (names.length === 0) add(['models'], 'has no model', 'Add the models to release.');
  const seen = new Map<string, string>();
  for (const name of names) {
    const fault = modelNameFault(name);
    if (fault !== undefined) add(['models', name], `${JSON.stringify(name)} ${fault}`, 'Rename the model.');
    const other = seen.get(name.toLowerCase());
    if (other !== undefined) {
      add(['models', name], `differs from ${JSON.stringify(other)} in case only`, 'Rename one of them.');
    }
    seen.set(name.toLowerCase(), name);
    const { keep_space: keeps, reference } = objectOf(json.models[name]);
    if (keeps === true && reference === undefined) {
      const hint = 'Add "reference" with the command that embeds texts.';
      add(['models', name, 'keep_space'], 'needs "reference": only vectors tell that the space is the same', hint);
    }
  }
  return problems;
}

/**
 * What git, and so every host, refuses in a tag of the characters that a prefix and a version may
 * have. [git-check-ref-format(1)]
 */
function tagFault(tag: string): string | undefined {
  if (tag.length > maxTagLength) return `is longer than ${maxTagLength} characters`;
  if (/^[.-]/.test(tag)) return 'begins with a dot or a dash';
  if (tag.includes('..')) return 'has two dots in a row';
  return /\.lock$/i.test(tag) ? 'ends with .lock' : undefined;
}

function knownKeys(path: readonly PropertyKey[]): readonly string[] {
  if (path.length === 0) return Object.keys(releaseConfigSchema._zod.def.shape);
  if (path[0] === 'models' && path.length === 2) return Object.keys(modelConfigSchema._zod.def.shape);
  if (path[0] === 'models' && path[2] === 'source') {
    return [...Object.keys(directorySource._zod.def.shape), ...Object.keys(hubSource._zod.def.shape)];
  }
  if (path[0] === 'mirror') {
    return path[1] === 's3'
      ? Object.keys(s3Bucket._zod.def.shape)
      : [...Object.keys(directoryMirror._zod.def.shape), ...Object.keys(bucketMirror._zod.def.shape)];
  }
  if (path[0] === 'models' && path[2] === 'reference' && path.length === 3) {
    return Object.keys(referenceConfig._zod.def.shape);
  }
  const section = releaseConfigSchema._zod.def.shape[String(path[0]) as keyof ReleaseConfig];
  let node: unknown = section;
  while (isWrapper(node)) node = node._zod.def.innerType ?? node._zod.def.element;
  return isObjectSchema(node) ? Object.keys(node._zod.def.shape) : [];
}

function isWrapper(node: unknown): node is { _zod: { def: { innerType?: unknown; element?: unknown } } } {
  const def = (node as { _zod?: { def?: object } } | undefined)?._zod?.def;
  return def !== undefined && ('innerType' in def || 'element' in def);
}

function isObjectSchema(node: unknown): node is { _zod: { def: { shape: object } } } {
  const def = (node as { _zod?: { def?: object } } | undefined)?._zod?.def;
  return def !== undefined && 'shape' in def;
}
