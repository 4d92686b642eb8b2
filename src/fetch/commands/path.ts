import { invalidError } from '../../core/errors.ts';
import { readInstalled } from '../cache/installed.ts';
import { describeInstalled, findInstalled } from '../operations/find-installed.ts';
import type { Command } from './command.ts';

export const pathCommand: Command = {
  name: 'path',
  operands: 'NAME[@VERSION]',
  count: [1, 1],
  summary: 'directory of an installed version',
  details: 'Prints one line, the directory of the version. It never changes; an update makes another. No network.',
  examples: [
    ['path all-MiniLM-L6-v2', 'directory of the version in use'],
    ['path all-MiniLM-L6-v2@1.1.0', 'of another installed version'],
  ],
  async run({ client, models, output }) {
    for (const { name, range } of models) {
      const record = await findInstalled(client, name, range);
      if (record === undefined) {
        const wanted = range === undefined ? name : `${name}@${range}`;
        const there = (await readInstalled(client.layout, name))?.versions.map(({ version }) => version) ?? [];
        throw invalidError(
          `${wanted} is not installed.${there.length === 0 ? '' : ` Installed: ${there.join(', ')}.`}`,
          `Install it: install ${wanted}`,
        );
      }
      const model = describeInstalled(client.layout, record);
      output.document(model);
      output.print(model.path);
    }
  },
};
