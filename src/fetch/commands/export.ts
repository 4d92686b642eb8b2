import { usageError } from '../../core/errors.ts';
import { exportModel } from '../operations/export-model.ts';
import type { Command } from './command.ts';
import { parseModelReference } from './model-reference.ts';

export const exportCommand: Command = {
  name: 'export',
  operands: 'NAME[@VERSION]… --to DIR',
  count: [1, Number.POSITIVE_INFINITY],
  summary: 'writes what `install --from` needs on a machine without a network',
  details: 'Archive, chunk index, manifest and signatures. With --offline: the files of an installed version instead.',
  examples: [
    ['export gte-large --to /media/usb/models', 'then, on the other machine: install --from /media/usb/models'],
  ],
  options: { to: { type: 'string', value: 'DIR', help: 'the directory; made where it is missing' } },
  async run({ client, operands, options, output, context }) {
    const { to } = options;
    if (typeof to !== 'string') throw usageError('Where to? export NAME --to DIR');
    const reports = [];
    for (const { name, range } of operands.map(parseModelReference)) {
      const report = await exportModel(client, name, range, to, context);
      reports.push(report);
      output.note(
        `${name} ${report.version} exported to ${to} (${report.form === 'archive' ? 'archive' : 'its files'}).`,
      );
    }
    if (output.json) output.printJson({ directory: to, models: reports });
    output.note(`On the other machine: install --from ${to}`);
    return 0;
  },
};
