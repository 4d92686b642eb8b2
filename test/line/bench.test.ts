import assert from 'node:assert/strict';
import { test } from 'node:test';
import { benchUpdates } from '../../scripts/bench/install.ts';

test('the bench counts what updates fetch at the server: chunks and the index, of a new README too', async () => {
  const { twoLayers, readmeOnly } = await benchUpdates({ layers: 3, hidden: 16, vocabulary: 200 });
  for (const { archive, index, manifest } of [twoLayers, readmeOnly]) {
    assert.ok(archive > 0 && index > 500 && manifest > 500, JSON.stringify({ archive, index, manifest }));
  }
  assert.ok(readmeOnly.archive < twoLayers.archive);
});
