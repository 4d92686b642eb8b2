import type { Command } from 'commander';
import { formatBytes, plural } from '../core/format.ts';
import { defaultWeights } from '../model/fingerprints.ts';
import { loadConfig } from '../release/load-config.ts';
import { stageModels } from '../release/pack/stage-models.ts';
import { requirePlan } from '../release/plan/plan-record.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

export function stageCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('stage')
    .description('gets the sources: checks local directories, downloads pinned Hub revisions')
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const staged = await stageModels(loaded, await requirePlan(loaded, workspace), workspace);
      const models = staged.map(({ planned, files, facts }) => ({
        name: planned.name,
        version: planned.version,
        file_count: files.length,
        bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
        tensors: defaultWeights(facts.weights)?.tensors ?? null,
        embedding: facts.embedding,
      }));
      printResult(command, dependencies, { models }, () =>
        models.length === 0
          ? 'nothing to pack'
          : formatTable(
              ['model', 'version', 'files', 'size', 'dimensions', 'max tokens', 'pooling'],
              models.map((model) => [
                model.name,
                model.version,
                plural(model.file_count, 'file'),
                formatBytes(model.bytes),
                String(model.embedding.dimensions ?? '–'),
                String(model.embedding.max_tokens ?? '–'),
                model.embedding.pooling ?? '–',
              ]),
            ),
      );
    });
}
