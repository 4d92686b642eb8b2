import { exitUpdatesFound } from '../../core/exit-codes.ts';
import { formatBytes, plural } from '../../core/format.ts';
import type { Models, UpdateStatus } from '../api.ts';
import { checkUpdates } from '../operations/check-updates.ts';
import type { Output } from '../render/output.ts';
import type { Command } from './command.ts';
import { showModels } from './show-models.ts';

export const checkUpdatesCommand: Command = {
  name: 'check-updates',
  operands: '[NAME…]',
  summary: 'installed against offered versions: bytes to fetch, what changed, whether indices must be rebuilt',
  examples: {
    'gte-large --json': 'one model, for programs',
  },
  options: { '--exit-code': 'exit with 10 where there are updates' },
  async run({ client, names, options, output, context }) {
    const report = await checkUpdates(client, { ...context, names });
    showStatuses(report, output);
    const statuses = report.models;
    const updates = statuses.filter(({ status }) => status === 'update').length;
    if (updates > 0) output.note(`${plural(updates, 'update')}. To install: update --all`);
    else if (client.offline) output.note('Nothing newer is known here. Offline, no host is asked.');
    else if (statuses.length > 0 && statuses.every(({ status }) => status === 'up-to-date')) {
      output.note('Everything is up to date.');
    }
    for (const { name, installed, available, status, changes, yanked } of statuses) {
      if (yanked !== undefined) output.note(`${name} ${installed} was withdrawn: ${yanked}`);
      if (status === 'pinned') output.note(`${name} is pinned to ${installed}: update leaves it alone.`);
      if (status === 'not-offered') output.note(`${name} is not in the newest release.`);
      if (changes !== undefined) output.note(`${name} ${available}: ${changes}`);
    }
    return options['exit-code'] && updates > 0 ? exitUpdatesFound : 0;
  },
};

export function showStatuses(report: Models<UpdateStatus>, output: Output): void {
  showModels(output, report, {
    INSTALLED: (status) => status.installed,
    OFFERED: (status) => status.available,
    'TO FETCH': ({ bytes_to_fetch: bytes, size_bytes: size }) =>
      size === undefined
        ? undefined
        : `${bytes === undefined ? 'up to' : `${formatBytes(bytes)} of`} ${formatBytes(size)}`,
    CHANGES: (status) => status.differences.join(', ') || undefined,
    INDICES: (status) => (status.size_bytes === undefined ? undefined : indices[status.space]),
  });
}

const indices = { same: 'stay valid', changes: 'must be rebuilt', unknown: 'unknown: rebuild to be sure' } as const;
