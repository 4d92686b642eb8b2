import { resolve } from 'node:path';
import type { Command } from 'commander';
import { AircherError } from '../core/errors.ts';
import { generateKeys } from '../trust/keygen.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function keygenCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('keygen')
    .description('a signing key pair in minisign format: aircher.key and aircher.pub; overwrites nothing')
    .requiredOption('--key-dir <dir>', 'where the keys are written; not inside --out')
    .option('--no-password', 'leave the secret key unencrypted (else its password is AIRCHER_SIGNING_PASSWORD)')
    .action(async (options: { keyDir: string; password: boolean }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const password = options.password ? dependencies.environment.signingPassword : undefined;
      if (options.password && !password) {
        throw new AircherError('usage', 'keygen needs a password for the secret key', {
          hint: 'Set AIRCHER_SIGNING_PASSWORD, or ask for a key without one by --no-password.',
        });
      }
      const keys = await generateKeys({
        keyDirectory: resolve(workspace.directory, options.keyDir),
        outDirectory: workspace.out,
        password,
      });
      printResult(command, dependencies, keys, () =>
        [
          `secret key  ${keys.secretKeyPath} (keep it out of the repository; in CI it is AIRCHER_SIGNING_KEY)`,
          `public key  ${keys.publicKeyPath}`,
          '',
          'In release.json:',
          `  "signing": { "public_keys": ["${keys.publicKey}"] }`,
        ].join('\n'),
      );
    });
}
