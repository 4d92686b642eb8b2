import { toAircherError } from '../../core/errors.ts';
import { exitUpdatesFound } from '../../core/exit-codes.ts';
import { formatBytes, plural, shellWord } from '../../core/format.ts';
import type { Models, SpaceChanges, UpdateStatus } from '../api.ts';
import { checkUpdates } from '../operations/check-updates.ts';
import type { Columns, Output } from '../render/output.ts';
import { type Command, type CommandCall, otherWeightsOptions } from './command.ts';
import { noModels } from './show-models.ts';
import { differ, tellSpace, tellStays } from './tell.ts';

export const checkUpdatesCommand: Command = {
  name: 'check-updates',
  operands: '[NAME…]',
  summary: 'installed against offered versions: bytes to fetch, what changed, whether indices must be rebuilt',
  examples: {
    'gte-large --json': 'one model, for programs',
  },
  options: { '--exit-code': 'exit with 10 where there are updates', ...otherWeightsOptions },
  async run(call) {
    const { client, names, options, output, context } = call;
    const weights = options.weights?.at(-1);
    const statuses = await showUpdates(
      checkUpdates(client, { ...context, names, weights }),
      output,
      ({ name, ...model }) => {
        if (model.changes !== undefined) output.note(`${name} ${model.available}: ${model.changes}`);
      },
    );
    const updates = statuses.filter(({ status }) => status === 'update').length;
    if (updates > 0) adviseUpdate(updates, call);
    else if (client.offline) output.note('Nothing newer is known here. Offline, no host is asked.');
    else if (statuses.length > 0 && statuses.every(({ status }) => status === 'up-to-date')) {
      output.note('Everything is up to date.');
    }
    return options['exit-code'] && updates > 0 ? exitUpdatesFound : 0;
  },
};

/** Names the command that brings the updates which were found: with the options of this call. */
export function adviseUpdate(updates: number, { names, options, output }: CommandCall): void {
  const given = Object.entries(options).filter(([option]) => !ofThisCall.has(option));
  const words = given.flatMap(([option, values = []]) =>
    values.flatMap((value) => [`--${option}`, ...(value === '' ? [] : [shellWord(value)])]),
  );
  const command = ['update', ...(names.length > 0 ? names : ['--all']), ...words].join(' ');
  output.note(`${plural(updates, 'update')}. To install: ${command}`);
}

/** Options that don't belong into the advice: what was looked at here, and how it was shown. */
const ofThisCall = new Set(['all', 'plan', 'exit-code', 'json', 'quiet', 'verbose', 'progress', 'no-color']);

/**
 * Shows what `check-updates` and `update --plan` found: a document, or a table, why models stay,
 * and what `more` says of each. Where a model failed, the table has what is known of the others,
 * and the error is thrown on.
 */
export async function showUpdates(
  found: Promise<Models<UpdateStatus>>,
  output: Output,
  more: (status: UpdateStatus) => void,
): Promise<readonly UpdateStatus[]> {
  const show = (models: readonly UpdateStatus[]): void => {
    if (models.length > 0) output.table(models, columns);
    for (const model of models) {
      const { name, installed, status, yanked } = model;
      if (status !== 'update' && status !== 'up-to-date') tellStays(name, installed, status, yanked, output);
      else if (yanked !== undefined) output.note(`${name} ${installed} was withdrawn: ${yanked}`);
      if (model.size_bytes !== undefined && differ(model))
        tellSpace(name, installed, model.available ?? '', model, output);
      more(model);
    }
  };
  const report = await found.catch((error: unknown) => {
    show((toAircherError(error).details.models ?? []) as readonly UpdateStatus[]);
    throw error;
  });
  output.document(report);
  if (report.models.length === 0) output.note(noModels);
  show(report.models);
  return report.models;
}

const columns: Columns<UpdateStatus> = {
  MODEL: (status) => status.name,
  INSTALLED: (status) => status.installed,
  OFFERED: (status) => status.available,
  'TO FETCH': ({ bytes_to_fetch: bytes, size_bytes: size }) =>
    size === undefined
      ? undefined
      : `${bytes === undefined ? 'up to' : `${formatBytes(bytes)} of`} ${formatBytes(size)}`,
  CHANGES: (status) => status.differences.join(', ') || undefined,
  INDICES: (status) => (status.size_bytes === undefined ? undefined : indicesOf(status)),
};

/** Where weights differ in that, which ones it concerns: the rest stays valid. */
function indicesOf(space: SpaceChanges): string {
  const worst = indices[space.space_change];
  if (!differ(space)) return worst;
  const concerned = space.weights.filter(({ space_change }) => space_change === space.space_change);
  return `${worst} for ${concerned.map(({ path }) => path).join(', ')}`;
}

const indices = { same: 'stay valid', changes: 'must be rebuilt', unknown: 'unknown: rebuild to be sure' } as const;
