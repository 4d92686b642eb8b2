import { posix } from 'node:path';
import semver from 'semver';
import type { IndexedFile } from '../contract/chunk-index.ts';
import type { Embedding, Fingerprints, ManifestModel, ManifestWeights } from '../contract/manifest.ts';
import { compareBytes } from '../contract/names.ts';
import type { Problem } from '../core/errors.ts';
import { weightFormatOf } from '../weights/read-weights.ts';
import { isTokenizerFile } from './file-kinds.ts';
import { type FingerprintName, fingerprintNames } from './fingerprints.ts';
import { transformerConfigNames } from './pooling.ts';
import { weightsChanges } from './weights-changes.ts';

export type Bump = 'major' | 'minor' | 'patch' | 'none';

/** The parts of a model's version that the version rules compare. */
export interface ModelContent {
  readonly version: string;
  readonly fingerprints: Fingerprints;
  readonly embedding: Embedding;
  readonly files: readonly IndexedFile[];
  /** With their spaces. Left out where these aren't known yet. */
  readonly weights?: readonly ManifestWeights[] | undefined;
  /** The space stays by measured vectors, whatever the fingerprints. */
  readonly space_kept?: boolean;
}

/** A manifest entry in the form that the version rules compare. */
export function contentOf(entry: ManifestModel): ModelContent {
  const { version, fingerprints = {}, embedding = {}, files = [], weights, space_evidence } = entry;
  return { version, fingerprints, embedding, files, weights, space_kept: space_evidence !== undefined };
}

export interface Change {
  /**
   * What changed, in words for messages and release notes: `tokenizer (tokenizer.json, vocab.txt)`.
   */
  readonly changed: readonly string[];
  /** The smallest version bump that these changes allow. */
  readonly needed: Bump;
}

const bumps: readonly Bump[] = ['none', 'patch', 'minor', 'major'];

/** Compares a packed model with its entry in the last published manifest. */
export function changeKind(previous: ManifestModel, next: Omit<ModelContent, 'version'>): Change {
  const files = changedFiles(previous.files, next.files);
  // The same bytes are the same model, even if this version of the program computes other
  // fingerprints.
  if (files?.length === 0) return { changed: [], needed: 'none' };
  const parts = fingerprintNames.filter((name) => isChanged(previous.fingerprints?.[name], next.fingerprints[name]));
  const told = new Set<string>();
  const changed = parts.map((name) => {
    const concerned = files?.filter((path) => belongsTo(name, path)) ?? [];
    for (const path of concerned) told.add(path);
    return concerned.length === 0 ? name : `${name} (${listed(concerned)})`;
  });
  let needed: Bump = 'none';
  const need = (bump: Bump): void => {
    if (bumps.indexOf(bump) > bumps.indexOf(needed)) needed = bump;
  };
  for (const name of parts) need(name === 'weights' || next.space_kept ? 'minor' : 'major');
  for (const change of next.weights === undefined ? [] : weightsChanges(previous, next.weights)) {
    // What changed in the default is told by the fingerprints above.
    if (change.default || change.space_change === 'new') continue;
    if (change.was !== undefined) {
      // Indices stay valid, but users who install these weights by their path no longer find them.
      changed.push(`${change.was} is ${change.path} now`);
      need('minor');
      told.add(change.was).add(change.path);
    }
    if (change.space_change === 'same') continue;
    const isGone = change.space_change === 'gone';
    changed.push(`${change.path} ${isGone ? 'is gone' : 'has another space'}`);
    need(isGone ? 'major' : 'minor');
    told.add(change.path);
  }
  for (const field of embeddingChanges(previous.embedding, next.embedding)) {
    changed.push(field.text);
    need(field.needed);
  }
  const others = files?.filter((path) => !told.has(path)) ?? [];
  if (others.length > 0) changed.push(`files (${listed(others)})`);
  if ((files?.length ?? 0) > 0) need('patch');
  return { changed, needed };
}

/**
 * The weights of a new version with their embedding spaces. A space is the previous version's where
 * all files are equal but those of other weights, or where all of the default's fingerprints are.
 * Otherwise it is the one computed from this version's fingerprints.
 */
export function weightsAfter(
  previous: ManifestModel | null,
  next: Pick<ModelContent, 'fingerprints' | 'files'> & { readonly weights: readonly ManifestWeights[] },
): readonly ManifestWeights[] {
  const before = previous?.fingerprints ?? {};
  const changed = changedFiles(previous?.files, next.files);
  const sameDefault = fingerprintNames.every(
    (name) => before[name] !== undefined && before[name] === next.fingerprints[name],
  );
  return next.weights.map((one) => {
    const old = previous?.weights?.find(({ path }) => path === one.path);
    const others = new Set(
      [...(previous?.weights ?? []), ...next.weights].flatMap(({ path, files }) => (path === one.path ? [] : files)),
    );
    const own = new Set([...(old?.files ?? []), ...one.files]);
    const sameFiles = changed?.every((path) => others.has(path) && !own.has(path));
    const kept = sameFiles ? old?.space : one.default && sameDefault ? previous?.embedding?.space : undefined;
    return kept === undefined ? one : { ...one, space: kept };
  });
}

/**
 * Applies the version rules: no version goes back, a published version's content never changes, and
 * a version is raised as far as its changes need. `place`: where release.json has the version.
 */
export function versionProblems(
  previous: ManifestModel,
  next: ModelContent,
  place: { readonly file: string; readonly path: string },
): readonly Problem[] {
  const problem = (message: string, hint: string): Problem[] => [{ level: 'error', ...place, message, hint }];
  const order = semver.compare(next.version, previous.version);
  if (order < 0) {
    return problem(
      `${next.version} is older than ${previous.version}, which is published`,
      `Write ${semver.inc(previous.version, 'patch')} or higher; a bad version is withdrawn by "yanked".`,
    );
  }
  const { changed, needed } = changeKind(previous, next);
  const raised = raiseOf(previous.version, next.version);
  if (bumps.indexOf(raised) >= bumps.indexOf(needed) || needed === 'none') return [];
  const what = changed.join('; ');
  const write = semver.inc(previous.version, needed);
  if (order === 0) {
    return problem(
      `${next.version} is published with other content, changed since: ${what}`,
      `Write ${write}, or restore the published files.`,
    );
  }
  return problem(
    `${next.version} after ${previous.version} raises the ${raised} version, but the changes need a ${needed} one: ${what}`,
    `Write ${write}${needed === 'major' ? ': vectors or inputs of the two versions do not fit together' : ''}.`,
  );
}

/**
 * Which part of the version is raised. A prerelease of 2.0.0 may still change whatever 2.0.0 may.
 */
export function raiseOf(previous: string, next: string): Bump {
  const a = semver.parse(previous);
  const b = semver.parse(next);
  if (a === null || b === null || semver.compare(a, b) === 0) return 'none';
  const open = a.prerelease.length > 0;
  if (b.major > a.major || (open && a.minor === 0 && a.patch === 0 && a.compareMain(b) === 0)) return 'major';
  if (b.minor > a.minor || (open && a.patch === 0 && a.compareMain(b) === 0)) return 'minor';
  return 'patch';
}

/**
 * A fingerprint that the previous version lacks (an older format) can't be compared. Null means
 * that the model has no such part.
 */
function isChanged(previous: string | null | undefined, next: string | null | undefined): boolean {
  return previous !== undefined && previous !== (next ?? null);
}

/**
 * Paths that were added, removed or have other bytes. Undefined where the previous version lists no
 * files.
 */
function changedFiles(previous: ManifestModel['files'], next: readonly IndexedFile[]): readonly string[] | undefined {
  if (previous === undefined) return undefined;
  const before = new Map(previous.map(({ path, sha256 }) => [path, sha256]));
  const after = new Map(next.map(({ path, sha256 }) => [path, sha256]));
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort(compareBytes);
}

function belongsTo(part: FingerprintName, path: string): boolean {
  const name = posix.basename(path);
  switch (part) {
    case 'weights':
    case 'layout':
      return weightFormatOf(path) !== undefined;
    case 'tokenizer':
      return isTokenizerFile(path) || isTransformerConfig(name) || /template|processor/.test(name);
    case 'architecture':
      return ['config.json', 'adapter_config.json'].includes(path) || path.endsWith('.py');
    case 'pooling':
      return path.endsWith('.json') && path !== 'config.json' && !isTokenizerFile(path);
  }
}

/**
 * The library's config of the transformer. Its token limit is in the fingerprint `tokenizer`, the
 * rest in `pooling`.
 */
function isTransformerConfig(name: string): boolean {
  return transformerConfigNames.some((known) => known === name);
}

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).join(', ');
  return paths.length <= 5 ? shown : `${shown} and ${paths.length - 5} more`;
}

function embeddingChanges(
  previous: Embedding | undefined,
  next: Embedding,
): readonly { readonly text: string; readonly needed: Bump }[] {
  if (previous === undefined) return [];
  const changes: { text: string; needed: Bump }[] = [];
  const field = (name: keyof Embedding, needed: Bump): void => {
    const before = previous[name];
    const after = next[name];
    // A field that either side leaves out can't be compared.
    if (before === undefined || before === null || after === undefined || after === null || before === after) return;
    changes.push({ text: `${String(name).replace('_', ' ')} ${before} → ${after}`, needed });
  };
  field('dimensions', 'major');
  const fewer = (next.max_tokens ?? Infinity) < (previous.max_tokens ?? 0);
  field('max_tokens', fewer ? 'major' : 'patch');
  field('pooling', 'major');
  field('normalized', 'major');
  field('similarity', 'patch');
  return changes;
}
