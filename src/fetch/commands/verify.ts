import { integrityError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import type { VerifyReport } from '../api.ts';
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
    const verification = await verifyModels(
      client,
      { ...context, names, repair: options.repair !== undefined },
      (report) => {
        const state = isDamaged(report)
          ? 'DAMAGED'
          : report.repaired === undefined
            ? `ok (${plural(report.file_count, 'file')}, ${formatBytes(report.bytes)})`
            : `repaired (${formatBytes(report.bytes_fetched)} fetched)`;
        output.print(`${report.name} ${report.version}: ${state}`);
        for (const { path, fault } of report.bad) output.print(`  ${path}: ${faults[fault]}`);
      },
    );
    const { ok, models } = verification;
    output.document(verification);
    if (models.length === 0) output.note(noModels);
    if (ok) return;
    const damaged = models.filter(isDamaged);
    throw integrityError(
      `${damaged.map(({ name, version }) => `${name} ${version}`).join(', ')} differs from its release.`,
      `Fetch the damaged pieces: verify --repair ${damaged.map(({ name }) => name).join(' ')}`,
      { details: { reported: true } },
    );
  },
};

function isDamaged({ bad, repaired }: VerifyReport): boolean {
  return bad.length > 0 && repaired === undefined;
}

const faults = { missing: 'missing', size: 'wrong size', content: 'wrong content' } as const;
