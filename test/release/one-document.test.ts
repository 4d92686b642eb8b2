import assert from 'node:assert/strict';
import { appendFile, readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createReleaseWorkspace } from '../fixtures/release-workspace.ts';

describe('--json prints one document, whatever the end', () => {
  it('of verify, release and yank that find wrong bytes on a mirror: the report, exit 4, and the remedy on stderr', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['release']);
    await appendFile(workspace.path('mirror/models-v1.0.0/alpha.tar.gz'), 'x');

    const verified = await workspace.run(['verify', 'models-v1.0.0', '--json']);
    assert.equal(verified.exitCode, 4, verified.stderr);
    assert.equal((JSON.parse(verified.stdout) as { ok: boolean }).ok, false);
    assert.match(verified.stderr, /error: .*alpha\.tar\.gz/);

    await workspace.configure({ release: '1.0.1' });
    const released = await workspace.run(['release', '--json']);
    assert.equal(released.exitCode, 4, released.stderr);
    const { error } = JSON.parse(released.stdout) as { error: { code: string; message: string } };
    assert.equal(error.code, 'integrity');
    assert.match(error.message, /alpha\.tar\.gz is different/);

    const yanked = await workspace.run(['yank', 'beta@1.0.0', '--reason', 'wrong', '--json']);
    assert.equal(yanked.exitCode, 4, yanked.stderr);
    assert.equal((JSON.parse(yanked.stdout) as { error: { code: string } }).error.code, 'integrity');
    assert.match(await readFile(workspace.path('manifests/release.json'), 'utf8'), /"yanked"/);
  });

  it('of wrong usage: the error, exit 2', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    for (const [args, says] of [
      [['plan', '--otu', 'x'], /unknown option '--otu'/],
      [['pakc'], /unknown command 'pakc'/],
      [['yank', 'beta@1.0.0'], /--reason/],
      [[], /no command/],
    ] as const) {
      const run = await workspace.run([...args, '--json']);
      assert.equal(run.exitCode, 2, run.stderr);
      const { error } = JSON.parse(run.stdout) as { error: { code: string; message: string } };
      assert.equal(error.code, 'usage');
      assert.match(error.message, says);
    }
  });
});
