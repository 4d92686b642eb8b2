import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { billOfModels } from '../contract/bill-of-models.ts';
import { parseManifest } from '../contract/manifest.ts';
import { AircherError, systemErrorCode } from '../core/errors.ts';
import { sha256 } from '../core/hashing.ts';
import { printableJson } from '../core/printable.ts';
import { readManifest } from '../release/documents/write-manifest.ts';
import { type CommandDependencies, workspaceOf } from './dependencies.ts';

export function billCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('bill')
    .description('the bill of models: files, digests, licences and sources as CycloneDX 1.6 JSON, on stdout')
    .argument('[file]', 'a manifest, of any release (that in the output directory)')
    .addHelpText('after', '\nExample:\n  aircher-models bill > models.cdx.json')
    .action(async (file: string | undefined, _options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const bytes =
        file === undefined ? (await readManifest(workspace)).bytes : await readNamed(file, workspace.directory);
      const bill = billOfModels(parseManifest(bytes, file ?? 'manifest.json'), sha256(bytes));
      dependencies.writeOut(printableJson(bill));
    });
}

async function readNamed(file: string, directory: string): Promise<Buffer> {
  try {
    return await readFile(resolve(directory, file));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw new AircherError('usage', `${file} is not there`, { cause: error });
  }
}
