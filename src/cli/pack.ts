import type { Command } from 'commander';
import { formatBytes } from '../core/format.ts';
import { defaultWeights } from '../model/fingerprints.ts';
import { weightsAfter } from '../model/version-rules.ts';
import { loadConfig } from '../release/load-config.ts';
import { packModels } from '../release/pack/pack-models.ts';
import { stageModels } from '../release/pack/stage-models.ts';
import { requirePlan } from '../release/plan/plan-record.ts';
import { describePlannedChange, weightsByFingerprints } from '../release/plan/planned-weights.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

export function packCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('pack')
    .description('tarballs, chunk indexes, encodings and pack records of what the plan packs')
    .addHelpText('after', '\nExample:\n  aircher-models pack --model all-MiniLM-L6-v2')
    .action(async (_options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const plan = await requirePlan(loaded, workspace);
      const records = await packModels(loaded, plan, await stageModels(loaded, plan, workspace), workspace);
      const models = records.map((record) => {
        const { model: name, version, archive, index, encodings } = record;
        const previous = plan.models.find((planned) => planned.name === name)?.previous ?? null;
        const weights = weightsAfter(previous, record);
        const keeps = loaded.config.models[name]?.keep_space;
        const changes = previous === null ? [] : weightsByFingerprints(previous, record, keeps);
        const isKnown = changes.every((one) => !one.default || one.space_change !== 'unknown');
        const space = isKnown ? defaultWeights(weights)?.space : undefined;
        return {
          name,
          version,
          archive,
          index,
          encodings,
          ...(space === undefined ? {} : { space }),
          weights: changes,
        };
      });
      printResult(command, dependencies, { models }, () =>
        models.length === 0
          ? 'nothing to pack'
          : [
              formatTable(
                ['artifact', 'size', 'sha256'],
                models
                  .flatMap(({ archive, encodings }) => [archive, ...encodings])
                  .map((artifact) => [artifact.name, formatBytes(artifact.size_bytes), artifact.sha256]),
              ),
              ...models.flatMap(({ name, weights }) =>
                weights.map((one) => `${name}/${describePlannedChange(one, 'prove')}`),
              ),
            ].join('\n'),
      );
    });
}
