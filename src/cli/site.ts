import { resolve } from 'node:path';
import type { Command } from 'commander';
import { formatBytes } from '../core/format.ts';
import { loadConfig } from '../release/load-config.ts';
import { writeSite } from '../release/site/write-site.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function siteCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('site')
    .description('the catalogue of the newest published release as a web page, and its client beside it')
    .requiredOption('--to <dir>', 'directory that a web server serves, such as the one that goes to GitHub Pages')
    .action(async ({ to }: { to: string }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { config } = await loadConfig(workspace);
      const targets = await dependencies.targets(config, workspace);
      const report = await writeSite(resolve(workspace.directory, to), config, targets, workspace);
      printResult(command, dependencies, report, () =>
        report.files.map(({ name, size_bytes: size }) => `${name} of ${report.tag}, ${formatBytes(size)}`).join('\n'),
      );
    });
}
