import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { parseReleaseConfig } from '../../src/contract/parse-release-config.ts';
import { AircherError } from '../../src/core/errors.ts';
import { type S3, startS3 } from '../../src/rehearsal/s3/server.ts';
import { startStaticMirror } from '../../src/rehearsal/static-mirror.ts';
import { lockPackage } from '../fixtures/lock-package.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import { quickCli } from './publish-scene.ts';

const secret = 'canary/OfTheBucketsSecret+0123456789';
const keys = { AWS_ACCESS_KEY_ID: 'AKIAWRITER', AWS_SECRET_ACCESS_KEY: secret };

interface Scene {
  readonly workspace: ReleaseWorkspace;
  readonly s3: S3;
  readonly url: string;
  configure(changes?: object): Promise<void>;
  run(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<{ exitCode: number | undefined; output: string; json(): unknown }>;
}

async function bucketScene(t: TestContext): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-bucket-'));
  const s3 = await startS3({ directory, bucket: 'models', accounts: { AKIAWRITER: { secretAccessKey: secret } } });
  const server = await startStaticMirror({ directory: join(directory, 'models/acme') });
  const workspace = await createReleaseWorkspace(t);
  t.after(async () => {
    await Promise.all([s3.close(), server.close()]);
    await rm(directory, { recursive: true, force: true });
  });
  const configure: Scene['configure'] = (changes = {}) =>
    workspace.configure({
      mirror: { base_url: server.url, s3: { bucket: 'models', prefix: 'acme', endpoint: s3.url } },
      ...changes,
    });
  await configure();
  // Nothing of the machine that the tests run on.
  const nothing = { HOME: directory, AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: join(directory, 'none') };
  const run: Scene['run'] = async (args, env = keys) => {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'));
    const { exitCode, stdout, stderr } = await execa(process.execPath, [quickCli, ...args], {
      cwd: workspace.directory,
      env: { ...Object.fromEntries(inherited), SOURCE_DATE_EPOCH: '1767225600', ...nothing, ...env },
      extendEnv: false,
      reject: false,
    });
    const output = `${stdout}${stderr}`;
    assert.ok(!output.includes(secret), 'the secret key is printed nowhere');
    return { exitCode, output, json: () => JSON.parse(stdout) };
  };
  return { workspace, s3, url: server.url, configure, run };
}

const writes = ({ log }: S3): number =>
  log.entries.filter(({ method, status }) => !['GET', 'HEAD'].includes(method) && status < 300).length;

describe('a release to a mirror in a bucket', () => {
  it('is planned, published, verified, told of and installed; the next one builds on it', async (t) => {
    const { workspace, s3, url, configure, run } = await bucketScene(t);
    const first = await run(['release']);
    assert.equal(first.exitCode, 0, first.output);
    const deep = await run(['verify', 'models-v1.0.0', '--deep']);
    assert.equal(deep.exitCode, 0, deep.output);
    const status = (await run(['status', 'models-v1.0.0', '--json'])).json() as {
      readonly targets: readonly {
        readonly place: string;
        readonly state: string;
        readonly missing: readonly string[];
        readonly files: readonly { readonly digest: unknown }[];
      }[];
    };
    const [target] = status.targets;
    assert.deepEqual([target?.place, target?.state, target?.missing], ['s3://models/acme', 'public', []]);
    assert.ok(
      target?.files.every(({ digest }) => digest !== null),
      'digests without a download',
    );
    assert.equal((await run(['bill'])).exitCode, 0);

    const before = writes(s3);
    const again = await run(['publish']);
    assert.equal(again.exitCode, 0, again.output);
    assert.equal(writes(s3), before);

    const cache = workspace.path('cache');
    const client = workspace.path('aircher.mjs');
    await writeFile(client, await (await fetch(`${url}/aircher.mjs`)).text());
    const install = async (name: string): Promise<void> => {
      const { exitCode, stderr } = await execa(process.execPath, [client, 'install', name, '--cache-dir', cache], {
        reject: false,
      });
      assert.equal(exitCode, 0, stderr);
    };
    await install('alpha');
    assert.match(await (await fetch(`${url}/index.html`)).text(), /alpha/);

    await workspace.writeModel('beta', { seed: 9, hidden: 16 });
    await configure({ release: '1.1.0', models: { alpha: modelConfig('alpha'), beta: modelConfig('beta', '2.0.0') } });
    const second = await run(['release']);
    assert.equal(second.exitCode, 0, second.output);
    const manifest = JSON.parse(await (await fetch(`${url}/manifest.json`)).text());
    assert.equal(manifest.release, 'models-v1.1.0');
    assert.equal(manifest.models.alpha.release, 'models-v1.0.0');
    await install('beta');
  });

  it('an object under its tag that is not ours is exit 6, told before anything is sent', async (t) => {
    const { s3, run } = await bucketScene(t);
    assert.equal((await run(['release', '--dry-run'])).exitCode, 0);
    const { putObject } = await writer(s3);
    await putObject('acme/models-v1.0.0/alpha.tar.gz', 'theirs');
    const before = writes(s3);
    const { exitCode, output } = await run(['publish']);
    assert.equal(exitCode, 6, output);
    assert.match(
      output,
      /s3:\/\/models\/acme\/models-v1\.0\.0\/alpha\.tar\.gz: is an object that aircher-models did not upload/,
    );
    assert.equal(writes(s3), before);
  });

  it('credentials come from where AWS tools look; without any, exit 6 says how to give them', async (t) => {
    const { workspace, run } = await bucketScene(t);
    const none = await run(['plan'], {});
    assert.equal(none.exitCode, 6, none.output);
    assert.match(none.output, /s3:\/\/models\/acme: no credentials/);
    assert.match(none.output, /Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE/);
    assert.match(none.output, /plan --offline/);
    const file = workspace.path('credentials');
    await writeFile(file, `[acme]\naws_access_key_id = AKIAWRITER\naws_secret_access_key = ${secret}\n`);
    const profile = await run(['plan'], { AWS_SHARED_CREDENTIALS_FILE: file, AWS_PROFILE: 'acme' });
    assert.equal(profile.exitCode, 0, profile.output);
    const wrong = await run(['plan'], { ...keys, AWS_SECRET_ACCESS_KEY: 'wrong' });
    assert.equal(wrong.exitCode, 6, wrong.output);
    assert.match(wrong.output, /SignatureDoesNotMatch/);
  });

  it('is rehearsed against a stand-in of S3, whatever the real one', async (t) => {
    const { s3, configure, run } = await bucketScene(t);
    await configure({
      mirror: { base_url: 'https://models.example.org/acme', s3: { bucket: 'elsewhere', region: 'eu-north-1' } },
    });
    const { exitCode, output } = await run(['rehearse'], {});
    assert.equal(exitCode, 0, output);
    assert.match(output, /its bucket is an empty one/);
    assert.deepEqual(s3.log.entries, []);
  });

  it('init writes release.json for a bucket, and workflows that have its keys', async (t) => {
    const { workspace, run } = await bucketScene(t);
    await rm(workspace.path('manifests'), { recursive: true });
    await lockPackage(workspace.directory);
    const address = [
      '--mirror',
      'https://models.example.org/m',
      '--bucket',
      's3://models/acme/x',
      '--region',
      'eu-north-1',
    ];
    const { exitCode, output } = await run(['init', '--no-github', ...address]);
    assert.equal(exitCode, 0, output);
    assert.match(output, /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
    assert.deepEqual(((await workspace.readJson('manifests/release.json')) as { mirror: unknown }).mirror, {
      base_url: 'https://models.example.org/m',
      s3: { bucket: 'models', prefix: 'acme/x', region: 'eu-north-1' },
    });
    const workflow = await readFile(workspace.path('.github/workflows/release-models.yml'), 'utf8');
    assert.match(
      workflow,
      /AWS_SECRET_ACCESS_KEY: \$\{\{ secrets\.AWS_SECRET_ACCESS_KEY \|\| env\.AWS_SECRET_ACCESS_KEY \}\}/,
    );
  });
});

describe('init --bucket', () => {
  const cases: readonly (readonly [args: readonly string[], stderr: RegExp])[] = [
    [['--bucket', 's3://models/acme'], /--bucket alone is no mirror\nhint: .*--mirror URL/],
    [['--mirror', 'https://models.example.org', '--bucket', 's3://models'], /hint: At AWS .*--region .*--endpoint URL/],
    [['--mirror', 'https://models.example.org', '--region', 'eu-north-1'], /hint: Name it: --bucket/],
  ];
  for (const [args, stderr] of cases) {
    it(`says which option is missing beside ${args.join(' ')}`, async (t) => {
      const { workspace, run } = await bucketScene(t);
      await rm(workspace.path('manifests'), { recursive: true });
      const { exitCode, output } = await run(['init', '--no-github', ...args]);
      assert.equal(exitCode, 2, output);
      assert.match(output, stderr);
    });
  }
});

describe('mirror.s3 of release.json', () => {
  const faultsOf = (mirror: object): string => {
    const config = { release: '1.0.0', namespace: 'a', tag_prefix: 'v', mirror, models: { m: modelConfig('m') } };
    try {
      parseReleaseConfig(Buffer.from(JSON.stringify(config)), 'release.json');
      return '';
    } catch (error) {
      assert.ok(error instanceof AircherError);
      return error.problems.map(({ path, message }) => `${path} ${message}`).join('\n');
    }
  };
  const base_url = 'https://models.example.org';
  it('takes AWS by region and others by endpoint', () => {
    assert.equal(faultsOf({ base_url, s3: { bucket: 'models', region: 'eu-north-1' } }), '');
    assert.equal(
      faultsOf({ base_url, s3: { bucket: 'models', prefix: 'a/b', endpoint: 'http://127.0.0.1:9000' } }),
      '',
    );
  });
  it('names what is wrong', () => {
    const s3 = { bucket: 'models', region: 'eu-north-1' };
    assert.match(
      faultsOf({ base_url, s3: { bucket: 'models' } }),
      /\$\.mirror\.s3 needs "region" \(AWS\) or "endpoint"/,
    );
    assert.match(
      faultsOf({ base_url, s3: { ...s3, prefix: '/a/' } }),
      /\$\.mirror\.s3\.prefix must be like "models\/acme"/,
    );
    assert.match(
      faultsOf({ base_url, s3: { ...s3, bucket: 'My_Bucket' } }),
      /\$\.mirror\.s3\.bucket must be the name of a bucket/,
    );
    assert.match(
      faultsOf({ base_url, s3, directory: 'mirror' }),
      /^\$\.mirror "s3" doesn’t go with the other keys here$/,
    );
    assert.match(faultsOf({ base_url }), /\$\.mirror\.directory is missing/);
    assert.match(faultsOf({ base_url, s3: { ...s3, regoin: 'x' } }), /regoin/);
  });
});

async function writer(s3: S3): Promise<{ putObject(key: string, body: string): Promise<void> }> {
  const { PutObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    endpoint: s3.url,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'AKIAWRITER', secretAccessKey: secret },
  });
  return {
    putObject: async (Key, Body) => {
      await client.send(new PutObjectCommand({ Bucket: 'models', Key, Body }));
    },
  };
}
