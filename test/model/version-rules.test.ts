import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ManifestModel, ManifestWeights } from '../../src/contract/manifest.ts';
import { sha256 } from '../../src/core/hashing.ts';
import { changeKind, type ModelContent, versionProblems, weightsAfter } from '../../src/model/version-rules.ts';
import { weightsOf } from '../fixtures/weights-entry.ts';

const paths = ['README.md', 'config.json', 'model.safetensors', 'modules.json', 'tokenizer.json', 'vocab.txt'];

const content: Omit<ModelContent, 'version'> = {
  fingerprints: {
    weights: sha256('w'),
    layout: sha256('l'),
    tokenizer: sha256('t'),
    pooling: sha256('p'),
    architecture: sha256('a'),
  },
  embedding: { dimensions: 384, max_tokens: 256, pooling: 'mean', normalized: true, similarity: 'cosine' },
  files: paths.map((path) => ({ path, size_bytes: 1, sha256: sha256(path) })),
};

const place = { file: 'manifests/release.json', path: '$.models.x.version' };

function published(version: string, more: Partial<ManifestModel> = {}): ManifestModel {
  const urls = { mirror: 'https://example.org/x.tar.gz' };
  return {
    version,
    size_bytes: 1,
    sha256: sha256(''),
    download_urls: urls,
    ...structuredClone(content),
    ...more,
  } as ManifestModel;
}

/** One rendition in this space. */
function weights(space: string): ManifestWeights[] {
  return weightsOf(content.files, space).weights;
}

/** The published content with other files and fingerprints. */
function changed(files: readonly string[], parts: readonly string[] = [], embedding: object = {}): typeof content {
  return {
    fingerprints: {
      ...content.fingerprints,
      ...Object.fromEntries(parts.map((part) => [part, sha256(`new ${part}`)])),
    },
    embedding: { ...content.embedding, ...embedding },
    files: content.files.map((file) => (files.includes(file.path) ? { ...file, sha256: sha256('new') } : file)),
  };
}

function messages(previous: string, version: string, next: typeof content): string[] {
  return versionProblems(published(previous), { version, ...next }, place).map(
    ({ message, hint }) => `${message} | ${hint}`,
  );
}

test('unchanged content needs no new version, and may have one', () => {
  assert.deepEqual(messages('1.2.0', '1.2.0', content), []);
  assert.deepEqual(messages('1.2.0', '1.2.1', content), []);
  assert.deepEqual(changeKind(published('1.2.0'), content), { changed: [], needed: 'none' });
});

test('a version that goes back is refused', () => {
  assert.deepEqual(messages('1.2.0', '1.1.9', content), [
    '1.1.9 is older than 1.2.0, which is published | Write 1.2.1 or higher; a bad version is withdrawn by "yanked".',
  ]);
});

test('changed content under an unchanged version is refused, with the files and the version to write', () => {
  assert.deepEqual(messages('1.2.0', '1.2.0', changed(['README.md'])), [
    '1.2.0 is published with other content, changed since: files (README.md) | Write 1.2.1, or restore the published files.',
  ]);
  assert.deepEqual(messages('1.2.0', '1.2.0', changed(['model.safetensors'], ['weights'])), [
    '1.2.0 is published with other content, changed since: weights (model.safetensors) | Write 1.3.0, or restore the published files.',
  ]);
});

test('other weights need a minor version, and metadata a patch', () => {
  const retrained = changed(['model.safetensors'], ['weights']);
  assert.deepEqual(messages('1.2.0', '1.2.1', retrained), [
    '1.2.1 after 1.2.0 raises the patch version, but the changes need a minor one: weights (model.safetensors) | Write 1.3.0.',
  ]);
  assert.deepEqual(messages('1.2.0', '1.3.0', retrained), []);
  const metadata = changed(['model.safetensors']);
  assert.deepEqual(messages('1.2.0', '1.2.1', metadata), []);
});

test('another layout, tokenizer, pooling or architecture needs a major version', () => {
  for (const [part, path] of [
    ['layout', 'model.safetensors'],
    ['tokenizer', 'tokenizer.json'],
    ['pooling', 'modules.json'],
    ['architecture', 'config.json'],
  ] as const) {
    const [message] = messages('1.2.0', '1.9.0', changed([path], [part]));
    assert.match(message ?? '', new RegExp(`need a major one: ${part} \\(${path}\\) \\| Write 2\\.0\\.0: `));
    assert.deepEqual(messages('1.2.0', '2.0.0', changed([path], [part])), []);
  }
});

test('fewer max tokens and other dimensions need a major version; more tokens do not', () => {
  const files = ['tokenizer.json'];
  assert.match(
    messages('1.0.0', '1.1.0', changed(files, [], { max_tokens: 128 }))[0] ?? '',
    /major one: max tokens 256 → 128/,
  );
  assert.match(
    messages('1.0.0', '1.1.0', changed(files, [], { dimensions: 768 }))[0] ?? '',
    /major one: dimensions 384 → 768/,
  );
  assert.deepEqual(messages('1.0.0', '1.0.1', changed(files, [], { max_tokens: 512 })), []);
});

test('a prerelease may change whatever the version that it prepares may', () => {
  const weights = changed(['model.safetensors'], ['weights']);
  const layout = changed(['model.safetensors'], ['layout']);
  assert.deepEqual(messages('1.2.0', '2.0.0-rc.1', layout), []);
  assert.deepEqual(messages('2.0.0-rc.1', '2.0.0-rc.2', layout), []);
  assert.deepEqual(messages('2.0.0-rc.1', '2.0.0', layout), []);
  assert.deepEqual(messages('1.3.0-rc.1', '1.3.0', weights), []);
  assert.equal(messages('1.3.0-rc.1', '1.3.0', layout).length, 1);
  assert.equal(messages('1.2.0', '1.2.1-rc.1', weights).length, 1);
});

test('an entry of the first draft, without files and fingerprints, forbids nothing', () => {
  const draft = published('1.0.0', { files: undefined, fingerprints: undefined, embedding: undefined });
  assert.deepEqual(versionProblems(draft, { version: '1.0.0', ...content }, place), []);
});

test('the space is the previous one where fingerprints or files are equal, whatever number that has', () => {
  const [old, own] = [sha256('old space'), sha256('own space')];
  const previous = published('1.0.0', { embedding: { ...content.embedding, space: old }, weights: weights(old) });
  const space = (next: typeof content) => weightsAfter(previous, { ...next, weights: weights(own) })[0]?.space;
  assert.equal(space(changed(['README.md'])), old);
  for (const part of Object.keys(content.fingerprints)) {
    assert.equal(space(changed(['config.json'], [part])), own, part);
    // Another version of this program may make other fingerprints of the same files.
    assert.equal(space(changed([], [part])), old, part);
  }
});

test('a version before the first, without a space or without fingerprints gives its space to nobody', () => {
  const own = sha256('own space');
  const space = (previous: ManifestModel | null) =>
    weightsAfter(previous, { ...changed(['README.md']), weights: weights(own) })[0]?.space;
  assert.equal(space(null), own);
  assert.equal(space(published('1.0.0')), own, 'no space');
  const { layout: _, ...less } = content.fingerprints;
  const embedding = { space: sha256('old space') };
  assert.equal(space(published('1.0.0', { fingerprints: less, embedding })), own, 'no layout');
});

test('a fact that one side does not know is no change', () => {
  const unknown = published('1.0.0', { embedding: { dimensions: null, pooling: null } });
  assert.equal(changeKind(unknown, changed(['README.md'])).needed, 'patch');
});

test('added and removed files are named, and long lists are shortened', () => {
  const next = {
    ...content,
    files: [...content.files.slice(1), ...'abcdef'].map((file) =>
      typeof file === 'string' ? { path: file, size_bytes: 1, sha256: sha256(file) } : file,
    ),
  };
  assert.deepEqual(changeKind(published('1.0.0'), next).changed, ['files (README.md, a, b, c, d and 2 more)']);
});

test('every problem stands at the place of the version in release.json', () => {
  const [problem] = versionProblems(published('1.2.0'), { version: '1.0.0', ...content }, place);
  assert.equal(problem?.file, place.file);
  assert.equal(problem?.path, place.path);
  assert.equal(problem?.level, 'error');
});
