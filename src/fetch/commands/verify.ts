import { integrityError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { verifyModels } from '../operations/verify-models.ts';
import type { Command } from './command.ts';
import { noModels } from './show-models.ts';

export const verifyCommand: Command = {
  name: 'verify',
  operands: '[NAME…]',
  summary: 'hashes what is installed; --repair fetches what is wrong, and only that',
  examples: {
    '': 'every file of every installed version',
    'all-MiniLM-L6-v2 --repair': 'one model, damaged pieces fetched again',
  },
  options: { '--repair': 'fetch the damaged pieces' },
  async run({ client, names, options, output, context }) {
    const verification = await verifyModels(client, { ...context, names, repair: options.repair !== undefined });
    const { ok, models } = verification;
    const damaged = models.filter((report) => report.bad.length > 0 && report.repaired === undefined);
    output.document(verification);
    if (models.length === 0) output.note(noModels);
    for (const report of models) {
      const state = damaged.includes(report)
        ? 'DAMAGED'
        : report.repaired === undefined
          ? `ok (${plural(report.files, 'file')}, ${formatBytes(report.bytes)})`
          : `repaired (${formatBytes(report.bytes_fetched)} fetched)`;
      output.print(`${report.name} ${report.version}: ${state}`);
      for (const { path, fault } of report.bad) output.print(`  ${path}: ${faults[fault]}`);
    }
    if (ok) return;
    throw integrityError(
      `${damaged.map(({ name, version }) => `${name} ${version}`).join(', ')} differs from its release.`,
      `Fetch the damaged pieces: verify --repair ${damaged.map(({ name }) => name).join(' ')}`,
      { details: { reported: true } },
    );
  },
};

const faults = { missing: 'missing', size: 'wrong size', content: 'wrong content' } as const;
