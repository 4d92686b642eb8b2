import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTrustScene, lineOf, newKey } from './trust-scene.ts';

const at = (version: string) => ({ alpha: { version, layers: 1, layerBytes: 1000 } });

test('key swap: a release that another key signed, and that announces that key, is exit 4', async (t) => {
  const { world, key, run, serve } = await createTrustScene(t);
  const signed = await world.release('1.0.0', at('1.0.0'), { key });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  const thief = newKey();
  await serve(
    world.mirrorDirectory,
    { ...signed, generated_at: '2027-01-01T00:00:00Z', signing: { public_keys: [lineOf(thief)] } },
    thief,
  );
  const refused = await run(['update', '--all']);
  assert.equal(refused.exitCode, 4, refused.stderr);
  assert.match(refused.stderr, /another key|not .*trusted|key/);
});

test('key swap: the id of the right key under another key’s signature is exit 4', async (t) => {
  const { world, key, run, serve } = await createTrustScene(t);
  const signed = await world.release('1.0.0', at('1.0.0'), { key });
  const thief = newKey();
  const disguised = { ...thief, publicKey: { ...thief.publicKey, keyId: key.publicKey.keyId } };
  await serve(world.mirrorDirectory, signed, disguised);
  const refused = await run(['install', 'alpha']);
  assert.equal(refused.exitCode, 4, refused.stderr);
});

test('a signature stripped by a mirror: passed over where another mirror has it, refused (4) where it is alone', async (t) => {
  const { world, key, run, copyHost } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'), { key });
  const stripped = await copyHost();
  await rm(join(stripped.directory, 'manifest.json.minisig'));
  await rm(join(stripped.directory, 'models-v1.0.0/manifest.json.minisig'));
  const alone = await run(['install', 'alpha'], { sources: [stripped.manifestUrl] });
  assert.equal(alone.exitCode, 4, alone.stderr);
  assert.match(alone.stderr, /has no signature/);
  const both = await run(['install', 'alpha'], { sources: [stripped.manifestUrl, world.manifestUrl] });
  assert.equal(both.exitCode, 0, both.stderr);
  assert.match(both.stderr, new RegExp(`warning: ${stripped.manifestUrl}: .*no signature`));
});

test('a mirror that says it has no new manifest does not get a client to do without a signature', async (t) => {
  const { world, run, copyHost } = await createTrustScene(t);
  await world.release('1.0.0', at('1.0.0'));
  assert.equal((await run(['install', 'alpha'], { publicKeys: [] })).exitCode, 0, 'once without a key');
  const host = await copyHost();
  host.mirror.faults.add({
    match: { path: /manifest\.json$/ },
    times: 'always',
    action: { kind: 'status', status: 304, body: '' },
  });
  const refused = await run(['update', '--all'], { sources: [host.manifestUrl] });
  assert.notEqual(refused.exitCode, 0, refused.stderr);
  assert.match(refused.stderr, /doesn't count: .*no signature/);
});

test('rotation: a client that saw the announcing release follows to the new key, and back to the old one no more', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  const next = newKey();
  await world.release('1.0.0', at('1.0.0'), { key });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  await world.release('1.1.0', at('1.1.0'), { key, signing: { public_keys: [lineOf(key), lineOf(next)] } });
  assert.equal((await run(['update', '--all'])).exitCode, 0, 'the announcing release');
  await world.release('1.2.0', at('1.2.0'), { key: next, signing: { public_keys: [lineOf(next)] } });
  assert.equal((await run(['update', '--all'])).exitCode, 0, 'the first one by the new key');
  await world.release('1.3.0', at('1.3.0'), { key, signing: { public_keys: [lineOf(key)] } });
  const leaked = await run(['update', '--all']);
  assert.equal(leaked.exitCode, 4, 'whoever has the old key can release nothing any more');
  assert.equal((await run(['path', 'alpha'])).exitCode, 0);
});

test('rotation: a client that missed the announcing release refuses (4), works on, and is brought along by it, or by the new key', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  const next = newKey();
  await world.release('1.0.0', at('1.0.0'), { key });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  await world.release('1.1.0', at('1.1.0'), { key, signing: { public_keys: [lineOf(key), lineOf(next)] } });
  await world.release('1.2.0', at('1.2.0'), { key: next, signing: { public_keys: [lineOf(next)] } });
  assert.equal((await run(['update', '--all'])).exitCode, 4);
  assert.equal((await run(['install', 'alpha'])).exitCode, 0, 'what is installed works');
  const announcing = `${world.mirror.url}/models-v1.1.0/manifest.json`;
  assert.equal(
    (await run(['check-updates', '--manifest', announcing])).exitCode,
    0,
    'the announcing release, named once',
  );
  const updated = await run(['update', '--all', '--json']);
  assert.equal(updated.exitCode, 0, updated.stderr);
  assert.match(updated.stdout, /"to": "1\.2\.0"/);

  const late = { cache: world.path('late') };
  assert.equal((await run(['install', 'alpha'], late)).exitCode, 4);
  assert.equal(
    (await run(['install', 'alpha'], { ...late, publicKeys: [next] })).exitCode,
    0,
    'the new key by another way',
  );
});

test('rotation: the announcing release, met again at another host, stays what was accepted by the old key', async (t) => {
  const { world, key, run, copyHost } = await createTrustScene(t);
  const next = newKey();
  await world.release('1.0.0', at('1.0.0'), { key, signing: { public_keys: [lineOf(next)] } });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  const other = await copyHost();
  assert.equal((await run(['check-updates'], { sources: [other.manifestUrl] })).exitCode, 0);
  await world.release('1.1.0', at('1.1.0'), { key: next });
  const updated = await run(['update', '--all']);
  assert.equal(updated.exitCode, 0, updated.stderr);
  assert.doesNotMatch(updated.stderr, /doesn't count/);
});

test('rotation twice: a client that has the middle key alone goes on with what the cache learned since', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  const [middle, last] = [newKey(), newKey()];
  await world.release('1.0.0', at('1.0.0'), { key, signing: { public_keys: [lineOf(middle)] } });
  assert.equal((await run(['install', 'alpha'])).exitCode, 0);
  await world.release('1.1.0', at('1.1.0'), { key: middle, signing: { public_keys: [lineOf(last)] } });
  assert.equal((await run(['update', '--all'])).exitCode, 0);
  await world.release('1.2.0', at('1.2.0'), { key: last });
  const updated = await run(['update', '--all'], { publicKeys: [middle] });
  assert.equal(updated.exitCode, 0, updated.stderr);
  assert.doesNotMatch(updated.stderr, /doesn't count/);
  assert.equal((await run(['check-updates'])).exitCode, 0, 'the client with the first key too');
  const thief = newKey();
  const alone = await run(['update', '--all'], { publicKeys: [thief] });
  assert.equal(alone.exitCode, 4, 'a key that was never announced begins anew');
});

test('rotation: an announcement in a manifest that nobody signed teaches nothing', async (t) => {
  const { world, key, run } = await createTrustScene(t);
  const thief = newKey();
  await world.release('1.0.0', at('1.0.0'), { signing: { public_keys: [lineOf(thief)] } });
  assert.equal(
    (await run(['install', 'alpha'], { publicKeys: [] })).exitCode,
    0,
    'without a key it is only a manifest',
  );
  await world.release('1.1.0', at('1.1.0'), { key: thief });
  assert.equal((await run(['update', '--all'])).exitCode, 4);
  await world.release('1.2.0', at('1.2.0'), { key });
  assert.equal((await run(['update', '--all'])).exitCode, 0);
});
