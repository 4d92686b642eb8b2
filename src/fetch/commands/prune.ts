import { usageError } from '../../core/errors.ts';
import { formatBytes } from '../../core/format.ts';
import { prune } from '../operations/free-space.ts';
import type { Command } from './command.ts';

export const pruneCommand: Command = {
  name: 'prune',
  operands: '',
  count: [0, 0],
  summary: 'deletes old versions and interrupted downloads; never a current or pinned version',
  examples: [
    ['prune', 'all but the versions in use'],
    ['prune --keep 2 --dry-run', 'what would go if two versions of each model were kept'],
  ],
  options: {
    keep: { type: 'string', value: 'N', help: 'versions of each model to keep, the current one among them' },
    'dry-run': { type: 'boolean', help: 'only say what would be deleted' },
  },
  async run({ client, options, output, context }) {
    const { keep } = options;
    if (keep !== undefined && !/^[1-9]\d{0,4}$/.test(String(keep))) {
      throw usageError(`--keep ${keep} is not a number from 1 up.`);
    }
    const dryRun = Boolean(options['dry-run']);
    const pruned = await prune(client, { ...context, keep: keep === undefined ? undefined : Number(keep), dryRun });
    const bytes = pruned.reduce((sum, item) => sum + item.bytes, 0);
    if (output.json) output.printJson({ dry_run: dryRun, bytes, items: pruned });
    for (const item of pruned) {
      const what = item.version === undefined ? item.path : `${item.name} ${item.version}`;
      output.print(`${what}  ${formatBytes(item.bytes)}`);
    }
    if (pruned.length === 0) output.note('There is nothing to delete.');
    else output.note(dryRun ? `${formatBytes(bytes)} would be freed.` : `${formatBytes(bytes)} freed.`);
    return 0;
  },
};
