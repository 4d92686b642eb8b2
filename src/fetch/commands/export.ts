import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { usageError } from '../../core/errors.ts';
import { eachModel } from '../operations/each-model.ts';
import { exportModel } from '../operations/export-model.ts';
import { type Command, otherWeightsOptions } from './command.ts';

export const exportCommand: Command = {
  name: 'export',
  operands: 'NAME[@VERSION]… --to DIR',
  summary: 'writes what `install --from` needs on a machine without a network',
  details:
    'Manifest, signatures, chunk index and archive; where not all weights are wanted, or with --offline, files instead.',
  examples: {
    'gte-large --to /media/usb/models': 'then, on the other machine: install --from /media/usb/models',
  },
  options: {
    '--to DIR': 'made where it is missing',
    '--with-client': 'this program, too: the other machine needs Node alone',
    ...otherWeightsOptions,
  },
  async run({ client, models, options, output, context, oneFile }) {
    const directory = options.to?.at(-1);
    const weights = options.weights?.at(-1);
    if (directory === undefined) throw usageError('Where to? export NAME --to DIR');
    const program = options['with-client'] ? requireOneFile(oneFile()) : undefined;
    const reports = await eachModel(models, context, async ({ name, range }) => {
      const report = await exportModel(client, name, range, directory, { ...context, weights });
      output.note(`${name} ${report.version} exported to ${directory} (its ${report.form}).`);
      return report;
    });
    output.document({ directory, models: reports });
    if (program !== undefined) await copyFile(program, join(directory, 'aircher.mjs'));
    output.note(
      `On the other machine: ${program === undefined ? '' : `node ${join(directory, 'aircher.mjs')} `}install --from ${directory}`,
    );
    return;
  },
};

function requireOneFile(program: string | undefined): string {
  if (program !== undefined) return program;
  throw usageError(
    '--with-client: this program does not run from its one file, aircher.mjs.',
    'Run that of a release, or, in a checkout, what `npm run build` makes: dist/client/aircher.mjs.',
  );
}
