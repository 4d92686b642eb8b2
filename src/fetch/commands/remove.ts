import { formatBytes } from '../../core/format.ts';
import { readInstalled } from '../cache/installed.ts';
import { eachModel } from '../operations/each-model.ts';
import { removeModel } from '../operations/free-space.ts';
import type { Command } from './command.ts';

export const removeCommand: Command = {
  name: 'remove',
  aliases: ['rm', 'uninstall'],
  operands: 'NAME…',
  summary: 'deletes models with all their versions',
  examples: {
    'gte-large': 'all versions, the pin and what was downloaded',
  },
  async run({ client, models, output, context }) {
    const reports = await eachModel(models, context, async ({ name }) => {
      const report = await removeModel(client, name, context);
      const what = report.versions.join(', ') || 'an unfinished download';
      output.note(`${name} removed (${what}): ${formatBytes(report.bytes)} freed.`);
      const left = await readInstalled(client.layout, name);
      if (left !== undefined) output.note(`${name} ${left.current} is in the system cache, and used from now on.`);
      return report;
    });
    output.document({ models: reports });
  },
};
