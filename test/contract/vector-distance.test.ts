import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cosineDistance, countDistinct, normDifference, vectorNorm } from '../../src/contract/vector-distance.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 60);
const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 }), {
  minLength: 1,
  maxLength: 50,
});
const nonZero = numbers.filter((vector) => vectorNorm(vector) > 1e-3);

test('the distance is 1 − cosine; of zero vectors 0, of a zero vector and another 1', () => {
  assert.equal(cosineDistance([1, 0], [0, 2]), 1);
  assert.equal(cosineDistance([1, 0], [-3, 0]), 2);
  assert.ok(Math.abs(cosineDistance([1, 0], [1, 1]) - (1 - Math.SQRT1_2)) < 1e-15);
  assert.equal(cosineDistance([0, 0], [0, 0]), 0);
  assert.equal(cosineDistance([0, 0], [0, 5]), 1);
  assert.equal(cosineDistance([0, 5], [0, 0]), 1);
});

test('NaN anywhere, or other lengths, have no distance', () => {
  for (const [a, b] of [
    [
      [1, NaN],
      [1, 0],
    ],
    [
      [1, 0],
      [NaN, 0],
    ],
    [
      [0, 0],
      [NaN, 0],
    ],
    [[NaN], [NaN]],
    [[1, 0], [1]],
  ] as const) {
    assert.ok(Number.isNaN(cosineDistance(a, b)));
  }
});

test('a vector is exactly equal to itself, the order of two does not matter, nor does their length', () => {
  fc.assert(
    fc.property(nonZero, fc.float({ min: Math.fround(0.01), max: 100, noNaN: true }), (vector, factor) => {
      assert.equal(cosineDistance(vector, vector), 0);
      const longer = vector.map((number) => number * factor);
      assert.ok(cosineDistance(vector, longer) < 1e-12);
      const other = [...vector].reverse();
      const distance = cosineDistance(vector, other);
      assert.equal(distance, cosineDistance(other, vector));
      assert.ok(distance >= 0 && distance <= 2 + 1e-12);
    }),
    { numRuns },
  );
});

test('the smallest and largest float32 have lengths', () => {
  const [small, large] = [Float32Array.of(1e-45, 1e-45), Float32Array.of(3e38, 3e38)];
  assert.equal(cosineDistance(small, small), 0);
  assert.equal(cosineDistance(large, large), 0);
  assert.equal(cosineDistance(small, large) < 1e-12, true);
  assert.ok(vectorNorm(large) > 4e38);
});

test('norms are compared by their share of the reference', () => {
  assert.equal(vectorNorm([3, 4]), 5);
  assert.ok(Math.abs(normDifference(1.02, 1) - 0.02) < 1e-12);
  assert.equal(normDifference(0, 0), 0);
  assert.equal(normDifference(1, 0), Infinity);
  assert.ok(Number.isNaN(normDifference(NaN, 1)));
});

test('vectors that are distinct: neither zero nor near another, up to as many as are enough', () => {
  const vectors = [
    [0, 0],
    [1, 0],
    [2, 0],
    [1, 1e-4],
    [0, 1],
    [1, 1],
    [0, 0],
    [0, 3],
    [-1, 0],
  ];
  assert.equal(countDistinct(vectors, 1e-6, 10), 4);
  assert.equal(countDistinct(vectors, 1e-6, 3), 3);
  assert.equal(countDistinct(vectors, 1e-12, 10), 5);
  assert.equal(countDistinct([[0], [0]], 1e-6, 2), 0);
});
