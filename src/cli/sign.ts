import type { Command } from 'commander';
import { signRelease } from '../release/documents/sign-release.ts';
import { readManifest } from '../release/documents/write-manifest.ts';
import { loadConfig } from '../release/load-config.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function signCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('sign')
    .description(
      'manifest and checksums (Ed25519: .minisig), and the manifest (GPG: .asc), with the keys that are there',
    )
    .addHelpText(
      'after',
      '\nKeys come from AIRCHER_SIGNING_KEY (a path, or the text of a key) and AIRCHER_SIGNING_PASSWORD,\nAIRCHER_GPG_KEY and AIRCHER_GPG_PASSPHRASE, or the keyring by signing.gpg_fingerprint.',
    )
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { config } = await loadConfig(workspace);
      const report = await signRelease(config, await readManifest(workspace), workspace);
      printResult(command, dependencies, report, () =>
        report.signatures.length === 0
          ? 'release.json names no keys, and there are none: nothing to sign'
          : report.signatures.join('\n'),
      );
    });
}
