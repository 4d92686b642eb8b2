import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AircherError, isAircherError } from '../core/errors.ts';
import { loadConfig } from '../release/load-config.ts';
import { type SigningLines, signingLines } from '../release/setup/signing-lines.ts';
import { type GeneratedKeys, generateKeys } from '../trust/generate-keys.ts';
import { type CommandDependencies, printResult, questionPatience, workspaceOf } from './dependencies.ts';

export function keygenCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('keygen')
    .description('a signing key pair in minisign format: aircher.key and aircher.pub; overwrites nothing')
    .requiredOption('--key-dir <dir>', 'where the keys are written; not inside --out')
    .option('--no-password', 'leave the secret key unencrypted')
    .addHelpText(
      'after',
      '\nThe password of the secret key is AIRCHER_SIGNING_PASSWORD, or else asked for on the terminal.',
    )
    .action(async (options: { keyDir: string; password: boolean }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const password = options.password ? await newPassword(dependencies) : undefined;
      // A key can be made before there is a release.json.
      const config = (await loadConfig(workspace).catch(unlessMissing))?.config;
      const targets = config === undefined ? [] : await dependencies.targets(config, workspace, questionPatience);
      const keys = await generateKeys({
        keyDirectory: resolve(workspace.directory, options.keyDir),
        outDirectory: workspace.out,
        password,
      });
      const lines = await signingLines(keys.publicKey, config, targets, workspace);
      const document = {
        secret_key_path: keys.secretKeyPath,
        public_key_path: keys.publicKeyPath,
        public_key: keys.publicKey,
        key_id: keys.keyId,
        signing: lines,
      };
      printResult(command, dependencies, document, () => describeKeys(keys, lines));
    });
}

function unlessMissing(error: unknown): undefined {
  if (!isAircherError(error, 'usage')) throw error;
}

function describeKeys(keys: GeneratedKeys, { now, later }: SigningLines): string {
  const line = (signing: object): string => `  "signing": ${JSON.stringify(signing)}`;
  return [
    `secret key  ${keys.secretKeyPath} (keep it out of the repository; in CI it is AIRCHER_SIGNING_KEY)`,
    `public key  ${keys.publicKeyPath}`,
    '',
    ...(later === undefined
      ? ['In release.json:', line(now)]
      : [
          'In release.json, for the release that announces it; the old key signs that one:',
          line(now),
          'Later, when clients have seen it; the new key signs from then on. "last_release" is the announcing release:',
          line(later),
        ]),
  ].join('\n');
}

async function newPassword({ environment, askSecret }: CommandDependencies): Promise<string> {
  if (environment.signingPassword) return environment.signingPassword;
  const hint = 'Set AIRCHER_SIGNING_PASSWORD, or ask for a key without a password by --no-password.';
  if (askSecret === undefined) {
    throw new AircherError('usage', 'keygen needs a password for the secret key, and there is no terminal to ask on', {
      hint,
    });
  }
  const password = await askSecret('Password for the new key: ');
  if (password === '') throw new AircherError('usage', 'the password is empty', { hint });
  if ((await askSecret('The same again: ')) !== password) {
    throw new AircherError('usage', 'the two passwords differ', { hint: 'Run keygen again; no key was made.' });
  }
  return password;
}
