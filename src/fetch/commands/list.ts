import { formatBytes } from '../../core/format.ts';
import type { ListedVersion, OfferedModel, OfferedWeights } from '../api.ts';
import { listInstalled, listOffered } from '../operations/list-models.ts';
import type { Columns } from '../render/output.ts';
import type { Command } from './command.ts';
import { noModels, showModels } from './show-models.ts';

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
      output.document(offered);
      output.note(`Release ${offered.tag ?? 'without a name'}:`);
      const rows = offered.models.flatMap((model) => renditionsOf(model, weights));
      if (rows.length > 0) output.table(rows, offeredColumns);
      else output.note(`It offers no model${withWeights(weights)}.`);
      return;
    }
    const listed = await listInstalled(client, { ...context, weights });
    const none = weights === undefined ? noModels : `No model${withWeights(weights)} is installed. See all: list`;
    const columns = client.layout.system ? { ...installedColumns, ...cacheColumn } : installedColumns;
    showModels(output, listed, columns, none);
  },
};

function withWeights(weights: string | undefined): string {
  return weights === undefined ? '' : ` with the weights ${weights}`;
}

/** What can be installed of a model, and its size. `weights` are undefined where there are none. */
type Rendition = Omit<OfferedModel, 'weights'> & { readonly weights: string | undefined };

/** A row for each of the weights that are asked for; without `asked`, for all of them. */
function renditionsOf(model: OfferedModel, asked: string | undefined): readonly Rendition[] {
  const isMeant = ({ path, format, default: isDefault }: OfferedWeights): boolean =>
    asked === undefined || [path, format].includes(asked) || (isDefault && asked === 'default');
  const meant = model.weights.filter(isMeant);
  if (meant.length === 0) return [{ ...model, weights: asked }];
  return meant.map(({ path, default: isDefault, size_bytes, space }) => ({
    ...{ ...model, size_bytes, space },
    weights: isDefault ? `${path} (default)` : path,
  }));
}

const facts: Columns<Pick<OfferedModel, 'size_bytes' | 'dimensions' | 'license' | 'space'>> = {
  'ON DISK': (model) => formatBytes(model.size_bytes),
  DIMENSIONS: (model) => model.dimensions?.toString(),
  LICENCE: (model) => model.license,
  // Enough of the digest to see by eye whether two are equal.
  SPACE: (model) => model.space?.slice(0, 12),
};

const offeredColumns: Columns<Rendition> = {
  MODEL: (model) => model.name,
  VERSION: (model) => (model.yanked === undefined ? model.version : `${model.version} (withdrawn)`),
  INSTALLED: (model) => model.installed,
  WEIGHTS: (model) => model.weights,
  ...facts,
};

const installedColumns: Columns<ListedVersion> = {
  VERSION: (model) => model.version,
  '': (model) => [model.current && 'current', model.pinned && 'pinned'].filter(Boolean).join(', '),
  WEIGHTS: (model) => model.wanted.join(', '),
  ...facts,
};

const cacheColumn: Columns<ListedVersion> = { CACHE: (model) => model.cache };
