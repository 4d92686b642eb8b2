import assert from 'node:assert/strict';
import { chmod, cp, link, mkdir, readdir, readFile, rename, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { sha256 } from '../../src/core/hashing.ts';
import { createReleaseWorkspace, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';

const steps = ['plan', 'pack', 'prove', 'manifest', 'notes', 'checksums'] as const;

async function artifacts(workspace: ReleaseWorkspace): Promise<Readonly<Record<string, string>>> {
  const digests: Record<string, string> = {};
  for (const name of (await readdir(workspace.path('release'))).sort()) {
    if (name === 'plan.json' || name.endsWith('.pack.json')) continue;
    digests[name] = sha256(await readFile(workspace.path('release', name)));
  }
  return digests;
}

describe('the same release', () => {
  it('is the same bytes under another umask, time zone, locale, directory order, times, modes and links', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const env = { SOURCE_DATE_EPOCH: '1767225600' };
    for (const step of steps) assert.equal((await workspace.run([step], { env })).exitCode, 0);
    const expected = await artifacts(workspace);

    const other = await createReleaseWorkspace(t);
    const copy = other.path('models/alpha-copy');
    await mkdir(copy);
    const names = (await readdir(other.path('models/alpha'), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    );
    for (const entry of names.reverse()) {
      const path = join(entry.parentPath, entry.name).slice(other.path('models/alpha').length + 1);
      await mkdir(join(copy, path, '..'), { recursive: true });
      await cp(other.path('models/alpha', path), other.path(`models/.${sha256(path)}`));
      await link(other.path(`models/.${sha256(path)}`), join(copy, path));
      await utimes(join(copy, path), 1, 1);
      await chmod(join(copy, path), 0o755);
    }
    await rename(other.path('models/alpha'), other.path('alpha-before'));
    await rename(copy, other.path('models/alpha'));
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    for (const step of steps) {
      const result = await other.run([step], {
        env: { ...env, TZ: 'Pacific/Apia', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
      });
      assert.equal(result.exitCode, 0, result.stderr);
    }
    assert.deepEqual(await artifacts(other), expected);
  });

  it('keeps its time when it is planned again without SOURCE_DATE_EPOCH', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    const first = (await workspace.json(['plan'])) as { generated_at: string };
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const second = (await workspace.json(['plan'])) as { generated_at: string };
    assert.equal(second.generated_at, first.generated_at);
  });

  it('is not packed again where nothing changed, and is where a file changed', async (t) => {
    const workspace = await createReleaseWorkspace(t);
    await workspace.json(['plan']);
    await workspace.json(['pack']);
    const again = await workspace.run(['pack']);
    assert.match(again.stderr, /alpha: unchanged/);
    assert.match(again.stderr, /beta: unchanged/);
    await workspace.writeModel('beta', { seed: 5, hidden: 16 });
    const changed = await workspace.run(['pack']);
    assert.match(changed.stderr, /alpha: unchanged/);
    assert.doesNotMatch(changed.stderr, /beta: unchanged/);
  });
});
