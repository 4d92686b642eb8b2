import { exitUpdatesFound } from '../../core/exit-codes.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { checkUpdates, type UpdateStatus } from '../operations/check-updates.ts';
import { table } from '../render/table.ts';
import type { Command } from './command.ts';
import { parseModelName } from './model-reference.ts';

export const checkUpdatesCommand: Command = {
  name: 'check-updates',
  operands: '[NAME…]',
  count: [0, Number.POSITIVE_INFINITY],
  summary: 'installed against offered versions: bytes to fetch, what changed, whether indices must be rebuilt',
  examples: [
    ['check-updates', 'all installed models'],
    ['check-updates gte-large --json', 'one model, for programs'],
    ['check-updates --exit-code', 'exit code 10 where there are updates, for scripts'],
  ],
  options: { 'exit-code': { type: 'boolean', help: 'exit with 10 where there are updates' } },
  async run({ client, operands, options, output, context }) {
    const statuses = await checkUpdates(client, { ...context, names: operands.map(parseModelName) });
    const updates = statuses.filter((status) => status.status === 'update');
    if (output.json) output.printJson({ models: statuses });
    else {
      if (statuses.length > 0) output.print(statusTable(statuses));
      if (statuses.length === 0) output.note('No model is installed.');
      else if (updates.length === 0) output.note('Everything is up to date.');
      else
        output.note(`${plural(updates.length, 'update')}. Get ${updates.length === 1 ? 'it' : 'them'}: update --all`);
      for (const status of statuses) for (const line of remarks(status)) output.note(line);
    }
    return options['exit-code'] && updates.length > 0 ? exitUpdatesFound : 0;
  },
};

export function statusTable(statuses: readonly UpdateStatus[]): string {
  return table(
    ['MODEL', 'INSTALLED', 'OFFERED', 'TO FETCH', 'CHANGES', 'INDICES'],
    statuses.map((status) => [
      status.name,
      status.installed,
      status.available ?? '-',
      toFetch(status),
      status.differences.join(', ') || '-',
      isNew(status) ? indices[status.space] : '-',
    ]),
  );
}

const indices = { same: 'stay valid', changes: 'must be rebuilt', unknown: 'unknown: rebuild to be sure' } as const;

function isNew(status: UpdateStatus): boolean {
  return status.available !== undefined && status.available !== status.installed && status.status !== 'up-to-date';
}

function toFetch(status: UpdateStatus): string {
  if (!isNew(status)) return '-';
  const all = status.size_bytes === undefined ? '' : ` of ${formatBytes(status.size_bytes)}`;
  return status.bytes_to_fetch === undefined ? `up to${all.slice(3)}` : `${formatBytes(status.bytes_to_fetch)}${all}`;
}

function remarks(status: UpdateStatus): string[] {
  const lines: string[] = [];
  if (status.yanked !== undefined) lines.push(`${status.name} ${status.installed} was withdrawn: ${status.yanked}`);
  if (status.status === 'pinned')
    lines.push(`${status.name} is pinned to ${status.installed}: update leaves it alone.`);
  if (status.status === 'not-offered') lines.push(`${status.name} is not in the newest release.`);
  if (isNew(status) && status.changes) lines.push(`${status.name} ${status.available}: ${status.changes}`);
  return lines;
}
