import { formatBytes } from '../../core/format.ts';
import { prune } from '../operations/free-space.ts';
import type { Command } from './command.ts';
import { numberOption } from './number-option.ts';

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
    const dryRun = options['dry-run'] !== undefined;
    const items = await prune(client, { ...context, keep: numberOption(options, 'keep', 99_999), dryRun });
    const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
    output.document({ dry_run: dryRun, bytes, items });
    for (const { name, version, path, bytes } of items) {
      output.print(`${version === undefined ? path : `${name} ${version}`}  ${formatBytes(bytes)}`);
    }
    output.note(`${formatBytes(bytes)} ${dryRun ? 'would be freed' : 'freed'}.`);
    return;
  },
};
