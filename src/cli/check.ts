import type { Command } from 'commander';
import { plural } from '../core/format.ts';
import { checkModels } from '../release/check.ts';
import { loadConfig } from '../release/load-config.ts';
import { readManifest } from '../release/manifest.ts';
import { requirePlan } from '../release/plan-record.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function checkCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('check')
    .description("installs each packed model from its artifacts and runs release.json's check command on it")
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const plan = await requirePlan(loaded, workspace);
      const report = await checkModels(loaded.config, plan, await readManifest(workspace), workspace);
      printResult(command, dependencies, report, () =>
        [
          ...report.models.map(
            (model) => `${model.name} ${model.version}: ${plural(model.files, 'file')} installed and verified`,
          ),
          report.command ? "release.json's check command agreed" : 'release.json has no check command',
        ].join('\n'),
      );
    });
}
