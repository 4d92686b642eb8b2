import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limits } from '../../src/contract/limits.ts';
import {
  encodeVectors,
  formatReferenceVectors,
  parseReferenceVectors,
  type ReferenceVectors,
} from '../../src/contract/reference-vectors.ts';
import { isAircherError } from '../../src/core/errors.ts';

const numRuns = Number(process.env.AIRCHER_TEST_RUNS ?? 60);
const digest = 'ab'.repeat(32);

const sample: ReferenceVectors = {
  model: 'tiny',
  version: '1.2.0',
  archive_sha256: digest,
  dimensions: 2,
  texts: [
    { id: 'short', text: 'A dog.', prompt: null },
    { id: 'query:short', text: 'A dog.', prompt: 'query' },
  ],
  sets: [
    {
      weights: 'model.safetensors',
      space: digest,
      tolerance: 0.0001,
      runtime: 'numpy 2',
      vectors: [Float32Array.of(1, 0), Float32Array.of(0.5, -2)],
    },
  ],
};

const golden = `{
  "vectors_version": 1,
  "model": "tiny",
  "version": "1.2.0",
  "archive_sha256": "${digest}",
  "dimensions": 2,
  "texts": [
    {
      "id": "short",
      "text": "A dog.",
      "prompt": null
    },
    {
      "id": "query:short",
      "text": "A dog.",
      "prompt": "query"
    }
  ],
  "sets": [
    {
      "weights": "model.safetensors",
      "space": "${digest}",
      "tolerance": 0.0001,
      "runtime": "numpy 2",
      "vectors": "AACAPwAAAAAAAAA/AAAAwA=="
    }
  ]
}
`;

const parse = (text: string): ReferenceVectors => parseReferenceVectors(Buffer.from(text), 'tiny.vectors.json');

test('reference vectors have one byte form, and read back', () => {
  assert.equal(formatReferenceVectors(sample), golden);
  assert.deepEqual(parse(golden), sample);
});

test('what a reader does not know is ignored', () => {
  assert.deepEqual(parse(golden.replace('"dimensions"', '"later": [1], "dimensions"')), sample);
});

const hostile: Readonly<Record<string, readonly [string, string]>> = {
  'no JSON': [golden, 'x'],
  'another version of the format': ['"vectors_version": 1', '"vectors_version": 2'],
  'a digest that is none': [digest, 'ab'],
  'no texts': [golden.slice(golden.indexOf('"texts"'), golden.indexOf(',\n  "sets"')), '"texts": []'],
  'an id twice': ['query:short', 'short'],
  'an id that steers a terminal': ['query:short', '\\u001b[2J'],
  'a prompt that is no text': ['"prompt": "query"', '"prompt": 1'],
  'more dimensions than the vectors have': ['"dimensions": 2', '"dimensions": 3'],
  'fewer dimensions than the vectors have': ['"dimensions": 2', '"dimensions": 1'],
  'no dimensions': ['"dimensions": 2', '"dimensions": 0'],
  'dimensions without end': ['"dimensions": 2', '"dimensions": 9007199254740991'],
  'a tolerance above everything': ['0.0001', '2'],
  'a tolerance below 0': ['0.0001', '-1'],
  'fewer rows than texts': ['AACAPwAAAAAAAAA/AAAAwA==', 'AACAPwAAAAA='],
  'NaN among the numbers': ['AACAPwAAAAAAAAA/AAAAwA==', encodeVectors([Float32Array.of(1, 0, Number.NaN, 1)])],
  'Infinity among the numbers': ['AACAPwAAAAAAAAA/AAAAwA==', encodeVectors([Float32Array.of(1, 0, -Infinity, 1)])],
  'base64 of another alphabet': ['AAAA/AAAAw', 'AAAA_AAAAw'],
  'base64 without its padding': ['wA==', 'wA'],
  'base64 with a line break': ['AACAPwAA', 'AACA\\nPwAA'],
  'bits behind the last byte': ['wA==', 'wB=='],
  'weights twice': [
    golden.slice(golden.indexOf('    {\n      "weights"'), golden.indexOf('\n  ]\n}')),
    `{"weights":"m","space":"${digest}","tolerance":0,"vectors":"AACAPwAAAAAAAAA/AAAAwA=="},
     {"weights":"m","space":"${digest}","tolerance":0,"vectors":"AACAPwAAAAAAAAA/AAAAwA=="}`,
  ],
  'a runtime that steers a terminal': ['numpy 2', '\\u202e'],
  'a runtime without end': ['numpy 2', 'x'.repeat(501)],
};

for (const [what, [from, to]] of Object.entries(hostile)) {
  test(`refused: ${what}`, () => {
    const text = golden.replaceAll(from, () => to);
    assert.notEqual(text, golden);
    assert.throws(() => parse(text), { code: 'invalid', message: /tiny\.vectors\.json/ });
  });
}

test('refused before it is read: more bytes than the limit, more values than texts can have', () => {
  const huge = Buffer.alloc(limits.vectorsBytes + 1, ' ');
  assert.throws(() => parseReferenceVectors(huge, 'x'), /more than the limit/);
  const many = golden.replace('"sets"', `"more": [${'0,'.repeat(limits.referenceTexts * 8)}0], "sets"`);
  assert.throws(() => parse(many), /more than 8000 values/);
});

test('vectors of any numbers read back bit for bit, and no cut of the document is read', () => {
  fc.assert(
    fc.property(
      fc
        .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 }))
        .chain(([dimensions, rows]) =>
          fc.array(
            fc.float32Array({ minLength: dimensions, maxLength: dimensions, noNaN: true, noDefaultInfinity: true }),
            { minLength: rows, maxLength: rows },
          ),
        ),
      fc.array(fc.string({ unit: 'grapheme' }), { minLength: 4, maxLength: 4 }),
      fc.nat(),
      (vectors, words, cut) => {
        const reference: ReferenceVectors = {
          ...sample,
          dimensions: vectors[0]!.length,
          texts: vectors.map((_, at) => ({ id: `t${at}`, text: words[at]!, prompt: at % 2 ? words[at]! : null })),
          sets: [{ ...sample.sets[0]!, vectors }],
        };
        const text = formatReferenceVectors(reference);
        assert.deepEqual(parse(text), reference);
        assert.equal(formatReferenceVectors(parse(text)), text);
        const part = text.slice(0, cut % (text.length - 2));
        assert.throws(
          () => parse(part),
          (error) => isAircherError(error, 'invalid'),
        );
      },
    ),
    { numRuns },
  );
});
