import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { formatManifest, parseManifest } from '../../src/contract/manifest.ts';
import { putForeignRelease } from '../../src/rehearsal/foreign-release.ts';
import { loadSecretKey } from '../../src/trust/secret-key.ts';
import { signMessage } from '../../src/trust/sign-message.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import {
  createForeignScene,
  evilSha256,
  evilUrl,
  type ForeignScene,
  type Key,
  kinds,
  putForged,
  withEvilAlpha,
} from './foreign-scene.ts';
import { modelsAt, repository, tokens } from './publish-scene.ts';

/** models-v1.0.0 with alpha and beta 1.0.0, on all three hosts; signed where asked. */
async function oneRelease(
  t: TestContext,
  signed: boolean,
): Promise<{ scene: ForeignScene; key?: Key; signing: object }> {
  const scene = await createForeignScene(t);
  const key = signed ? await scene.keygen('own') : undefined;
  const signing = key === undefined ? {} : { signing: { public_keys: [key.publicKey] } };
  const { error } = await scene.release(signing, key);
  assert.equal(error, undefined, error?.message);
  return { scene, signing, ...(key === undefined ? {} : { key }) };
}

/**
 * Nothing that the maintainer is told leads to other keys, and nothing of the forged manifest is in
 * what was signed.
 */
async function assertNothingEvil(scene: ForeignScene, said: string): Promise<void> {
  assert.doesNotMatch(said, /public_key|former_key|builds_on|change keys|new public key/i, said);
  const manifest = JSON.stringify(await scene.manifest());
  assert.ok(!manifest.includes(evilSha256) && !manifest.includes(evilUrl) && !manifest.includes('evil'), manifest);
}

for (const signed of [true, false]) {
  describe(`a manifest that one host of three brings, ${signed ? 'with keys' : 'without keys'}`, () => {
    for (const kind of kinds) {
      it(`counts for nothing: not carried, no published version, no end of releases (${kind})`, async (t) => {
        const { scene, key, signing } = await oneRelease(t, signed);
        const honest = (await scene.manifest()).models.alpha;
        const release = async (version: string, models: object) => {
          const { error, warnings, said } = await scene.release({ ...signing, release: version, models }, key);
          assert.equal(error, undefined, said);
          await assertNothingEvil(scene, said);
          return warnings;
        };
        await putForged(scene, kind, 'models-v1.0.1', withEvilAlpha);
        await putForged(scene, kind, 'models-v99.0.0', withEvilAlpha);

        await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
        const told = (await release('1.1.0', modelsAt('1.1.0'))).filter(({ message }) =>
          /models-v1\.0\.1/.test(message),
        );
        assert.equal(told.length, 1);
        assert.match(
          told[0]?.message ?? '',
          /models-v99\.0\.0, models-v1\.0\.1: its manifest\.json .*; it counts for nothing/,
        );
        assert.match(told[0]?.file ?? '', /acme\/models|mirror$/, 'the host is named');
        assert.deepEqual((await scene.manifest()).models.alpha, honest);

        await scene.workspace.writeModel('alpha', { seed: 7 });
        await release('1.2.0', modelsAt('1.1.0', '1.1.0'));
        const versions = (await scene.manifest()).models.alpha?.published_versions;
        assert.deepEqual(
          versions?.map((published) => [published.version, published.release]),
          [['1.0.0', 'models-v1.1.0']],
        );
      });
    }

    it('is not the newest release for `verify --latest` and `yank`', async (t) => {
      const { scene } = await oneRelease(t, signed);
      await putForged(scene, 'mirror', 'models-v99.0.0', withEvilAlpha);
      const verify = await scene.start(['verify', '--latest', '--json']);
      assert.equal(JSON.parse(String(verify.stdout)).tag, 'models-v1.0.0', String(verify.stderr));
      const yank = await scene.start(['yank', 'beta@1.0.0', '--reason', 'wrong', '--no-release', '--json']);
      assert.equal(JSON.parse(String(yank.stdout)).yank.release, '1.0.1', String(yank.stderr));
    });
  });
}

describe('with keys', () => {
  for (const kind of kinds) {
    it(`no signature that can be had elsewhere makes a release (${kind})`, async (t) => {
      const { scene, key, signing } = await oneRelease(t, true);
      const file = (name: string): Promise<Buffer> => readFile(scene.workspace.path('release', name));
      const [ours, signature] = [await file('manifest.json'), await file('manifest.json.minisig')];
      const put = (tag: string, bytes: Uint8Array, minisig: string | Uint8Array) =>
        putForeignRelease(scene.hostOf(kind), tag, { 'manifest.json': bytes, 'manifest.json.minisig': minisig });
      const forged = (tag: string, changes: object) =>
        Buffer.from(formatManifest({ ...withEvilAlpha(parseManifest(ours, tag)), release: tag, ...changes }));
      // Our signature of 1.0.0 beside other bytes; our 1.0.0 itself under another tag; and a key of
      // their own.
      await put('models-v7.0.0', forged('models-v7.0.0', {}), signature);
      await put('models-v8.0.0', ours, signature);
      const evil = await scene.keygen('evil');
      const theirs = forged('models-v9.0.0', { signing: { public_keys: [evil.publicKey] } });
      const trustedComment = 'file:manifest.json\trelease:models-v9.0.0';
      await put(
        'models-v9.0.0',
        theirs,
        signMessage(theirs, await loadSecretKey(evil.secretKeyPath, {}), { trustedComment }),
      );

      const { error, said } = await scene.release({ ...signing, release: '1.0.1' }, key);
      assert.equal(error, undefined, said);
      assert.match(said, /models-v7\.0\.0: its manifest\.json has no good signature/);
      assert.match(said, /models-v8\.0\.0: its manifest\.json is that of models-v1\.0\.0; it counts for nothing/);
      assert.match(said, /models-v9\.0\.0: its manifest\.json has no good signature/);
      await assertNothingEvil(scene, said);
    });
  }

  it('a base whose signature is of other bytes is exit 4, also where no host has the right ones', async (t) => {
    const { scene, key, signing } = await oneRelease(t, true);
    const path = scene.workspace.path('mirror/models-v1.0.0/manifest.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('Apache-2.0', 'GPL-3.0'));
    const one = await scene.release({ ...signing, release: '1.0.1' }, key);
    assert.equal(one.error?.code, 'integrity', one.said);
    assert.match(
      one.said,
      /models-v1\.0\.0 is a release of yours, and its manifest\.json there is not the one that its/,
    );
    const alone = { ...signing, release: '1.0.1', github: undefined, huggingface: undefined };
    await rm(scene.workspace.path('manifests/published'), { recursive: true });
    const only = await scene.release(alone, key);
    assert.equal(only.error?.code, 'integrity', only.said);
    const refilled = await scene.release({ ...signing, release: '1.0.1' }, key, { refill: ['mirror'] });
    assert.equal(refilled.error, undefined, refilled.said);
  });

  it('a manifest of another namespace, well signed by the same key, is passed over', async (t) => {
    const { scene, key, signing } = await oneRelease(t, true);
    const other = await createForeignScene(t);
    const made = await other.release({ ...signing, namespace: 'elsewhere', release: '5.0.0' }, key);
    assert.equal(made.error, undefined, made.said);
    await cp(other.workspace.path('mirror/models-v5.0.0'), scene.workspace.path('mirror/models-v5.0.0'), {
      recursive: true,
    });
    const { error, said } = await scene.release({ ...signing, release: '1.0.1' }, key);
    assert.equal(error, undefined, said);
    assert.match(said, /models-v5\.0\.0: its manifest\.json is of the namespace "elsewhere"/);
  });
});

describe('without keys', () => {
  it('a higher release that two hosts have with equal bytes is to be finished first: exit 6', async (t) => {
    const { scene } = await oneRelease(t, false);
    for (const kind of ['github', 'mirror'] as const) {
      await putForged(scene, kind, 'models-v1.0.1', (manifest) => ({
        ...manifest,
        generated_at: '2026-02-01T00:00:00Z',
      }));
    }
    const { error, said } = await scene.release({ release: '1.1.0' });
    assert.equal(error?.code, 'conflict', said);
    assert.match(said, /models-v1\.0\.1, the last release, is not whole there: manifest\.json/);
    assert.match(said, /--refill huggingface/);
  });

  it('hosts that share no release are exit 6: nothing tells whose is right', async (t) => {
    const { scene } = await oneRelease(t, false);
    await rm(scene.workspace.path('manifests/published'), { recursive: true });
    await rm(scene.workspace.path('mirror'), { recursive: true });
    await putForged(scene, 'mirror', 'models-v0.9.0', withEvilAlpha);
    const two = { release: '1.1.0', huggingface: undefined };
    const { error, said } = await scene.release(two);
    assert.equal(error?.code, 'conflict', said);
    assert.match(said, /no release is on all hosts/);
    const refilled = await scene.release(two, undefined, { refill: ['mirror'] });
    assert.equal(refilled.error, undefined, refilled.said);
    await assertNothingEvil(scene, refilled.said);
  });
});

describe('the only host', () => {
  it('with something under a tag of ours that is no manifest: a warning, and the release goes on', async (t) => {
    const scene = await createForeignScene(t);
    await putForeignRelease(scene.hostOf('mirror'), 'models-v99.0.0', { 'manifest.json': 'anything' });
    const { error, said } = await scene.release({
      github: undefined,
      huggingface: undefined,
      models: { alpha: modelConfig('alpha') },
    });
    assert.equal(error, undefined, said);
    assert.match(said, /models-v99\.0\.0: its manifest\.json is no manifest; it counts for nothing/);
  });
});

describe('a pointer that somebody else has moved to a release of their own', () => {
  for (const signed of [true, false]) {
    it(`is moved back by the next release (${signed ? 'with' : 'without'} keys)`, async (t) => {
      const { scene, key, signing } = await oneRelease(t, signed);
      const forged = formatManifest({ ...withEvilAlpha(await scene.manifest()), release: 'models-v99.0.0' });
      await writeFile(scene.workspace.path('mirror/manifest.json'), forged);
      const main = `${scene.hub.url}/api/models/${repository}/commit/main`;
      const lines = [
        { key: 'header', value: { summary: 'Foreign' } },
        {
          key: 'file',
          value: { path: 'manifest.json', encoding: 'base64', content: Buffer.from(forged).toString('base64') },
        },
      ];
      const committed = await fetch(main, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens.hub}`, 'content-type': 'application/x-ndjson' },
        body: lines.map((line) => JSON.stringify(line)).join('\n'),
      });
      assert.equal(committed.status, 200, await committed.text());
      const mirror = { base_url: scene.mirror.url, directory: 'mirror', probe: false };
      const { error, said } = await scene.release({ ...signing, release: '1.0.1', mirror }, key);
      assert.equal(error, undefined, said);
      const status = JSON.parse(String((await scene.start(['status', '--json'])).stdout));
      const pointers = status.targets.map(({ pointer }: { pointer: { tag: string } }) => pointer.tag);
      assert.deepEqual(pointers, ['models-v1.0.1', 'models-v1.0.1', 'models-v1.0.1']);
    });
  }
});

describe('a mirror directory', () => {
  it('that lacks the release which its public address names is exit 6: it is not the one that is served', async (t) => {
    const { scene } = await oneRelease(t, false);
    const mirror = { base_url: scene.mirror.url, directory: 'not-mounted' };
    const { error, said } = await scene.release({ release: '1.0.1', mirror });
    assert.equal(error?.code, 'conflict', said);
    assert.match(said, /manifest\.json names models-v1\.0\.0, which .*not-mounted lacks/);
  });
});

describe('a host that does not tell what it has', () => {
  for (const signed of [true, false]) {
    it(`is exit 5 and never new: a list that is not answered, a repository that is not found (${signed ? 'with' : 'without'} keys)`, async (t) => {
      const { scene, key, signing } = await oneRelease(t, signed);
      for (const kind of ['github', 'huggingface'] as const) {
        for (const status of [404, 503]) {
          const match = {
            method: 'GET',
            ...(kind === 'github' ? { origin: 'api' } : { origin: 'hub', path: /^\/api\// }),
          };
          scene[kind === 'github' ? 'github' : 'hub'].faults.add({
            name: 'silent',
            times: 'always',
            match,
            action: { kind: 'status', status },
          });
          const { error, said } = await scene.release({ ...signing, release: '1.1.0' }, key);
          assert.equal(error?.code, 'remote', `${kind} ${status}: ${said}`);
          scene.clearFaults();
        }
      }
    });
  }
});
