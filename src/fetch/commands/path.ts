import { describeInstalled, findInstalled } from '../operations/find-installed.ts';
import { notInstalled } from '../operations/select-installed.ts';
import type { Command } from './command.ts';

export const pathCommand: Command = {
  name: 'path',
  operands: 'NAME[@VERSION]',
  summary: 'directory of an installed version',
  details: 'It never changes; an update makes another. No network.',
  examples: {
    'all-MiniLM-L6-v2': 'directory of the version in use',
    'all-MiniLM-L6-v2@1.1.0': 'of another installed version',
  },
  async run({ client, models, output, context }) {
    for (const { name, range } of models) {
      const record = await findInstalled(client, name, range, context);
      if (record === undefined) throw await notInstalled(client, name, range);
      const model = describeInstalled(client.layout, record);
      output.document(model);
      output.print(model.path);
    }
  },
};
