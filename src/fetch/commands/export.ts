import { usageError } from '../../core/errors.ts';
import { eachModel } from '../operations/each-model.ts';
import { exportModel } from '../operations/export-model.ts';
import type { Command } from './command.ts';

export const exportCommand: Command = {
  name: 'export',
  operands: 'NAME[@VERSION]… --to DIR',
  summary: 'writes what `install --from` needs on a machine without a network',
  details: 'Archive, chunk index, manifest and signatures. With --offline: the files of an installed version instead.',
  examples: {
    'gte-large --to /media/usb/models': 'then, on the other machine: install --from /media/usb/models',
  },
  options: { '--to DIR': 'made where it is missing' },
  async run({ client, models, options, output, context }) {
    const directory = options.to?.at(-1);
    if (directory === undefined) throw usageError('Where to? export NAME --to DIR');
    const reports = await eachModel(models, context, async ({ name, range }) => {
      const report = await exportModel(client, name, range, directory, context);
      output.note(`${name} ${report.version} exported to ${directory} (its ${report.form}).`);
      return report;
    });
    output.document({ directory, models: reports });
    output.note(`On the other machine: install --from ${directory}`);
    return;
  },
};
