import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import npm from 'semver';
import * as semver from '../../src/contract/semver.ts';

const number = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 3 }).map(String) },
  fc.constantFrom('10', '007', '9007199254740992'),
);
const identifier = fc.constantFrom('0', '1', '2', '10', '01', 'alpha', 'beta', 'rc', '-', 'x1');
const prerelease = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.array(identifier, { minLength: 1, maxLength: 3 }).map((parts) => `-${parts.join('.')}`),
);
const build = fc.constantFrom('', '', '', '+7', '+a.b');
const version = fc
  .tuple(fc.constantFrom('', '', '', 'v'), number, number, number, prerelease, build)
  .map(([v, a, b, c, pre, meta]) => `${v}${a}.${b}.${c}${pre}${meta}`);
const open = fc.oneof({ weight: 4, arbitrary: number }, fc.constantFrom('x', 'X', '*'));
const partial = fc.oneof(
  version,
  open,
  fc.tuple(open, open).map((parts) => parts.join('.')),
  fc.tuple(open, open, open, prerelease).map(([a, b, c, pre]) => `${a}.${b}.${c}${pre}`),
);
const simple = fc
  .tuple(fc.constantFrom('', '', '=', '<', '<=', '>', '>=', '~', '~>', '^'), fc.constantFrom('', '', ' '), partial)
  .map((words) => words.join(''));
const alternative = fc.oneof(
  { weight: 4, arbitrary: fc.array(simple, { maxLength: 3 }).map((words) => words.join(' ')) },
  fc.tuple(partial, partial).map((words) => words.join(' - ')),
);
const range = fc.array(alternative, { minLength: 1, maxLength: 3 }).map((words) => words.join(' || '));
const runs = { numRuns: Number(process.env.AIRCHER_TEST_RUNS ?? 3000) };

test('versions are valid, and have the form, that the package semver says', () => {
  fc.assert(
    fc.property(fc.oneof(version, fc.string({ maxLength: 8 }), partial), (text) => {
      assert.equal(semver.valid(text), npm.valid(text));
    }),
    runs,
  );
  assert.equal(semver.valid(`1.0.0-${'a'.repeat(300)}`), null);
});

test('versions are ordered as the package semver orders them', () => {
  fc.assert(
    fc.property(version, version, (a, b) => {
      fc.pre(npm.valid(a) !== null && npm.valid(b) !== null);
      assert.equal(Math.sign(semver.compare(a, b)), npm.compare(a, b));
      assert.equal(Math.sign(semver.rcompare(a, b)), npm.rcompare(a, b));
      assert.deepEqual([semver.gt(a, b), semver.lt(a, b)], [npm.gt(a, b), npm.lt(a, b)]);
    }),
    runs,
  );
  assert.throws(() => semver.compare('1.0', '1.0.0'), RangeError);
});

test('ranges are valid, and hold the versions, that the package semver says', () => {
  fc.assert(
    fc.property(range, fc.array(version, { minLength: 1, maxLength: 8 }), (text, versions) => {
      assert.equal(semver.isRange(text), npm.validRange(text) !== null, text);
      for (const one of versions)
        assert.equal(semver.satisfies(one, text), npm.satisfies(one, text), `${one} in ${text}`);
    }),
    { ...runs, numRuns: runs.numRuns * 3 },
  );
});

test('what is no range is none', () => {
  for (const text of ['latest', '1.2.3.4', '>>1', '1 2 -', 'a || 1', '1.x.2', '^^1', '>=1.0.0 <', '!1']) {
    assert.equal(semver.isRange(text), npm.validRange(text) !== null, text);
  }
});
