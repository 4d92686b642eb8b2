import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorld } from './world.ts';

test('plain http to another machine is refused with the flag that allows it, and the flag allows it', async (t) => {
  const world = await createWorld(t);
  // A name that nobody answers for: with the flag it is asked, and isn't found.
  const args = ['install', 'm', '--manifest', 'http://nobody.invalid/manifest.json'];
  const refused = await world.run(args);
  assert.equal(refused.exitCode, 5, refused.stderr);
  assert.match(refused.stderr, /hint: .*--allow-http/);
  const asked = await world.run([...args, '--allow-http']);
  assert.equal(asked.exitCode, 5, asked.stderr);
  assert.doesNotMatch(asked.stderr, /--allow-http/);
  assert.match(asked.stderr, /nobody\.invalid/);
});
