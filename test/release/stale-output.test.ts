import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

async function steps(workspace: ReleaseWorkspace, ...names: readonly string[]): Promise<void> {
  for (const name of names) await workspace.json([name]);
}

describe('publish refuses documents that no longer belong to what is packed, before anything is sent', () => {
  it('a manifest from before a model was packed again', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await steps(workspace, 'plan', 'pack', 'prove', 'manifest', 'checksums', 'notes');
    await workspace.writeModel('alpha', { seed: 77 });
    await steps(workspace, 'pack');
    const unproved = await workspace.run(['publish']);
    assert.equal(unproved.exitCode, 3, unproved.stderr);
    assert.match(unproved.stderr, /alpha\.proof\.json is not of alpha 1\.0\.0 as it is packed and checked now/);
    assert.match(unproved.stderr, /hint: Run `aircher-models prove --model alpha`/);
    await steps(workspace, 'prove');
    for (const args of [['publish', '--dry-run'], ['publish']]) {
      const refused = await workspace.run(args);
      assert.equal(refused.exitCode, 3, refused.stderr);
      assert.match(refused.stderr, /release.manifest\.json: is not what the plan and the packed models make/);
      assert.match(refused.stderr, /hint: Run `aircher-models manifest` and the steps after it again/);
    }
    await assert.rejects(readFile(workspace.path('mirror/models-v1.0.0/alpha.tar.gz')), { code: 'ENOENT' });
    await steps(workspace, 'manifest');
    assert.match((await workspace.run(['publish'])).stderr, /checksums\.sha256: is not what/);
    await steps(workspace, 'checksums', 'notes', 'publish', 'validate');
  });

  it('a missing pack record is told beside the other problems', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await steps(workspace, 'plan', 'pack', 'prove', 'manifest', 'checksums', 'notes');
    await rm(workspace.path('release/beta.pack.json'));
    await writeFile(workspace.path('release/alpha.tar.gz'), 'other bytes');
    const refused = await workspace.run(['publish']);
    assert.match(refused.stderr, /beta\.pack\.json is not there/);
    assert.match(refused.stderr, /alpha\.tar\.gz: is not what was packed/);
    assert.equal(refused.exitCode, 4, refused.stderr);
  });
});
