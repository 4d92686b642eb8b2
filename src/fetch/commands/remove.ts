import { formatBytes } from '../../core/format.ts';
import { removeModel } from '../operations/free-space.ts';
import type { Command } from './command.ts';
import { parseModelName } from './model-reference.ts';

export const removeCommand: Command = {
  name: 'remove',
  operands: 'NAME…',
  count: [1, Number.POSITIVE_INFINITY],
  summary: 'deletes models with all their versions',
  examples: [['remove gte-large', 'all versions, the pin and what was downloaded']],
  async run({ client, operands, output, context }) {
    const reports = [];
    for (const name of operands.map(parseModelName)) {
      const report = await removeModel(client, name, context);
      reports.push(report);
      output.note(`${name} removed (${report.versions.join(', ')}): ${formatBytes(report.bytes)} freed.`);
    }
    if (output.json) output.printJson({ models: reports });
    return 0;
  },
};
