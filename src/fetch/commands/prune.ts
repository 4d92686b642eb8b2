import { formatBytes } from '../../core/format.ts';
import { prune } from '../operations/free-space.ts';
import type { Command } from './command.ts';
import { numberOption } from './number-option.ts';

export const pruneCommand: Command = {
  name: 'prune',
  operands: '',
  summary: 'deletes old versions and interrupted downloads; never a current or pinned version',
  examples: {
    '--keep 2 --dry-run': 'what would go if two versions of each model were kept',
  },
  options: {
    '--keep N': 'versions of each model to keep, the current one among them',
    '--dry-run': 'only say what would be deleted',
  },
  async run({ client, options, output, context }) {
    const dryRun = options['dry-run'] !== undefined;
    const report = await prune(client, { ...context, keep: numberOption(options, 'keep', 99_999), dryRun });
    output.document(report);
    for (const { name, version, path, bytes } of report.items) {
      output.print(`${version === undefined ? path : `${name} ${version}`}  ${formatBytes(bytes)}`);
    }
    output.note(`${formatBytes(report.bytes)} ${dryRun ? 'would be freed' : 'freed'}.`);
    return;
  },
};
