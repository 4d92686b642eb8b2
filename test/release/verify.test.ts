import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'node:test';
import { commit } from '@huggingface/hub';
import { runRelease } from '../../src/release/pipeline.ts';
import { type VerifyOptions, type VerifyReport, verifyRelease } from '../../src/release/verify/verify-release.ts';
import type { ReleaseEnvironment } from '../../src/release/workspace.ts';
import { generateKeys } from '../../src/trust/generate-keys.ts';
import { formatPublicKey, parsePublicKey } from '../../src/trust/minisign.ts';
import { createPublishScene, modelsAt, type PublishScene, repository, tokens } from './publish-scene.ts';

const tag = 'models-v1.0.0';

/** A scene with `models-v1.0.0` published on all three hosts. */
async function published(t: TestContext, changes: Readonly<Record<string, unknown>> = {}): Promise<PublishScene> {
  const scene = await createPublishScene(t);
  await scene.configure(changes);
  await release(scene);
  return scene;
}

async function release(scene: PublishScene, environment: Partial<ReleaseEnvironment> = {}): Promise<void> {
  const { loaded, targets, workspace } = await scene.inside();
  await runRelease(loaded, targets, { ...workspace, environment: { ...workspace.environment, ...environment } });
}

async function verify(scene: PublishScene, options: VerifyOptions = {}, of = tag): Promise<VerifyReport> {
  const { loaded, targets, workspace } = await scene.inside();
  return verifyRelease(loaded.config, of, targets, workspace, { patience: { retryDelayMs: 10 }, ...options });
}

const faults = (report: VerifyReport) =>
  report.problems.map(({ code, file, message }) => `${code} ${file}: ${message}`);
const stateOf = (report: VerifyReport, target: string, name: string) =>
  report.files.find((file) => file.target === target && file.name === name)?.state;

async function spoilAsset(scene: PublishScene, name: string, bytes: string): Promise<void> {
  const { releases } = scene.github.repository(repository);
  const found = releases.find((one) => one.tag_name === tag)!;
  const asset = found.assets.find((one) => one.name === name)!;
  const headers = { authorization: `token ${tokens.github}`, 'content-type': 'application/octet-stream' };
  await fetch(String(asset.url), { method: 'DELETE', headers });
  const url = `${String(found.upload_url).replace(/\{.*/, '')}?name=${name}`;
  const answer = await fetch(url, { method: 'POST', headers, body: bytes });
  assert.equal(answer.status, 201, await answer.text());
}

describe('verify by the digests of the hosts', () => {
  it('a whole release: every artifact and document on every host, and no archive is downloaded', async (t) => {
    const scene = await published(t);
    scene.clearLogs();
    const report = await verify(scene);
    assert.deepEqual(faults(report), []);
    assert.equal(report.ok, true);
    for (const target of ['github', 'huggingface', 'mirror']) {
      for (const name of [
        'manifest.json',
        'checksums.sha256',
        'aircher.mjs',
        'alpha.tar.gz',
        'beta.tar.gz.index.json',
      ]) {
        assert.equal(stateOf(report, target, name), 'ok', `${target} ${name}`);
      }
    }
    assert.equal(stateOf(report, 'huggingface', 'alpha.safetensors'), 'ok');
    assert.equal(stateOf(report, 'huggingface', 'alpha/config.json'), 'ok', 'by its git blob id');
    assert.equal(stateOf(report, 'github', 'alpha/config.json'), undefined);
    assert.deepEqual(
      scene.requests().filter(({ path }) => /tar\.gz|safetensors/.test(path)),
      [],
    );
  });

  it('a line a host: raw files of which the Hub has git blob ids alone are told as ok; --verbose and --json name all', async (t) => {
    const scene = await published(t);
    const run = await scene.start(['verify', tag]);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.match(
      String(run.stdout),
      /^github: \d+ files, all ok\nhuggingface: \d+ files, all ok\nmirror: \d+ files, all ok\nmodels-v1\.0\.0 is whole on .*$/,
    );
    const { files } = JSON.parse(String((await scene.start(['verify', tag, '--json'])).stdout)) as VerifyReport;
    assert.deepEqual(files, (await verify(scene)).files);
    const detailed = String((await scene.start(['verify', tag, '--verbose'])).stdout);
    for (const name of new Set(files.map((file) => file.name))) assert.ok(detailed.includes(`\n${name} `), name);
  });

  it('a small file on the Hub that the manifest has with other content is found: exit 4', async (t) => {
    const scene = await published(t);
    const path = 'alpha/config.json';
    const bytes = await readFile(scene.workspace.path('models', path));
    bytes[bytes.indexOf(' ')] = 9;
    const { hub } = scene;
    const repo = { hubUrl: hub.url, accessToken: tokens.hub, repo: repository };
    await commit({
      ...repo,
      title: 'spoil',
      useXet: false,
      operations: [{ operation: 'addOrUpdate', path, content: new Blob([new Uint8Array(bytes)]) }],
    });
    const api = `${hub.url}/api/models/${repository}/tag`;
    const headers = { authorization: `Bearer ${tokens.hub}`, 'content-type': 'application/json' };
    assert.ok((await fetch(`${api}/${tag}`, { method: 'DELETE', headers })).ok);
    assert.ok((await fetch(`${api}/main`, { method: 'POST', headers, body: JSON.stringify({ tag }) })).ok);
    const report = await verify(scene);
    assert.deepEqual(
      report.files.filter(({ state }) => state !== 'ok'),
      [{ target: 'huggingface', name: path, state: 'different' }],
    );
    assert.equal((await scene.start(['verify', tag])).exitCode, 4);
  });

  it('what differs, is missing or was spoilt is named by host and file: exit 4', async (t) => {
    const scene = await published(t);
    await spoilAsset(scene, 'alpha.tar.gz', 'other bytes');
    await writeFile(scene.workspace.path('mirror', tag, 'aircher.mjs'), 'console.log(1)');
    await rm(scene.workspace.path('mirror', tag, 'beta.tar.gz.index.json'));
    const report = await verify(scene);
    assert.deepEqual(
      report.files.filter(({ state }) => !['ok', 'no digest'].includes(state)),
      [
        { target: 'github', name: 'alpha.tar.gz', state: 'different' },
        { target: 'mirror', name: 'aircher.mjs', state: 'different' },
        { target: 'mirror', name: 'beta.tar.gz.index.json', state: 'missing' },
      ],
    );
    const run = await scene.start(['verify', tag]);
    assert.equal(run.exitCode, 4);
    assert.match(
      String(run.stdout),
      /^github: \d+ files, \d+ ok\n {2}different: alpha\.tar\.gz\nhuggingface: \d+ files, all ok\n/,
    );
    assert.match(
      String(run.stdout),
      /^mirror: .*\n {2}different: aircher\.mjs\n {2}missing: beta\.tar\.gz\.index\.json\n/m,
    );
    const detailed = await scene.start(['verify', tag, '--verbose']);
    assert.match(String(detailed.stdout), /alpha\.tar\.gz +different +ok +ok/);
    assert.match(String(run.stderr), /acme\/models alpha\.tar\.gz: is different/);
  });

  it('a manifest that is another on one host is told, whichever is right', async (t) => {
    const scene = await published(t);
    const path = scene.workspace.path('mirror', tag, 'manifest.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"test"', '"best"'));
    const report = await verify(scene);
    assert.equal(stateOf(report, 'mirror', 'manifest.json'), 'different');
    assert.match(
      faults(report).join('\n'),
      /integrity .*mirror manifest\.json: differs from the one on another target/,
    );
  });

  it('checksums.sha256 must say what the manifest says', async (t) => {
    const scene = await published(t);
    const path = scene.workspace.path('mirror', tag, 'checksums.sha256');
    const lines = (await readFile(path, 'utf8'))
      .replace(/^.*beta\.tar\.gz\n/m, '')
      .replace(/^\w(.*alpha\.tar\.gz)$/m, 'f$1');
    const text = `${'0'.repeat(64)}  other.txt\n${lines}`;
    await writeFile(path, text);
    await spoilAsset(scene, 'checksums.sha256', text);
    const report = await verify(scene);
    const told = faults(report).join('\n');
    assert.match(told, /has no line of beta\.tar\.gz/);
    assert.match(told, /lists other\.txt/);
    assert.match(told, /has another sha256 of alpha\.tar\.gz than the manifest/);
    assert.equal(stateOf(report, 'huggingface', 'checksums.sha256'), 'different');
  });

  it('a host that is down: the others are checked all the same, exit 5; a mismatch elsewhere weighs more', async (t) => {
    const scene = await published(t);
    scene.hub.faults.add({ match: { path: /refs|resolve/ }, times: 'always', action: { kind: 'status', status: 503 } });
    const report = await verify(scene);
    assert.equal(stateOf(report, 'huggingface', 'alpha.tar.gz'), 'unreachable');
    assert.equal(stateOf(report, 'github', 'alpha.tar.gz'), 'ok');
    assert.deepEqual(
      report.problems.map(({ code }) => code),
      ['remote'],
    );
    assert.equal((await scene.start(['verify', tag])).exitCode, 5);
    await rm(scene.workspace.path('mirror', tag, 'alpha.tar.gz'));
    assert.equal((await scene.start(['verify', tag])).exitCode, 4);
  });

  it('a tag that nobody has is exit 3', async (t) => {
    const scene = await published(t);
    const run = await scene.start(['verify', 'models-v9.0.0']);
    assert.equal(run.exitCode, 3);
    assert.match(String(run.stderr), /models-v9\.0\.0 is published at none of/);
  });

  it('models that are carried forward must still stand in the release that published them', async (t) => {
    const scene = await published(t);
    await scene.workspace.writeModel('beta', { seed: 3, hidden: 16 });
    await scene.configure({ release: '1.1.0', models: modelsAt('1.1.0') });
    await release(scene);
    const good = await verify(scene, {}, 'models-v1.1.0');
    assert.deepEqual(faults(good), []);
    assert.equal(stateOf(good, 'mirror', 'alpha.tar.gz'), 'ok');
    await rm(scene.workspace.path('mirror', tag, 'alpha.tar.gz'));
    await spoilAsset(scene, 'alpha.tar.gz', 'other bytes');
    const report = await verify(scene, {}, 'models-v1.1.0');
    assert.equal(stateOf(report, 'mirror', 'alpha.tar.gz'), 'missing');
    assert.equal(stateOf(report, 'github', 'alpha.tar.gz'), 'different');
    assert.match(faults(report).join('\n'), /alpha\.tar\.gz: of models-v1\.0\.0 is missing/);
  });
});

describe('verify of signatures', () => {
  async function signed(t: TestContext): Promise<{ scene: PublishScene; key: string }> {
    const scene = await createPublishScene(t);
    const keys = await generateKeys({
      keyDirectory: scene.workspace.path('keys'),
      outDirectory: scene.workspace.path('release'),
      password: undefined,
    });
    await scene.configure({ signing: { public_keys: [keys.publicKey] } });
    await release(scene, { signingKey: keys.secretKeyPath });
    return { scene, key: keys.publicKey };
  }

  it('good ones are ok on every host; a spoilt one and a missing one are exit 4', async (t) => {
    const { scene } = await signed(t);
    const good = await verify(scene);
    assert.deepEqual(faults(good), []);
    for (const target of ['github', 'huggingface', 'mirror']) {
      assert.equal(stateOf(good, target, 'manifest.json.minisig'), 'ok');
    }
    const path = scene.workspace.path('mirror', tag, 'manifest.json.minisig');
    const text = await readFile(path, 'utf8');
    await writeFile(
      path,
      text.replace(/\n(....)(.)/, (_, head, byte) => `\n${head}${byte === 'A' ? 'B' : 'A'}`),
    );
    const { releases } = scene.github.repository(repository);
    const asset = releases[0]?.assets.find(({ name }) => name === 'manifest.json.minisig');
    await fetch(String(asset?.url), { method: 'DELETE', headers: { authorization: `token ${tokens.github}` } });
    const report = await verify(scene);
    assert.equal(stateOf(report, 'mirror', 'manifest.json.minisig'), 'bad signature');
    assert.equal(stateOf(report, 'github', 'manifest.json.minisig'), 'missing');
    assert.deepEqual(
      report.problems.map(({ code }) => code),
      ['integrity', 'integrity'],
    );
  });

  it('a signature by a key that release.json does not name is bad, whatever the manifest announces; a former key is good', async (t) => {
    const { scene, key } = await signed(t);
    const other = formatPublicKey({ ...parsePublicKey(key), keyId: Buffer.alloc(8, 7) });
    await scene.configure({ signing: { public_keys: [other] } });
    const foreign = faults(await verify(scene));
    assert.equal(foreign.length, 6, foreign.join('\n'));
    assert.match(foreign.join('\n'), /integrity .*manifest\.json\.minisig: signed with key .*, which is not trusted/);
    await scene.configure({
      signing: { public_keys: [other], former_keys: [{ key, last_release: tag.replace('models-v', '') }] },
    });
    assert.deepEqual(faults(await verify(scene)), []);
  });

  it('a release that should be signed and is not is exit 4', async (t) => {
    const scene = await published(t);
    const keys = await generateKeys({
      keyDirectory: scene.workspace.path('keys'),
      outDirectory: scene.workspace.path('release'),
      password: undefined,
    });
    await scene.configure({ signing: { public_keys: [keys.publicKey] } });
    const report = await verify(scene);
    assert.match(
      faults(report).join('\n'),
      /integrity .*manifest\.json\.minisig: is missing: the manifest is not signed/,
    );
  });
});

describe('verify --deep', () => {
  it('downloads every byte from every mirror, and hashes what no digest could tell', async (t) => {
    const scene = await published(t);
    scene.clearLogs();
    const report = await verify(scene, { deep: true });
    assert.deepEqual(faults(report), []);
    assert.deepEqual(
      report.files.filter(({ state }) => state !== 'ok'),
      [],
    );
    const archive = (await readFile(scene.workspace.path('release/alpha.tar.gz'))).length;
    for (const origin of ['assets', 'cdn', 'mirror']) {
      assert.ok(
        scene.requests().some((entry) => entry.origin === origin && entry.bytesOut === archive),
        `alpha.tar.gz came from ${origin}`,
      );
    }
    assert.deepEqual(
      scene
        .requests()
        .filter(({ origin, authorization }) => ['assets', 'cdn', 'mirror'].includes(origin) && authorization),
      [],
    );
    assert.ok((report.downloaded?.bytes ?? 0) > archive * 3);
  });

  it('bytes that a host serves other than it reports are found: exit 4', async (t) => {
    const scene = await published(t);
    const flip = { kind: 'flip', atByte: 5000 } as const;
    scene.mirror.faults.add({ match: { path: /alpha\.tar\.gz$/ }, times: 'always', action: flip });
    assert.deepEqual(faults(await verify(scene)), []);
    const report = await verify(scene, { deep: true });
    assert.equal(stateOf(report, 'mirror', 'alpha.tar.gz'), 'different');
    assert.equal(stateOf(report, 'github', 'alpha.tar.gz'), 'ok');
    assert.match(faults(report).join('\n'), /alpha\.tar\.gz: 127\.0\.0\.1:\d+: sends \d+ bytes of the sha256/);
    const run = await scene.start(['verify', '--latest', '--deep']);
    assert.equal(run.exitCode, 4);
    assert.match(String(run.stdout), /files downloaded and hashed, /);
  });

  it('counts as downloaded what came, and nothing else', async (t) => {
    const scene = await published(t);
    const whole = await verify(scene, { deep: true });
    scene.mirror.faults.add({ times: 'always', action: { kind: 'reset', of: 'request' } });
    const report = await verify(scene, { deep: true });
    const came = report.files.filter(({ state }) => state === 'ok').length;
    assert.ok(came > 0 && came < report.files.length);
    const missed = report.files.length - came;
    assert.equal(report.downloaded?.file_count, (whole.downloaded?.file_count ?? 0) - missed);
  });

  it('raw files on the Hub that no digest tells of are found by their bytes', async (t) => {
    const scene = await published(t);
    await commit({
      hubUrl: scene.hub.url,
      accessToken: tokens.hub,
      repo: repository,
      title: 'spoil',
      useXet: false,
      operations: [{ operation: 'addOrUpdate', path: 'alpha/config.json', content: new Blob(['{"hidden_size":3}']) }],
    });
    assert.equal(
      stateOf(await verify(scene, { deep: true }), 'huggingface', 'alpha/config.json'),
      'ok',
      'the tag stays',
    );
    scene.hub.faults.add({
      match: { path: /resolve-cache.*alpha\/config\.json/ },
      times: 'always',
      action: { kind: 'flip', atByte: 3 },
    });
    assert.equal(stateOf(await verify(scene, { deep: true }), 'huggingface', 'alpha/config.json'), 'different');
  });

  it('passing faults are mended by asking again, by ranges where a body broke off', async (t) => {
    const scene = await published(t);
    const match = { path: /alpha\.tar\.gz$/ };
    scene.mirror.faults.add({ match, action: { kind: 'reset', atByte: 50_000 } });
    scene.hub.faults.add({ match: { origin: 'cdn' }, action: { kind: 'flip', atByte: 100 } });
    scene.github.faults.add({ match: { origin: 'assets' }, times: 2, action: { kind: 'status', status: 503 } });
    scene.clearLogs();
    const report = await verify(scene, { deep: true });
    assert.deepEqual(faults(report), []);
    assert.ok(scene.mirror.log.entries.some(({ range }) => /^bytes=\d+-$/.test(range ?? '')));
  });

  it('a mirror that is down is exit 5 in bounded time', async (t) => {
    const scene = await published(t);
    scene.mirror.faults.add({ times: 'always', action: { kind: 'status', status: 404 } });
    assert.equal((await verify(scene, { deep: true })).problems[0]?.code, 'integrity', 'gone for good');
    await scene.mirror.close();
    const began = performance.now();
    const report = await verify(scene, { deep: true });
    assert.deepEqual([...new Set(report.problems.map(({ code }) => code))], ['remote']);
    assert.equal(stateOf(report, 'github', 'alpha.tar.gz'), 'ok');
    assert.ok(performance.now() - began < 15_000);
  });
});
