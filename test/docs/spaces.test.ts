import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { baseModels } from '../model/spaces/base-models.ts';
import { differing, fingerprint } from '../model/spaces/model-files.ts';
import { triedChanges } from '../model/spaces/tried-changes.ts';

const document = await readFile(new URL('../../docs/spaces.md', import.meta.url), 'utf8');

/** Rows of the table of tried changes: the change, and its outcome. */
const rows = [
  ...(/\| change \| outcome \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(document)?.[1] ?? '').matchAll(
    /^\| (.+) \| (.+) \|$/gm,
  ),
];

test('the table of tried changes has every change that is tried, and no other', () => {
  assert.deepEqual(
    rows.map(([, change]) => change),
    Object.keys(triedChanges),
  );
});

for (const [, change = '', outcome = ''] of rows) {
  test(`spaces.md: ${change} → ${outcome}`, async () => {
    const { of = 'sentence', make } = triedChanges[change]!;
    const before = await fingerprint(baseModels[of]());
    const model = baseModels[of]();
    make(model);
    const after = await fingerprint(model);
    assert.deepEqual(after.errors, before.errors, 'the model is as sound as before');
    assert.deepEqual(differing(before, after), outcome === 'same' ? [] : outcome.split(', '));
    assert.equal(before.space === after.space, outcome === 'same');
  });
}
