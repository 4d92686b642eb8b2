import { formatBytes } from '../../core/format.ts';
import type { OfferedModel } from '../api.ts';
import { listInstalled, listOffered } from '../operations/list-models.ts';
import type { Columns } from '../render/output.ts';
import type { Command } from './command.ts';
import { showModels } from './show-models.ts';

export const listCommand: Command = {
  name: 'list',
  aliases: ['ls'],
  operands: '',
  summary: 'what is installed, or with --remote what is offered',
  examples: {
    '--remote': 'what the newest release offers',
  },
  options: {
    '--remote': 'what can be installed, from the newest release',
    '--weights PATH|FORMAT|all': 'only where these weights are, with their embedding space',
  },
  async run({ client, options, output, context }) {
    const weights = options.weights?.at(-1);
    if (options.remote) {
      const offered = await listOffered(client, { ...context, weights });
      output.note(`Release ${offered.tag ?? 'without a name'}:`);
      showModels(output, offered, {
        VERSION: (model) => (model.yanked === undefined ? model.version : `${model.version} (withdrawn)`),
        INSTALLED: (model) => model.installed,
        WEIGHTS: (model) => model.weights.map(({ path }) => path).join(', ') || undefined,
        ...facts,
      });
      return;
    }
    showModels(output, await listInstalled(client, { ...context, weights }), {
      VERSION: (model) => model.version,
      '': (model) => [model.current && 'current', model.pinned && 'pinned'].filter(Boolean).join(', '),
      WEIGHTS: (model) => model.wanted.join(', '),
      ...facts,
    });
  },
};

const facts: Columns<Pick<OfferedModel, 'size_bytes' | 'dimensions' | 'license' | 'space'>> = {
  SIZE: (model) => formatBytes(model.size_bytes),
  DIMENSIONS: (model) => model.dimensions?.toString(),
  LICENCE: (model) => model.license,
  // Enough of the digest to see by eye whether two are equal.
  SPACE: (model) => model.space?.slice(0, 12),
};
