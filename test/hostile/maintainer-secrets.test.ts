import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { execa } from 'execa';
import { createPublishScene, type PublishScene, tokens } from '../release/publish-scene.ts';
import { type GpgScene, gpgSkipReason, openGpgScene } from '../trust/gpg-scene.ts';

const passwords = { signing: 'canaryOfTheSigningPassword', gpg: 'canaryOfThePassphrase' } as const;
/** Of other programs, but in the same environment of the same job. */
const foreign = { AWS_SECRET_ACCESS_KEY: 'canaryOfTheCloud', NPM_TOKEN: 'npm_canaryOfNpm' } as const;

interface Maintainer {
  readonly scene: PublishScene;
  readonly gpg: GpgScene;
  /** Every secret by name. */
  readonly env: Readonly<Record<string, string>>;
  /** What must turn up nowhere. */
  readonly canaries: readonly string[];
  /** Calls of git, gpg, gpgconf and the check command, with arguments and environment. */
  heard(): Promise<string>;
}

/**
 * A maintainer with both kinds of keys, whose programs write down how they are called and then do
 * their work.
 */
async function createMaintainer(t: TestContext): Promise<Maintainer> {
  const scene = await createPublishScene(t);
  const gpg = await openGpgScene();
  t.after(() => gpg.close());
  const fingerprint = await gpg.makeKey('maintainer', { passphrase: passwords.gpg });
  const gpgKey = await gpg.exportSecret(fingerprint, passwords.gpg);
  const made = await scene.start(['keygen', '--key-dir', 'keys', '--json'], {
    AIRCHER_SIGNING_PASSWORD: passwords.signing,
  });
  assert.equal(made.exitCode, 0, String(made.stderr));
  const signingKey = await readFile(scene.workspace.path('keys/aircher.key'), 'utf8');
  const secretLine = signingKey.split('\n')[1]!;
  assert.ok(!`${made.stdout}${made.stderr}`.includes(secretLine), 'keygen prints the secret key');

  const bin = scene.workspace.path('bin');
  const log = scene.workspace.path('heard.txt');
  await mkdir(bin);
  for (const program of ['git', 'gpg', 'gpgconf', 'check']) {
    const real = program === 'check' ? 'true' : (await execa('sh', ['-c', `command -v ${program}`])).stdout;
    const script = `#!/bin/sh\n{ printf 'run: %s\\n' ${program} "$@"; env; } >> '${log}'\nexec '${real}' "$@"\n`;
    await writeFile(join(bin, program), script, { mode: 0o755 });
  }
  const { public_key: publicKey } = JSON.parse(String(made.stdout)) as { public_key: string };
  await scene.configure({
    check: [join(bin, 'check'), 'model'],
    signing: { public_keys: [publicKey], gpg_fingerprint: fingerprint },
  });
  return {
    scene,
    gpg,
    env: {
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      SOURCE_DATE_EPOCH: '',
      AIRCHER_SIGNING_KEY: signingKey,
      AIRCHER_SIGNING_PASSWORD: passwords.signing,
      AIRCHER_GPG_KEY: gpgKey,
      AIRCHER_GPG_PASSPHRASE: passwords.gpg,
      GITHUB_ACTIONS: 'true',
      GITHUB_STEP_SUMMARY: scene.workspace.path('summary.md'),
      GITHUB_OUTPUT: scene.workspace.path('outputs.txt'),
      GNUPGHOME: gpg.environment.GNUPGHOME!,
      ...foreign,
    },
    canaries: [
      ...Object.values(tokens),
      ...Object.values(passwords),
      ...Object.values(foreign),
      secretLine,
      // Each line of the armoured key that is no header.
      ...gpgKey.split('\n').filter((line) => /^[A-Za-z0-9+/]{60,}$/.test(line)),
    ],
    heard: () => readFile(log, 'utf8'),
  };
}

function requireSilence(where: string, text: string, canaries: readonly string[]): void {
  for (const canary of canaries) assert.ok(!text.includes(canary), `${where} has ${canary}`);
}

async function contentOf(directory: string): Promise<string> {
  const texts: string[] = [];
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) texts.push(await readFile(join(entry.parentPath, entry.name), 'latin1'));
  }
  return texts.join('\n');
}

describe('a maintainer’s secrets', { skip: await gpgSkipReason() }, () => {
  it('are in no output, file, argument or environment of a whole signed release, its verification, and a run again', async (t) => {
    const { scene, env, canaries, heard } = await createMaintainer(t);
    for (const args of [['release'], ['verify', 'models-v1.0.0', '--deep'], ['status'], ['validate'], ['release']]) {
      const run = await scene.start([...args, '--json', '--verbose'], env);
      assert.equal(run.exitCode, 0, `${args}: ${run.stderr}`);
      requireSilence(`stdout of ${args}`, String(run.stdout), canaries);
      requireSilence(`stderr of ${args}`, String(run.stderr), canaries);
    }
    for (const directory of ['release', 'mirror', 'manifests'])
      requireSilence(directory, await contentOf(scene.workspace.path(directory)), canaries);
    for (const name of ['manifest.json.minisig', 'manifest.json.asc'])
      assert.match(await readFile(scene.workspace.path('mirror', name), 'utf8'), /signature|SIGNATURE/);
    for (const name of ['summary.md', 'outputs.txt'])
      requireSilence(name, await readFile(scene.workspace.path(name), 'utf8').catch(() => ''), canaries);
    const calls = await heard();
    for (const program of ['git', 'gpg', 'check']) assert.match(calls, new RegExp(`^run: ${program}$`, 'm'));
    requireSilence('a subprocess', calls, canaries);
    assert.doesNotMatch(calls, /^(HF_TOKEN|GITHUB_TOKEN|AIRCHER_[A-Z_]*|AWS_[A-Z_]*|NPM_TOKEN)=/m);
    requireSilence('the record of requests', JSON.stringify(scene.requests()), canaries);
    const authorized = scene.requests().filter(({ authorization }) => authorization);
    assert.deepEqual([...new Set(authorized.map(({ origin }) => origin))].sort(), ['api', 'hub', 'uploads']);
  });

  it('are in no message about wrong or damaged ones, which stop a release before anything is uploaded', async (t) => {
    const { scene, env, canaries, heard } = await createMaintainer(t);
    const half = (name: string): Record<string, string> => ({ [name]: env[name]!.slice(0, env[name]!.length / 2) });
    const cases: readonly (readonly [Readonly<Record<string, string>>, exitCode: number])[] = [
      // These first: a good signature of an earlier run would be kept.
      [half('AIRCHER_SIGNING_KEY'), 3],
      [{ AIRCHER_SIGNING_PASSWORD: 'canaryOfAnotherPassword' }, 6],
      [{ AIRCHER_GPG_PASSPHRASE: 'canaryOfAnotherPassphrase' }, 6],
      [{ AIRCHER_GPG_PASSPHRASE: `${passwords.gpg}\ncanaryOfAnotherLine` }, 3],
      [half('AIRCHER_GPG_KEY'), 3],
    ];
    for (const [changes, exitCode] of cases) {
      const name = Object.keys(changes).join();
      const run = await scene.start(['release', '--json', '--verbose'], { ...env, ...changes });
      assert.equal(run.exitCode, exitCode, `${name}: ${run.stderr}`);
      const lines = Object.values(changes).flatMap((text) => text.split('\n'));
      const all = [...canaries, ...lines.filter((line) => line.length > 40 || line.startsWith('canary'))];
      requireSilence(`${name}: stdout`, String(run.stdout), all);
      requireSilence(`${name}: stderr`, String(run.stderr), all);
      requireSilence(`${name}: a subprocess`, await heard(), all);
      requireSilence(`${name}: release`, await contentOf(scene.workspace.path('release')).catch(nothingYet), all);
    }
    assert.deepEqual(scene.writes(), []);
  });

  it('are blotted out where the check command says them', async (t) => {
    const { scene, env, canaries } = await createMaintainer(t);
    const shout = scene.workspace.path('bin/shout');
    await writeFile(shout, `#!/bin/sh\necho '${canaries.slice(0, 4).join(' ')} ${canaries[6]}'\nexit 1\n`, {
      mode: 0o755,
    });
    const { signing } = JSON.parse(await readFile(scene.workspace.path('manifests/release.json'), 'utf8'));
    await scene.configure({ check: [shout], signing });
    const run = await scene.start(['release', '--json', '--verbose'], env);
    assert.equal(run.exitCode, 3, String(run.stderr));
    assert.match(`${run.stderr}`, /\*\*\*/);
    const known = canaries.filter((canary) => !(Object.values(foreign) as string[]).includes(canary));
    requireSilence('stdout', String(run.stdout), known);
    requireSilence('stderr', String(run.stderr), known);
    requireSilence('the summary', await readFile(scene.workspace.path('summary.md'), 'utf8').catch(() => ''), known);
  });
});

/** A release that is stopped before it packs anything has written nothing. */
function nothingYet(error: unknown): string {
  assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
  return '';
}
