import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import type { Manifest } from '../../src/contract/manifest.ts';
import { createForeignScene, type ForeignScene, type Outcome } from './foreign-scene.ts';
import { modelsAt, tokens } from './publish-scene.ts';

const versionsOf = (manifest: Manifest, model: string) =>
  manifest.models[model]?.published_versions?.map(({ version }) => version);

function assertReleased({ error, said }: Outcome): void {
  assert.equal(error, undefined, said);
}

describe('keys over several releases', () => {
  it('two rotations: each old key counts up to its last release, and the history stays', async (t) => {
    const scene = await createForeignScene(t);
    const [a, b, c] = [await scene.keygen('a'), await scene.keygen('b'), await scene.keygen('c')];
    const upTo = (key: typeof a, last: string) => ({ key: key.publicKey, last_release: last });
    const beta = async (version: string, seed: number) => {
      await scene.workspace.writeModel('beta', { seed, hidden: 16 });
      return { release: version, models: modelsAt(version) };
    };
    assertReleased(await scene.release({ signing: { public_keys: [a.publicKey] } }, a));
    const both = { public_keys: [a.publicKey, b.publicKey] };
    assertReleased(await scene.release({ ...(await beta('1.1.0', 3)), signing: both }, a));
    const onlyB = { public_keys: [b.publicKey], former_keys: [upTo(a, '1.1.0')] };
    assertReleased(await scene.release({ ...(await beta('1.2.0', 4)), signing: onlyB }, b));
    const withC = { ...onlyB, public_keys: [b.publicKey, c.publicKey] };
    assertReleased(await scene.release({ ...(await beta('1.3.0', 5)), signing: withC }, b));
    const onlyC = { public_keys: [c.publicKey], former_keys: [upTo(a, '1.1.0'), upTo(b, '1.3.0')] };
    assertReleased(await scene.release({ ...(await beta('1.4.0', 6)), signing: onlyC }, c));
    assert.deepEqual(versionsOf(await scene.manifest(), 'beta'), ['1.3.0', '1.2.0', '1.1.0', '1.0.0']);
    for (const tag of ['models-v1.0.0', 'models-v1.2.0', 'models-v1.4.0']) {
      const verify = await scene.start(['verify', tag]);
      assert.equal(verify.exitCode, 0, String(verify.stderr));
    }
  });

  it('a former key signs no release after its last one: what it signs then counts for nothing', async (t) => {
    const scene = await createForeignScene(t);
    const [old, next] = [await scene.keygen('old'), await scene.keygen('next')];
    assertReleased(await scene.release({ signing: { public_keys: [old.publicKey] } }, old));
    const both = { public_keys: [old.publicKey, next.publicKey] };
    assertReleased(await scene.release({ release: '1.1.0', signing: both }, old));
    await rm(scene.workspace.path('manifests/published'), { recursive: true });
    const leaked = { public_keys: [next.publicKey], former_keys: [{ key: old.publicKey, last_release: '1.0.0' }] };
    const outcome = await scene.release({ release: '1.2.0', signing: leaked }, next);
    assert.match(outcome.said, /models-v1\.1\.0: its manifest\.json has no good signature/);
  });

  it("a key that is taken out without a word stops the release: the maintainer's own record would be forgotten", async (t) => {
    const scene = await createForeignScene(t);
    const [old, next] = [await scene.keygen('old'), await scene.keygen('next')];
    assertReleased(await scene.release({ signing: { public_keys: [old.publicKey] } }, old));
    const { error, said } = await scene.release({ release: '1.1.0', signing: { public_keys: [next.publicKey] } }, next);
    assert.equal(error?.code, 'conflict', said);
    assert.match(said, /models-v1\.0\.0 was published, and its manifest has no good signature/);
  });

  it('the lines that keygen prints make the first signed release and a rotation work', async (t) => {
    const scene = await createForeignScene(t);
    const keygen = async (name: string) => {
      const run = await scene.start(['keygen', '--key-dir', scene.workspace.path(name), '--no-password', '--json']);
      assert.equal(run.exitCode, 0, String(run.stderr));
      const { public_key, secret_key_path, signing } = JSON.parse(String(run.stdout)) as {
        readonly public_key: string;
        readonly secret_key_path: string;
        readonly signing: { readonly now: object; readonly later?: { readonly former_keys: readonly object[] } };
      };
      return { publicKey: public_key, secretKeyPath: secret_key_path, signing };
    };
    assertReleased(await scene.release({}));
    const first = await keygen('first');
    assertReleased(await scene.release({ release: '1.1.0', signing: first.signing.now }, first));
    await scene.configure({ release: '1.2.0', signing: first.signing.now });
    const second = await keygen('second');
    assertReleased(await scene.release({ release: '1.2.0', signing: second.signing.now }, first));
    assertReleased(await scene.release({ release: '1.3.0', signing: second.signing.later }, second));
    assert.equal((await scene.manifest()).models.alpha?.release, 'models-v1.0.0');
  });

  it('`init --update` writes the lines that are missing, for the first signed release and for a rotation', async (t) => {
    const scene = await createForeignScene(t);
    const { workspace } = scene;
    await writeFile(
      workspace.path('package-lock.json'),
      JSON.stringify({
        lockfileVersion: 3,
        packages: { 'node_modules/aircher-models': { resolved: 'file:aircher-models.tgz' } },
      }),
    );
    const [first, second] = [await scene.keygen('first'), await scene.keygen('second')];
    const update = async () => {
      const run = await scene.start(['init', '--update']);
      assert.equal(run.exitCode, 0, String(run.stderr));
      const { signing } = JSON.parse(await readFile(workspace.path('manifests/release.json'), 'utf8'));
      return { signing, said: String(run.stdout) };
    };
    assertReleased(await scene.release({}));
    await scene.configure({ release: '1.1.0', signing: { public_keys: [first.publicKey] } });
    const begun = await update();
    assert.equal(begun.signing.builds_on.tag, 'models-v1.0.0');
    assert.match(begun.said, /\+.*builds_on/);
    assertReleased(await scene.release({ release: '1.1.0', signing: begun.signing }, first));
    const both = { ...begun.signing, public_keys: [first.publicKey, second.publicKey] };
    assertReleased(await scene.release({ release: '1.2.0', signing: both }, first));
    await scene.configure({ release: '1.3.0', signing: { ...both, public_keys: [second.publicKey] } });
    const rotated = await update();
    assert.deepEqual(rotated.signing.former_keys, [{ key: first.publicKey, last_release: '1.2.0' }]);
    assertReleased(await scene.release({ release: '1.3.0', signing: rotated.signing }, second));
    assert.match((await update()).said, /manifests\/release\.json +kept as it was/);
  });

  it('the first signed release is built on the unsigned one that builds_on names by digest', async (t) => {
    const scene = await createForeignScene(t);
    assertReleased(await scene.release({}));
    const key = await scene.keygen('own');
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
    const next = { release: '1.1.0', models: modelsAt('1.1.0') };
    const silent = await scene.release({ ...next, signing: { public_keys: [key.publicKey] } }, key);
    assert.equal(silent.error?.code, 'conflict', silent.said);
    assert.match(silent.said, /models-v1\.0\.0 was published, and its manifest is not signed/);
    const bytes = await readFile(scene.workspace.path('mirror/models-v1.0.0/manifest.json'));
    const builds_on = { tag: 'models-v1.0.0', sha256: createHash('sha256').update(bytes).digest('hex') };
    const wrong = { public_keys: [key.publicKey], builds_on: { ...builds_on, sha256: 'a'.repeat(64) } };
    assert.equal((await scene.release({ ...next, signing: wrong }, key)).error?.code, 'conflict');
    assertReleased(await scene.release({ ...next, signing: { public_keys: [key.publicKey], builds_on } }, key));
    const manifest = await scene.manifest();
    assert.equal(manifest.models.alpha?.release, 'models-v1.0.0');
    assert.deepEqual(versionsOf(manifest, 'beta'), ['1.0.0']);
    const later = { release: '1.1.1', models: modelsAt('1.1.0'), signing: { public_keys: [key.publicKey], builds_on } };
    assertReleased(await scene.release(later, key));
    for (const tag of ['models-v1.0.0', 'models-v1.1.1']) {
      const verify = await scene.start(['verify', tag]);
      assert.equal(verify.exitCode, 0, `${tag}: ${verify.stderr}`);
    }
  });
});

/** Hosts that lack something, with keys and without. */
for (const signed of [true, false]) {
  describe(`a host that lacks the last release, ${signed ? 'with keys' : 'without keys'}`, () => {
    const releasing = async (t: TestContext) => {
      const scene = await createForeignScene(t);
      const key = signed ? await scene.keygen('own') : undefined;
      const signing = key === undefined ? {} : { signing: { public_keys: [key.publicKey] } };
      const release = (changes: object, options = {}) => scene.release({ ...signing, ...changes }, key, options);
      return { scene, release };
    };
    const mirrorHas = async (scene: ForeignScene, tag: string) =>
      (await scene.start(['status', tag, '--json'])).stdout?.toString().includes('"public"') ?? false;

    it('an empty one is new: everything is packed again for it, under its old version', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({}));
      const before = await scene.manifest();
      await rm(scene.workspace.path('mirror'), { recursive: true });
      assertReleased(await release({ release: '1.1.0' }));
      const { models } = await scene.manifest();
      assert.equal(models.alpha?.version, '1.0.0');
      assert.equal(models.alpha?.release, 'models-v1.1.0');
      assert.deepEqual(
        models.alpha?.files?.map(({ sha256 }) => sha256),
        before.models.alpha?.files?.map(({ sha256 }) => sha256),
      );
      assert.ok(await mirrorHas(scene, 'models-v1.1.0'));
    });

    it('one rebuilt from an older state is exit 6; --refill packs again for it what it lacks', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({}));
      await cp(scene.workspace.path('mirror'), scene.workspace.path('backup'), { recursive: true });
      await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
      assertReleased(await release({ release: '1.1.0', models: modelsAt('1.1.0') }));
      await rm(scene.workspace.path('mirror'), { recursive: true });
      await cp(scene.workspace.path('backup'), scene.workspace.path('mirror'), { recursive: true });
      const next = { release: '1.2.0', models: modelsAt('1.1.0') };
      const { error, said } = await release(next);
      assert.equal(error?.code, 'conflict', said);
      assert.match(said, /models-v1\.1\.0, the last release, is not whole there: manifest\.json is missing/);
      assert.match(said, /--refill mirror/);
      assertReleased(await release(next, { refill: ['mirror'] }));
      const { models } = await scene.manifest();
      assert.equal(models.alpha?.release, 'models-v1.0.0', 'it has alpha');
      assert.equal(models.beta?.release, 'models-v1.2.0', 'it lacked beta');
    });

    it('one that was down during the last release: exit 6, and the same release again finishes it', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({}));
      const publication = {
        match: { method: 'PATCH', origin: 'api' },
        action: { kind: 'status', status: 503 },
      } as const;
      scene.github.faults.add({ name: 'down', times: 'always', ...publication });
      const interrupted = await release({ release: '1.1.0' });
      assert.equal(interrupted.error?.code, 'remote', interrupted.said);
      scene.clearFaults();
      const next = await release({ release: '1.2.0' });
      assert.equal(next.error?.code, 'conflict', next.said);
      assert.match(next.said, /models-v1\.1\.0, the last release, is not whole there/);
      assert.match(next.said, /"release": "1\.1\.0"/);
      assertReleased(await release({ release: '1.1.0' }));
      assertReleased(await release({ release: '1.2.0' }));
    });

    it('one from whose public release an archive was deleted: the hint says what mends it', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({}));
      const at = `${scene.github.apiUrl}/repos/acme/models/releases`;
      const headers = { authorization: `Bearer ${tokens.github}` };
      const [published] = scene.github.repository('acme/models').releases;
      const archive = published?.assets.find(({ name }) => name === 'alpha.tar.gz');
      const deleted = await fetch(`${at}/assets/${archive?.id}`, { method: 'DELETE', headers });
      assert.equal(deleted.status, 204);
      const { error, said } = await release({ release: '1.1.0' });
      assert.equal(error?.code, 'conflict', said);
      assert.match(said, /alpha\.tar\.gz is missing/);
      assert.doesNotMatch(said, /Finish it/, 'nothing is added to a release that is public');
      assert.match(said, /--refill github/);
      assertReleased(await release({ release: '1.1.0' }, { refill: ['github'] }));
      const verify = await scene.start(['verify', 'models-v1.1.0', '--deep']);
      assert.equal(verify.exitCode, 0, String(verify.stderr));
    });

    it('one that was added, removed, and added again: exit 6, then --refill', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({ mirror: undefined }));
      assertReleased(await release({ release: '1.1.0' }));
      assertReleased(await release({ release: '1.2.0', mirror: undefined }));
      const { error, said } = await release({ release: '1.3.0' });
      assert.equal(error?.code, 'conflict', said);
      assert.match(said, /models-v1\.2\.0, the last release, is not whole there/);
      assertReleased(await release({ release: '1.3.0' }, { refill: ['mirror'] }));
      const verify = await scene.start(['verify', 'models-v1.3.0', '--deep']);
      assert.equal(verify.exitCode, 0, String(verify.stderr));
    });

    it('what a host has in other bytes than a carried entry says goes public nowhere', async (t) => {
      const { scene, release } = await releasing(t);
      assertReleased(await release({}));
      const path = scene.workspace.path('mirror/models-v1.0.0/alpha.tar.gz');
      await writeFile(path, Buffer.alloc((await stat(path)).size, 1));
      const source = scene.workspace.path('models/alpha');
      await cp(source, scene.workspace.path('kept'), { recursive: true });
      await rm(source, { recursive: true });
      const refilling = { refill: ['mirror'] };
      const { error, said } = await release({ release: '1.1.0' }, refilling);
      assert.equal(error?.code, 'conflict', said);
      assert.match(said, /alpha is to be packed again \(same version, but alpha\.tar\.gz is different at mirror\)/);
      await cp(scene.workspace.path('kept'), source, { recursive: true });
      assertReleased(await release({ release: '1.1.0' }, refilling));
      assert.equal((await scene.manifest()).models.alpha?.release, 'models-v1.1.0');
    });
  });
}
