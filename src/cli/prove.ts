import type { Command } from 'commander';
import { plural } from '../core/format.ts';
import { loadConfig } from '../release/load-config.ts';
import { requirePlan } from '../release/plan/plan-record.ts';
import { describeChange } from '../release/prove/measured-change.ts';
import { proveModels } from '../release/prove/prove-models.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function proveCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('prove')
    .description(
      "unpacks each packed model by its index, makes its reference vectors, runs release.json's check command, and writes its proof",
    )
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const report = await proveModels(loaded, await requirePlan(loaded, workspace), workspace);
      printResult(command, dependencies, report, () =>
        [
          ...report.models.flatMap(({ name, version, file_count: count, reference }) => [
            `${name} ${version}: ${plural(count, 'file')} unpacked, as they were packed`,
            ...(reference
              ? [`  ${plural(reference.texts, 'text')} embedded with ${reference.weights.join(', ')}`]
              : []),
            ...(reference?.measured ? [`  ${describeChange(reference.measured)}`] : []),
          ]),
          report.check ? "release.json's check command agreed" : 'release.json has no check command',
        ].join('\n'),
      );
    });
}
