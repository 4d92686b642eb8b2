import { integrityError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { verifyModels } from '../operations/verify-models.ts';
import type { Command } from './command.ts';
import { parseModelName } from './model-reference.ts';

export const verifyCommand: Command = {
  name: 'verify',
  operands: '[NAME…]',
  count: [0, Number.POSITIVE_INFINITY],
  summary: 'hashes what is installed; --repair fetches what is wrong, and only that',
  examples: [
    ['verify', 'every file of every installed version'],
    ['verify all-MiniLM-L6-v2 --repair', 'one model, damaged pieces fetched again'],
  ],
  options: { repair: { type: 'boolean', help: 'fetch the damaged pieces' } },
  async run({ client, operands, options, output, context }) {
    const repair = Boolean(options.repair);
    const reports = await verifyModels(client, { ...context, names: operands.map(parseModelName), repair });
    const bad = reports.filter((report) => report.bad.length > 0 && report.repaired === undefined);
    if (output.json) output.printJson({ ok: bad.length === 0, models: reports });
    else if (reports.length === 0) output.note('No model is installed.');
    else {
      for (const report of reports) {
        const { name, version } = report;
        const size = `${plural(report.files, 'file')}, ${formatBytes(report.bytes)}`;
        if (report.bad.length === 0) output.print(`${name} ${version}: ok (${size})`);
        else if (report.repaired !== undefined) {
          output.print(`${name} ${version}: repaired (${formatBytes(report.bytes_fetched)} fetched)`);
        } else output.print(`${name} ${version}: DAMAGED`);
        for (const file of report.bad) output.print(`  ${file.path}: ${faults[file.fault]}`);
      }
    }
    if (bad.length === 0) return 0;
    throw integrityError(
      `${bad.map((report) => `${report.name} ${report.version}`).join(', ')} differs from its release.`,
      `Fetch the damaged pieces: verify --repair ${bad.map((report) => report.name).join(' ')}`,
      { details: { reported: output.json } },
    );
  },
};

const faults = { missing: 'missing', size: 'wrong size', content: 'wrong content' } as const;
