import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatEmbedRequest, parseEmbedAnswer, toVectors } from '../../src/contract/embed-protocol.ts';
import { limits } from '../../src/contract/limits.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 60);
const texts = [
  { id: 'a', text: 'Ä\n"', prompt: null },
  { id: 'query:a', text: 'Ä\n"', prompt: 'query' },
];
const parse = (answer: string) => parseEmbedAnswer(Buffer.from(answer), texts, 'embed.py');

test('the request is one JSON document on one line', () => {
  assert.equal(
    formatEmbedRequest(texts),
    '{"texts":[{"id":"a","text":"Ä\\n\\"","prompt":null},{"id":"query:a","text":"Ä\\n\\"","prompt":"query"}]}\n',
  );
});

test('the answer has a vector for each text, and says what made them', () => {
  assert.deepEqual(parse('{"vectors": [[1, 2.5], [-3e-2, 0]], "runtime": "numpy \\u001b 2"}\n'), {
    vectors: [Float32Array.of(1, 2.5), Float32Array.of(-0.03, 0)],
    runtime: 'numpy \ufffd 2',
  });
  assert.deepEqual(parse('{"vectors": [[1], [2]]}'), { vectors: [Float32Array.of(1), Float32Array.of(2)] });
});

test('NaN, Infinity, null and what no float32 holds are read as NaN; words in a text are left alone', () => {
  const { vectors, runtime } = parse(
    '{"runtime": "NaN, \\"-Infinity\\"", "vectors": [[NaN, -Infinity, 1], [Infinity, null, 1e300]]}',
  );
  assert.deepEqual(vectors, [Float32Array.of(NaN, NaN, 1), Float32Array.of(NaN, NaN, NaN)]);
  assert.equal(runtime, 'NaN, "-Infinity"');
});

const bad: Readonly<Record<string, readonly [string, RegExp]>> = {
  'nothing at all': ['', /what embed\.py printed: not valid JSON: it ends too early/],
  'a word before it': ['loading…\n{"vectors": [[1], [2]]}', /not valid JSON/],
  'two documents': ['{"vectors": [[1], [2]]}\n{"vectors": [[1], [2]]}', /not valid JSON/],
  'a list': ['[[1], [2]]', /no JSON object with "vectors"/],
  'no vectors': ['{"vector": []}', /embed\.py: "vectors" is no list/],
  'too few vectors': ['{"vectors": [[1]]}', /1 vectors for 2 texts/],
  'too many vectors': ['{"vectors": [[1], [2], [3]]}', /3 vectors for 2 texts/],
  'vectors of several lengths': ['{"vectors": [[1, 2], [3]]}', /vectors\[1\] has 1 numbers, vectors\[0\] has 2/],
  'empty vectors': ['{"vectors": [[], []]}', /a vector of 0 numbers/],
  'a matrix for each text': ['{"vectors": [[[1]], [[2]]]}', /vectors\[0\] is no list of numbers/],
  'numbers as texts': ['{"vectors": [["1"], ["2"]]}', /vectors\[0\] is no list of numbers/],
  'the key twice': ['{"vectors": [[1], [2]], "vectors": [[1], [3]]}', /stands twice/],
  'nesting without end': ['['.repeat(100_000), /nested more than 8 deep/],
};

for (const [what, [answer, message]] of Object.entries(bad)) {
  test(`refused: ${what}`, () => {
    assert.throws(() => parse(answer), { code: 'invalid', message });
  });
}

test('refused before it is read: more bytes than the limit', () => {
  assert.throws(() => parseEmbedAnswer(Buffer.alloc(limits.vectorsBytes + 1, ' '), texts, 'embed.py'), {
    message: /more than the limit of 67108864/,
  });
});

test('a library may give typed arrays, and holes are NaN', () => {
  const rows = [Float64Array.of(0.1, 1), [2, undefined]];
  assert.deepEqual(toVectors(rows, texts, 'embed'), [Float32Array.of(0.1, 1), Float32Array.of(2, NaN)]);
  assert.throws(() => toVectors([new DataView(new ArrayBuffer(8)), [1]], texts, 'embed'), /no list of numbers/);
});

test('any vectors and any runtime arrive as they were printed', () => {
  fc.assert(
    fc.property(
      fc.array(fc.float32Array({ minLength: 3, maxLength: 3, noNaN: true, noDefaultInfinity: true }), {
        minLength: 2,
        maxLength: 2,
      }),
      fc.constantFrom('NaN', 'a "NaN" \\', '-Infinity\\"', 'numpy'),
      (vectors, runtime) => {
        const rows = vectors.map((vector) => [...vector]);
        assert.deepEqual(parse(JSON.stringify({ runtime, vectors: rows })), {
          // JSON has no -0.
          vectors: vectors.map((vector) => vector.map((number) => number + 0)),
          runtime,
        });
      },
    ),
    { numRuns },
  );
});
