import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** A keyring of a user, made by the program gpg, with keys for the tests. */
export interface GpgScene {
  readonly directory: string;
  /** The environment of a user whose keyring this is. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where the keyrings of ours appear for a moment. */
  readonly temporaryDirectory: string;
  gpg(programArguments: readonly string[], input?: string | Uint8Array): Promise<string>;
  /** Makes a key that can sign; returns its fingerprint. */
  makeKey(name: string, options?: { readonly passphrase?: string; readonly expire?: string }): Promise<string>;
  exportSecret(fingerprint: string, passphrase?: string): Promise<string>;
  exportPublic(fingerprint: string): Promise<string>;
  close(): Promise<void>;
}

export async function gpgSkipReason(): Promise<string | false> {
  if (process.platform === 'win32') return 'these tests record calls by a shell script';
  const probe = await execa('gpg', ['--version'], { reject: false });
  return probe.exitCode === 0 ? false : 'the program gpg is not installed';
}

export async function openGpgScene(): Promise<GpgScene> {
  const directory = await mkdtemp(join(tmpdir(), 'gs-'));
  const home = join(directory, 'home');
  const temporaryDirectory = join(directory, 'tmp');
  await mkdir(home, { mode: 0o700 });
  await mkdir(temporaryDirectory);
  const environment = { PATH: process.env.PATH ?? '', HOME: directory, GNUPGHOME: home };
  const gpg = async (programArguments: readonly string[], input: string | Uint8Array = '') => {
    const { stdout } = await execa('gpg', ['--batch', '--no-tty', '--pinentry-mode', 'loopback', ...programArguments], {
      env: environment,
      extendEnv: false,
      input,
    });
    return stdout;
  };
  return {
    directory,
    environment,
    temporaryDirectory,
    gpg,
    makeKey: async (name, { passphrase = '', expire = '0' } = {}) => {
      const mail = `${name}@example.org`;
      await gpg(['--passphrase', passphrase, '--quick-gen-key', mail, 'ed25519', 'sign', expire]);
      const listing = await gpg(['--with-colons', '--list-secret-keys', mail]);
      const line = listing.split('\n').find((candidate) => candidate.startsWith('fpr:'));
      return line?.split(':')[9] ?? '';
    },
    exportSecret: (fingerprint, passphrase = '') =>
      gpg(['--passphrase', passphrase, '--armor', '--export-secret-keys', fingerprint]),
    exportPublic: (fingerprint) => gpg(['--armor', '--export', fingerprint]),
    close: async () => {
      await execa('gpgconf', ['--kill', 'gpg-agent'], { env: environment, extendEnv: false, reject: false });
      await rm(directory, { recursive: true, maxRetries: 5 });
    },
  };
}

/**
 * Puts scripts in the place of gpg and gpgconf that write down arguments and environment, and then
 * run the real ones.
 */
export async function recordCalls(scene: GpgScene): Promise<{ readonly path: string; readonly log: string }> {
  const path = join(scene.directory, 'bin');
  const log = join(scene.directory, 'calls');
  await mkdir(path);
  for (const program of ['gpg', 'gpgconf']) {
    const { stdout: real } = await execa('sh', ['-c', `command -v ${program}`]);
    const script = `#!/bin/sh\n{ printf 'run: %s\\n' ${program} "$@"; env; } >> '${log}'\nexec '${real}' "$@"\n`;
    await writeFile(join(path, program), script, { mode: 0o755 });
  }
  return { path: `${path}:${scene.environment.PATH}`, log };
}
