import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import type { SourceFile } from '../archive/pack-archive.ts';
import { isObject, type JsonObject, objectOf } from '../contract/json-values.ts';
import { limits } from '../contract/limits.ts';
import { measureJson, syntaxMessage } from '../contract/strict-json.ts';
import { mapConcurrently } from '../core/concurrency.ts';
import { sha256 } from '../core/hashing.ts';
import { readFully } from '../core/read-files.ts';
import type { WeightsFile } from '../weights/read-weights.ts';
import { isOtherWeights, isSafetensors, isShardIndex, isTokenizerFile } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { type HighestIds, highestIds } from './token-ids.ts';
import { condensedTokenizer } from './tokenizer-content.ts';

/** A Git LFS pointer is always smaller than this (git-lfs docs/spec.md). */
const pointerBytes = 1024;

const pointerStarts = ['version https://git-lfs.github.com/spec/', 'version https://hawser.github.com/spec/'];

const parallelReads = 8;

/** Text lengths and markers of Stanford's ColBERT. It is JSON, whatever its name says. */
export const colbertMetadata = 'artifact.metadata';

/** A model's directory, read once for all checks. */
export interface ModelView {
  readonly files: ReadonlyMap<string, SourceFile>;
  /**
   * Parsed JSON files by path. Of a tokenizer.json, vocabulary and merges are replaced by digests;
   * a very large file is replaced by one digest. Files that can't be parsed are missing.
   */
  readonly documents: ReadonlyMap<string, unknown>;
  /** The highest token ids of each tokenizer.json, also of very large ones. */
  readonly tokenIds: ReadonlyMap<string, HighestIds>;
  /**
   * What each weights file says about its tensors, by path. Files that can't be read are missing.
   */
  readonly weights: ReadonlyMap<string, WeightsFile>;
  /** Files that are there but could not be read. A check must not conclude from their absence. */
  readonly broken: ReadonlySet<string>;
}

/** The object in a JSON file. Undefined where there is no such file, or it holds something else. */
export function documentOf(view: ModelView, path: string): JsonObject | undefined {
  const value = view.documents.get(path);
  return isObject(value) ? value : undefined;
}

/** `path` in `directory`, which is `''` for the model's own. */
export function inDirectory(directory: string, path: string): string {
  return directory === '' ? path : `${directory}/${path}`;
}

/**
 * Finds files that have a name but no content: Git LFS pointers, and empty files where content is
 * needed. Returns their paths.
 */
export async function findFilesWithoutContent(files: readonly SourceFile[], findings: Findings): Promise<Set<string>> {
  const empty = files.filter(({ path, sizeBytes }) => sizeBytes === 0 && needsContent(path)).map(({ path }) => path);
  findings.errors(
    empty.map((path) => ({ in: path, message: 'is empty', hint: 'Get the file again, or leave it out by "exclude".' })),
  );
  const small = files.filter(({ sizeBytes }) => sizeBytes > 0 && sizeBytes <= pointerBytes);
  const pointers = await mapConcurrently(small, parallelReads, async (file) => {
    const text = (await readStart(file, pointerBytes)).toString('latin1');
    return pointerStarts.some((start) => text.startsWith(start)) ? [file.path] : [];
  });
  findings.errors(
    pointers.flat().map((path) => ({
      in: path,
      message: 'is a Git LFS pointer, not the file itself',
      hint: 'Run "git lfs pull" in the model\'s repository.',
    })),
  );
  return new Set([...empty, ...pointers.flat()]);
}

function needsContent(path: string): boolean {
  return isSafetensors(path) || isOtherWeights(path) || isTokenizerFile(path) || path.endsWith('.json');
}

/** The beginning of a file, at most `limit` bytes. */
export async function readStart(file: SourceFile, limit: number): Promise<Buffer> {
  const handle = await open(file.absolutePath);
  try {
    return await readFully(handle, Math.min(limit, file.sizeBytes), 0);
  } finally {
    await handle.close();
  }
}

/**
 * Parses every JSON file, one after the other, so that only one large file is in memory at a time.
 * Duplicate keys and `__proto__` are allowed: a vocabulary may contain such a token, and loaders
 * accept it. Paths of files that can't be parsed are added to `broken`. In a file that no loader
 * reads (results and states of a training, which may contain NaN) a fault is only a warning.
 */
export async function readDocuments(
  files: readonly SourceFile[],
  broken: Set<string>,
  findings: Findings,
): Promise<Pick<ModelView, 'documents' | 'tokenIds'>> {
  const documents = new Map<string, unknown>();
  const tokenIds = new Map<string, HighestIds>();
  for (const file of files) {
    const { path, sizeBytes } = file;
    if (!(path.endsWith('.json') || path === colbertMetadata) || broken.has(path)) continue;
    const level = isReadByLoaders(path) ? 'error' : 'warning';
    const fault = (message: string, hint: string): void => {
      broken.add(path);
      findings[level]({ in: path, message, hint });
    };
    const most = isConfig(path) ? limits.modelConfigBytes : limits.modelJsonBytes;
    if (sizeBytes > most) {
      fault(
        `has ${sizeBytes} bytes, more than the limit of ${most}`,
        'Get the file again, or leave it out by "exclude".',
      );
      continue;
    }
    const bytes = await readStart(file, limits.modelJsonBytes);
    const value = parseDocument(bytes, fault);
    if (value === undefined) continue;
    if (posix.basename(path) === 'tokenizer.json') {
      tokenIds.set(path, highestIds(objectOf(value)));
      documents.set(path, condensedTokenizer(objectOf(value)));
    } else if (sizeBytes <= limits.modelConfigBytes || isShardIndex(path)) {
      documents.set(path, value);
    } else {
      // Its digest stands for the document. No check knows this field, and fingerprints differ
      // where the document differs.
      documents.set(path, { sha256_of_large_document: sha256(bytes) });
    }
  }
  return { documents, tokenIds };
}

/** Whether loaders read it: configs, tokenizers, modules.json and the index of shards. */
function isReadByLoaders(path: string): boolean {
  return isConfig(path) || isTokenizerFile(path) || isShardIndex(path);
}

function isConfig(path: string): boolean {
  return /(?:^|\/)modules\.json$|(?:^|[/_])config\.json$/.test(path) && !isTokenizerFile(path);
}

/** The parsed value. Undefined where it can't be parsed, which is then a finding. */
function parseDocument(bytes: Buffer, fault: (message: string, hint: string) => void): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    fault('is not UTF-8 text, so it is not JSON', 'Save it as UTF-8.');
    return undefined;
  }
  const { depth, values } = measureJson(text);
  if (depth > limits.jsonDepth || values > limits.modelJsonValues) {
    const fact = depth > limits.jsonDepth ? `is nested more than ${limits.jsonDepth} deep` : `has ${values} values`;
    fault(`${fact}, which no file of a model has`, 'Get the file again, or leave it out by "exclude".');
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const fact = text.startsWith('\ufeff') ? 'it begins with a byte order mark' : syntaxMessage(text, error);
    fault(`is not valid JSON: ${fact}`, 'Correct the file, or get it again. NaN, Infinity and comments are no JSON.');
    return undefined;
  }
}
