import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { commit, createBranch } from '@huggingface/hub';
import { execa } from 'execa';
import { type GeneratedKeys, generateKeys } from '../../src/trust/generate-keys.ts';
import { createPublishScene, modelsAt, type PublishScene, repository, tokens } from './publish-scene.ts';

/**
 * Whoever can write to a host exchanges the client file there, with checksums that fit. No manifest
 * names the client.
 */

const tag = 'models-v1.0.0';
const none = { github: undefined, huggingface: undefined, mirror: undefined };
const hostKinds = ['mirror', 'github', 'huggingface'] as const;
type Kind = (typeof hostKinds)[number];

interface SignedScene {
  readonly scene: PublishScene;
  readonly keys: GeneratedKeys;
  readonly env: Readonly<Record<string, string>>;
}

/** `models-v1.0.0`, signed, on these hosts alone. */
async function signed(t: TestContext, kinds: readonly Kind[] = hostKinds): Promise<SignedScene> {
  const scene = await createPublishScene(t);
  const keys = await generateKeys({ keyDirectory: scene.workspace.path('keys') });
  const env = { AIRCHER_SIGNING_KEY: keys.secretKeyPath };
  const hosts = {
    mirror: { base_url: scene.mirror.url, directory: 'mirror' },
    github: { repository },
    huggingface: { repository },
  };
  const chosen = Object.fromEntries(kinds.map((kind) => [kind, hosts[kind]]));
  const configure: PublishScene['configure'] = (changes) =>
    scene.configure({ ...none, ...chosen, routing: undefined, ...changes });
  await configure({ signing: { public_keys: [keys.publicKey] } });
  const released = await scene.start(['release'], env);
  assert.equal(released.exitCode, 0, String(released.stderr));
  return { scene: { ...scene, configure }, keys, env };
}

const names = ['aircher.mjs', 'checksums.sha256', 'checksums.sha256.minisig'] as const;
type Files = Readonly<Partial<Record<(typeof names)[number], string>>>;

/** A client of the attacker's, and the release's checksums with its digest. */
async function exchanged(scene: PublishScene): Promise<Files> {
  const client = '#!/usr/bin/env node\nconsole.log("owned")\n';
  const digest = createHash('sha256').update(client).digest('hex');
  const honest = await readFile(scene.workspace.path('release/checksums.sha256'), 'utf8');
  return {
    'aircher.mjs': client,
    'checksums.sha256': honest.replace(/^\w+(?= {2}aircher\.mjs$)/m, digest),
  };
}

/**
 * Puts files in the place of a release's, with the rights of somebody who may write to that host.
 */
async function put(scene: PublishScene, kind: Kind, files: Files): Promise<void> {
  const entries = Object.entries(files);
  if (kind === 'mirror') {
    for (const [name, text] of entries) await writeFile(scene.workspace.path('mirror', tag, name), text);
  } else if (kind === 'github') {
    const release = scene.github.repository(repository).releases.find((one) => one.tag_name === tag);
    const headers = { authorization: `token ${tokens.github}`, 'content-type': 'application/octet-stream' };
    for (const [name, body] of entries) {
      const asset = release?.assets.find((one) => one.name === name);
      await fetch(String(asset?.url), { method: 'DELETE', headers });
      const url = `${String(release?.upload_url).replace(/\{.*/, '')}?name=${name}`;
      assert.equal((await fetch(url, { method: 'POST', headers, body })).status, 201);
    }
  } else {
    const hub = { hubUrl: scene.hub.url, accessToken: tokens.hub, repo: repository };
    await createBranch({ ...hub, branch: 'own', revision: tag });
    const operations = entries.map(([path, text]) => ({
      operation: 'addOrUpdate' as const,
      path,
      content: new Blob([text]),
    }));
    await commit({ ...hub, branch: 'own', title: 'own', useXet: false, operations });
    const api = `${scene.hub.url}/api/models/${repository}/tag`;
    const headers = { authorization: `Bearer ${tokens.hub}`, 'content-type': 'application/json' };
    assert.ok((await fetch(`${api}/${tag}`, { method: 'DELETE', headers })).ok);
    assert.ok((await fetch(`${api}/own`, { method: 'POST', headers, body: JSON.stringify({ tag }) })).ok);
  }
}

describe('the client file of a signed release', () => {
  for (const kind of hostKinds) {
    it(`exchanged together with checksums.sha256 on the only host, ${kind}: verify and verify --deep are exit 4`, async (t) => {
      const { scene } = await signed(t, [kind]);
      assert.equal((await scene.start(['verify', tag, '--deep'])).exitCode, 0);
      await put(scene, kind, await exchanged(scene));
      for (const args of [['--deep'], []]) {
        const run = await scene.start(['verify', tag, ...args]);
        assert.equal(run.exitCode, 4, String(run.stderr));
        assert.match(String(run.stderr), /checksums\.sha256\.minisig: the signature of key \w+ does not match/);
      }
    });
  }

  it('exchanged on one of three hosts: that one is named, with the remedy, the others are whole', async (t) => {
    const { scene } = await signed(t);
    await put(scene, 'github', await exchanged(scene));
    const run = await scene.start(['verify', tag, '--json']);
    assert.equal(run.exitCode, 4, String(run.stderr));
    assert.match(String(run.stderr), /^hint: Put back .*: aircher-models release --refill github$/m);
    const { files } = JSON.parse(String(run.stdout)) as { files: { target: string; name: string; state: string }[] };
    const faulty = files.filter(({ state }) => state !== 'ok').map(({ target, name }) => `${target} ${name}`);
    assert.deepEqual(faulty.sort(), ['github aircher.mjs', 'github checksums.sha256']);
  });

  it('the signature taken away with them: exit 4', async (t) => {
    const { scene } = await signed(t, ['github']);
    await put(scene, 'github', await exchanged(scene));
    const { releases } = scene.github.repository(repository);
    const asset = releases[0]?.assets.find(({ name }) => name === 'checksums.sha256.minisig');
    await fetch(String(asset?.url), { method: 'DELETE', headers: { authorization: `token ${tokens.github}` } });
    const run = await scene.start(['verify', tag]);
    assert.equal(run.exitCode, 4);
    assert.match(String(run.stderr), /checksums\.sha256\.minisig: is missing: the checksums are not signed there/);
  });

  it("an older release's, signed by the same key: its trusted comment names that release, exit 4", async (t) => {
    const { scene, keys, env } = await signed(t, ['mirror']);
    await cp(scene.workspace.path('mirror', tag), scene.workspace.path('old'), { recursive: true });
    await scene.configure({
      release: '1.1.0',
      models: modelsAt('1.1.0', '1.1.0'),
      signing: { public_keys: [keys.publicKey] },
    });
    assert.equal((await scene.start(['release'], env)).exitCode, 0);
    for (const name of names) {
      await cp(scene.workspace.path('old', name), scene.workspace.path('mirror/models-v1.1.0', name));
    }
    const run = await scene.start(['verify', 'models-v1.1.0', '--deep']);
    assert.equal(run.exitCode, 4);
    assert.match(
      String(run.stderr),
      /minisig: signed for another release than models-v1\.1\.0: file:.*release:models-v1\.0\.0/,
    );
    assert.match(String(run.stderr), /checksums\.sha256: has another sha256 of manifest\.json than the manifest/);
  });

  it('signed checksums whose line of the manifest is another: exit 4', async (t) => {
    const { scene, env } = await signed(t, ['mirror']);
    const out = scene.workspace.path('release');
    const honest = await readFile(`${out}/checksums.sha256`, 'utf8');
    await writeFile(`${out}/checksums.sha256`, honest.replace(/^\w+(?= {2}manifest\.json$)/m, '0'.repeat(64)));
    assert.equal((await scene.start(['sign'], env)).exitCode, 0);
    for (const name of names) await cp(`${out}/${name}`, scene.workspace.path('mirror', tag, name));
    const run = await scene.start(['verify', tag]);
    assert.equal(run.exitCode, 4);
    assert.match(String(run.stderr), /checksums\.sha256: has another sha256 of manifest\.json than the manifest/);
    assert.doesNotMatch(String(run.stderr), /minisig:/);
  });
});

describe('signing of the checksums', () => {
  it('stands beside the checksums on every host, and is a file that publish looks for', async (t) => {
    const { scene, env } = await signed(t);
    const released = await readFile(scene.workspace.path('release/checksums.sha256.minisig'), 'utf8');
    assert.match(released, /^trusted comment: file:checksums\.sha256\trelease:models-v1\.0\.0\t/m);
    const status = JSON.parse(String((await scene.start(['status', tag, '--json'])).stdout));
    for (const target of status.targets) {
      assert.ok(
        target.files.some(({ name }: { name: string }) => name === 'checksums.sha256.minisig'),
        target.target,
      );
      assert.deepEqual(target.missing, []);
    }
    await writeFile(scene.workspace.path('release/checksums.sha256.minisig'), released.replace('models-v1.0.0', 'x'));
    assert.equal((await scene.start(['publish'], env)).exitCode, 4);
    assert.equal((await scene.start(['sign'], env)).exitCode, 0);
    assert.equal(await readFile(scene.workspace.path('release/checksums.sha256.minisig'), 'utf8'), released);
  });

  it('without checksums, sign says which step is missing', async (t) => {
    const { scene, env } = await signed(t, ['mirror']);
    for (const step of ['plan', 'pack', 'prove', 'manifest']) {
      assert.equal((await scene.start([step, '--out', 'elsewhere'], env)).exitCode, 0, step);
    }
    const run = await scene.start(['sign', '--out', 'elsewhere'], env);
    assert.equal(run.exitCode, 3, String(run.stderr));
    assert.match(String(run.stderr), /checksums\.sha256 is not there\nhint: Run `aircher-models checksums` first/);
  });

  it('another signature that verifies, already on a host, is as good as ours', async (t) => {
    const { scene, env } = await signed(t, ['mirror']);
    const stored = scene.workspace.path('mirror', tag, 'checksums.sha256.minisig');
    const other = (await readFile(stored, 'utf8')).replace(/^untrusted comment: .*/, 'untrusted comment: by hand');
    await writeFile(stored, other);
    const run = await scene.start(['release'], env);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.equal(await readFile(stored, 'utf8'), other);
  });
});

describe('a first user', () => {
  it('checks the client by the lines of the release notes before running it', async (t) => {
    if ((await execa('minisign', ['-v'], { reject: false })).exitCode !== 0) return t.skip('minisign is not installed');
    const { scene } = await signed(t, ['mirror']);
    const notes = await readFile(scene.workspace.path('mirror', tag, 'RELEASE_NOTES.md'), 'utf8');
    const commands = notes
      .split('```')[3]!
      .split('\n')
      .filter((line) => /^(curl|minisign|sha256sum)/.test(line));
    assert.match(commands.join('\n'), /^curl .*\ncurl .*\nminisign -Vm checksums\.sha256 -P RW.*\nsha256sum -c /);
    const check = async (directory: string) => {
      const cwd = scene.workspace.path(directory);
      await mkdir(cwd);
      await execa('curl', ['-fLO', `${scene.mirror.url}/${tag}/aircher.mjs`], { cwd });
      return await execa('bash', ['-e'], { cwd, input: commands.join('\n'), reject: false });
    };
    const good = await check('honest');
    assert.equal(good.exitCode, 0, good.stderr);
    const mustPrint = /must print `(release:[^`]+)`/.exec(notes)?.[1];
    assert.equal(mustPrint, `release:${tag}`);
    assert.match(good.stdout, new RegExp(`^Trusted comment: .*\\b${mustPrint}\\b`, 'm'));
    assert.match(good.stdout, /^aircher\.mjs: OK$/m);
    await put(scene, 'mirror', await exchanged(scene));
    const bad = await check('attacked');
    assert.notEqual(bad.exitCode, 0);
    assert.doesNotMatch(bad.stdout, /aircher\.mjs: OK/);
  });
});
