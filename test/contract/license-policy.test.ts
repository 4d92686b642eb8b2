import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptedOf, type LicensePolicy, licenseFault } from '../../src/contract/license-policy.ts';

const cases: readonly (readonly [license: string | undefined, policy: LicensePolicy, fault: RegExp | undefined])[] = [
  ['MIT', {}, undefined],
  [undefined, {}, undefined],
  ['anything at all (really', { allow: [], deny: [], commercial_only: false }, undefined],
  ['MIT', { allow: ['Apache-2.0', 'mit'] }, undefined],
  ['GPL-3.0-only', { allow: ['MIT'] }, /is not allowed/],
  [undefined, { allow: ['MIT'] }, /is not stated/],
  [undefined, { deny: ['MIT'] }, undefined],
  ['MIT', { deny: ['MIT'] }, /is not allowed/],
  ['MIT', { allow: ['MIT'], deny: ['Apache-2.0'] }, undefined],
  ['MIT OR GPL-3.0-only', { deny: ['GPL-3.0-only'] }, undefined],
  ['MIT AND GPL-3.0-only', { deny: ['GPL-3.0-only'] }, /is not allowed/],
  ['MIT AND (GPL-3.0-only OR Apache-2.0)', { allow: ['MIT', 'Apache-2.0'] }, undefined],
  ['MIT OR GPL-3.0-only AND Apache-2.0', { allow: ['GPL-3.0-only', 'Apache-2.0'] }, undefined],
  ['GPL-2.0-only WITH Classpath-exception-2.0', { allow: ['GPL-2.0-only'] }, undefined],
  ['GPL-2.0-only WITH Classpath-exception-2.0', { deny: ['GPL-2.0-only'] }, /is not allowed/],
  ['GPL-2.0-only', { allow: ['GPL-2.0-only WITH Classpath-exception-2.0'] }, /is not allowed/],
  ['LicenseRef-gemma', { allow: ['LicenseRef-gemma'] }, undefined],
  ['Custom Terms', { allow: ['Custom Terms'] }, undefined],
  ['Custom Terms', { allow: ['Custom', 'Terms'] }, /is not allowed/],
  ['MIT)', { allow: ['MIT'] }, /is not allowed/],
  ['(MIT', { allow: ['MIT'] }, /is not allowed/],
  ['MIT OR', { deny: ['GPL-3.0-only'] }, /is not allowed/],
  [`${'('.repeat(200_000)}MIT`, { allow: ['MIT'] }, /is not allowed/],
];

for (const [license, policy, fault] of cases) {
  test(`${license?.slice(0, 60)} by ${JSON.stringify(policy)}: ${fault ? 'refused' : 'allowed'}`, () => {
    const found = licenseFault({ license, commercial_use: true }, policy);
    assert.equal(found === undefined, fault === undefined, found);
    if (fault) assert.match(found ?? '', fault);
  });
}

test('commercial_only refuses what forbids it, and what does not say', () => {
  const policy = { commercial_only: true };
  assert.equal(licenseFault({ license: 'MIT', commercial_use: true }, policy), undefined);
  assert.match(licenseFault({ license: 'CC-BY-NC-4.0', commercial_use: false }, policy) ?? '', /forbids/);
  assert.match(licenseFault({ license: 'x' }, policy) ?? '', /not said/);
  assert.equal(licenseFault({ license: 'CC-BY-NC-4.0', commercial_use: false }, policy, ['cc-by-nc-4.0']), undefined);
});

test('what is accepted counts for the licence that it names, and no other', () => {
  const policy = { allow: ['MIT'], deny: ['AGPL-3.0-only'] };
  assert.equal(licenseFault({ license: 'AGPL-3.0-only' }, policy, ['AGPL-3.0-only']), undefined);
  assert.equal(licenseFault({ license: 'MIT AND AGPL-3.0-only' }, policy, ['AGPL-3.0-only']), undefined);
  assert.equal(licenseFault({ license: 'MIT AND AGPL-3.0-only' }, policy, ['MIT AND AGPL-3.0-only']), undefined);
  assert.ok(licenseFault({ license: 'GPL-3.0-only' }, policy, ['AGPL-3.0-only']));
  assert.deepEqual(acceptedOf({ license: 'MIT OR X WITH Y' }, ['Z', 'x', 'X WITH Y', 'mit or x with y']), [
    'x',
    'X WITH Y',
    'mit or x with y',
  ]);
});

test('an expression holds as its words say, whatever the order and the parentheses', () => {
  type Tree = string | readonly [operator: 'AND' | 'OR', left: Tree, right: Tree];
  const leaf = fc.constantFrom('A', 'B', 'C', 'D');
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.tuple(fc.constantFrom('AND' as const, 'OR' as const), tie('tree'), tie('tree')),
    ),
  }));
  const text = (node: Tree): string =>
    typeof node === 'string' ? node : `(${text(node[1])} ${node[0]} ${text(node[2])})`;
  const truth = (node: Tree, good: readonly string[]): boolean => {
    if (typeof node === 'string') return good.includes(node);
    const [left, right] = [truth(node[1], good), truth(node[2], good)];
    return node[0] === 'AND' ? left && right : left || right;
  };
  fc.assert(
    fc.property(tree, fc.uniqueArray(leaf, { minLength: 1 }), (node, allow) => {
      assert.equal(licenseFault({ license: text(node) }, { allow }) === undefined, truth(node, allow));
    }),
  );
});
