import assert from 'node:assert/strict';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { formatManifest, type Manifest } from '../../src/contract/manifest.ts';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { newSigningKey } from '../fixtures/signing-key.ts';

describe('validate', () => {
  it('tells warnings too, and passes', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.writeModel('alpha', { files: { 'pytorch_model.bin': 'x' } });
    const run = await workspace.run(['validate']);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stderr, /warning: .*pytorch_model\.bin.*is a pickle and is left out/);
    const document = (await workspace.json(['validate'])) as { problems: { level: string }[] };
    assert.deepEqual(
      document.problems.map(({ level }) => level),
      ['warning'],
    );
  });

  it('refuses a model whose chunk index no client would read: before it is packed, and in a manifest', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const step of ['plan', 'pack', 'prove', 'manifest']) await workspace.json([step]);
    const manifest = (await workspace.readJson('release/manifest.json')) as Manifest;
    const { alpha } = manifest.models;
    assert.ok(alpha?.index);
    const index = { ...alpha.index, size_bytes: 12 * 1024 * 1024 + 1 };
    const large = { ...manifest, models: { ...manifest.models, alpha: { ...alpha, index } } };
    await writeFile(workspace.path('large.json'), formatManifest(large));
    const found = await workspace.run(['validate', 'large.json']);
    assert.equal(found.exitCode, 3, found.stderr);
    assert.match(found.stderr, /large\.json \$\.models\.alpha\.index: alpha is too large.*12\.6 MB/);

    // Sparse: it takes no room on the disk.
    await truncate(workspace.path('models/alpha/model.safetensors'), 140e9);
    for (const command of ['validate', 'pack']) {
      const refused = await workspace.run([command]);
      assert.equal(refused.exitCode, 3, refused.stderr);
      assert.match(refused.stderr, /alpha is too large: its chunk index/);
      assert.match(refused.stderr, /include/);
    }
  });

  it('says that a manifest was edited', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const step of ['plan', 'pack', 'prove', 'manifest']) await workspace.json([step]);
    const manifest = await workspace.readJson('release/manifest.json');
    await writeFile(workspace.path('edited.json'), JSON.stringify(manifest));
    const run = await workspace.run(['validate', 'edited.json']);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stderr, /warning: edited\.json: is not in canonical form/);
  });

  it('holds every line of checksums.sha256 against the manifest and the client', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const step of ['plan', 'pack', 'prove', 'manifest', 'checksums']) await workspace.json([step]);
    const file = workspace.path('release/checksums.sha256');
    const good = await readFile(file, 'utf8');
    const other = 'a'.repeat(64);
    for (const [text, says] of [
      [good.replace(/^.{64}(?= {2}alpha\.tar\.gz$)/m, other), /has another sha256 of alpha\.tar\.gz than the manifest/],
      [good.replace(/^.*beta\.tar\.gz\.index\.json\n/m, ''), /has no line of beta\.tar\.gz\.index\.json/],
      [`${good}${other}  zeta.tar.gz\n`, /lists zeta\.tar\.gz, which the manifest does not have/],
      [good.replace(/^.{64}(?= {2}aircher\.mjs$)/m, other), /has another sha256 of aircher\.mjs than the file/],
    ] as const) {
      await writeFile(file, text);
      const run = await workspace.run(['validate']);
      assert.equal(run.exitCode, 4, run.stderr);
      assert.match(run.stderr, says);
    }
    await writeFile(file, good);
    assert.equal((await workspace.run(['validate'])).exitCode, 0);
    await rm(workspace.path('release/aircher.mjs'));
    assert.match((await workspace.run(['validate'])).stderr, /lists aircher\.mjs, which is not there/);
  });

  it('before sign a missing signature is a warning; a wrong one is exit 4', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const { publicKey } = await newSigningKey(workspace.path('keys'));
    await workspace.configure({ signing: { public_keys: [publicKey] } });
    for (const step of ['plan', 'pack', 'prove', 'manifest', 'checksums']) await workspace.json([step]);
    const unsigned = await workspace.run(['validate']);
    assert.equal(unsigned.exitCode, 0, unsigned.stderr);
    assert.match(unsigned.stderr, /warning: .*manifest\.json\.minisig: is not there: the manifest is not signed/);
    await writeFile(workspace.path('release/manifest.json.minisig'), 'no signature');
    assert.equal((await workspace.run(['validate'])).exitCode, 4);
  });
});
