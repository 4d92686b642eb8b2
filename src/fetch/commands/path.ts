import { type AircherError, invalidError } from '../../core/errors.ts';
import { readInstalled } from '../cache/installed.ts';
import { describeInstalled, findInstalled } from '../operations/find-installed.ts';
import type { Command } from './command.ts';
import { parseModelReference } from './model-reference.ts';

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
  async run({ client, operands, output }) {
    const [reference = ''] = operands;
    const { name, range } = parseModelReference(reference);
    const record = await findInstalled(client, name, range);
    if (record === undefined) throw await notInstalled(client.layout, name, reference);
    const model = describeInstalled(client.layout, record);
    if (output.json) output.printJson(model);
    else output.print(model.path);
    return 0;
  },
};

async function notInstalled(
  layout: Parameters<typeof readInstalled>[0],
  name: string,
  reference: string,
): Promise<AircherError> {
  const versions = (await readInstalled(layout, name))?.versions.map((record) => record.version) ?? [];
  const there = versions.length === 0 ? '' : ` Installed: ${versions.join(', ')}.`;
  return invalidError(`${reference} is not installed.${there}`, `Install it: install ${reference}`);
}
