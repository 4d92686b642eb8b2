import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diagnoseVectors } from '../../src/fetch/vectors/diagnose-vectors.ts';
import { embedWith, type Trap, texts } from '../fixtures/trap-embedder.ts';

const reference = embedWith('none', texts);
const diagnose = (found: readonly Float32Array[], tolerance = 1e-4) =>
  diagnoseVectors(texts, reference, found, tolerance);

const named: readonly (readonly [trap: Trap, what: string, detail: RegExp])[] = [
  ['cut', 'truncation', /only the longest texts differ: long/],
  ['no prompt', 'prompt', /query: short, query: word are those of the same texts with no prompt/],
  ['not normalised', 'not-normalised', /those of all texts have 0\.\d+ to \d/],
  ['first token', 'pooling', /differ, by 0\.\d+ in the middle/],
  ['largest', 'pooling', /differ, by 0\.\d+ in the middle/],
  ['fewer dimensions', 'dimensions', /vectors of 32 numbers came, and the model's have 48; they are the first 32/],
  ['cased', 'case', /only texts with upper-case letters or accents differ/],
  ['sorted', 'order', /are right, and stand at other texts/],
  ['eight bits', 'precision', /by 0\.00\d+ at most: as 8 bits/],
  ['other weights', 'weights', /nothing in common/],
  ['nan', 'nan', /NaN in the vectors of upper-case/],
];

for (const [trap, what, detail] of named) {
  test(`named by its pattern: ${trap}`, () => {
    const { ok, findings } = diagnose(embedWith(trap, texts));
    assert.equal(ok, false);
    assert.deepEqual([findings.length, findings[0]?.what, findings[0]?.status], [1, what, 'failed']);
    assert.match(findings[0]?.detail ?? '', detail);
    assert.ok(findings[0]?.hint);
  });
}

test('equal vectors are worth no word, half precision is, and is no fault', () => {
  assert.deepEqual(diagnose(reference).findings, []);
  const half = diagnose(embedWith('half', texts));
  assert.equal(half.ok, true);
  assert.deepEqual([half.findings[0]?.what, half.findings[0]?.status], ['precision', 'ok']);
  assert.match(half.findings[0]?.detail ?? '', /as half precision \(fp16\) does/);
  assert.equal(diagnose(embedWith('half', texts), 1e-9).findings[0]?.what, 'precision');
});

test('another prompt than the one that is asked for, and one where none is asked for', () => {
  const swapped = texts.map((text) => ({ ...text, prompt: text.prompt === null ? 'query' : null }));
  const { findings } = diagnose(
    embedWith('none', swapped).map((vector, at) => {
      return ['short', 'word', 'query: short', 'query: word'].includes(texts[at]!.id) ? vector : reference[at]!;
    }),
  );
  // Each stands where the other should: told as what it is more often.
  assert.equal(findings[0]?.what, 'order');
  const added = diagnose(
    embedWith('none', swapped).map((vector, at) => (texts[at]!.id === 'short' ? vector : reference[at]!)),
  );
  assert.equal(added.findings[0]?.what, 'prompt');
  assert.match(added.findings[0]?.detail ?? '', /short are those of the same texts with another prompt/);
});

test('a text that has a zero vector in the reference hides nothing', () => {
  const zero = (vectors: readonly Float32Array[]) =>
    vectors.map((vector, at) => (at === 8 ? vector.map(() => 0) : vector));
  const found = zero(embedWith('not normalised', texts));
  const { findings } = diagnoseVectors(texts, zero(reference), found, 1e-4);
  assert.deepEqual(
    findings.map(({ what }) => what),
    ['not-normalised'],
  );
  assert.match(findings[0]?.detail ?? '', /those of word, short, .* have/);
});

test('two things wrong are both told; a few texts without a pattern are told as such', () => {
  const vectors = embedWith('not normalised', texts);
  vectors[3] = vectors[3]!.map(() => Number.NaN);
  assert.deepEqual(
    diagnose(vectors).findings.map(({ what }) => what),
    ['nan', 'not-normalised'],
  );
  const odd = [...reference];
  const others = embedWith('other weights', texts);
  for (const at of [0, 6]) odd[at] = others[at]!;
  assert.equal(diagnose(odd).findings[0]?.what, 'texts');
});

test('any shuffle is told as one, and vectors in their places never are', () => {
  const places = texts.map((_, at) => at);
  fc.assert(
    fc.property(fc.shuffledSubarray(places, { minLength: places.length }), (order) => {
      const { ok, findings } = diagnose(order.map((at) => reference[at]!));
      const moved = order.filter((from, at) =>
        reference[from]!.some((value, column) => value !== reference[at]![column]),
      );
      if (moved.length === 0) assert.equal(ok, true);
      else assert.equal(findings[0]?.what, 'order');
    }),
  );
});

test('any noise on all numbers is precision or within the tolerance, up to what 8 bits do', () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 1e-5, max: 0.015, noNaN: true }), (seed, size) => {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        return state / 2 ** 31;
      };
      const found = reference.map((vector) => {
        const noisy = vector.map((value) => value + size * random());
        const norm = Math.hypot(...noisy);
        return noisy.map((value) => value / norm);
      });
      const { ok, findings } = diagnose(found);
      assert.ok(ok || findings[0]?.what === 'precision', JSON.stringify(findings));
    }),
  );
});
