import { formatBytes } from '../../core/format.ts';
import { removeModel } from '../operations/free-space.ts';
import type { Command } from './command.ts';

export const removeCommand: Command = {
  name: 'remove',
  operands: 'NAME…',
  summary: 'deletes models with all their versions',
  examples: {
    'gte-large': 'all versions, the pin and what was downloaded',
  },
  async run({ client, names, output, context }) {
    const models = [];
    for (const name of names) {
      const report = await removeModel(client, name, context);
      models.push(report);
      output.note(`${name} removed (${report.versions.join(', ')}): ${formatBytes(report.bytes)} freed.`);
    }
    output.document({ models });
  },
};
