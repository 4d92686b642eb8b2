import { describeInstalled, findInstalled } from '../operations/find-installed.ts';
import { notInstalled } from '../operations/select-installed.ts';
import { type Command, weightsOptions } from './command.ts';

export const pathCommand: Command = {
  name: 'path',
  operands: 'NAME[@VERSION]',
  summary: 'directory of an installed version',
  details: 'Files are added to it, none changes; an update makes another. No network.',
  examples: {
    'all-MiniLM-L6-v2': 'directory of the version in use',
    'all-MiniLM-L6-v2@1.1.0': 'of another installed version',
    'all-MiniLM-L6-v2 --weights onnx --json': 'with the file to load of these weights, and their space',
  },
  options: weightsOptions,
  async run({ client, models, options, output, context }) {
    for (const { name, range } of models) {
      const part = await findInstalled(client, name, range, { ...context, weights: options.weights?.at(-1) });
      if (part === undefined) throw await notInstalled(client, name, range);
      const model = describeInstalled(part);
      output.document(model);
      output.print(model.path);
    }
  },
};
