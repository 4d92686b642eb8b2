import { exitCodes } from '../../core/exit-codes.ts';
import type { DoctorReport } from '../api.ts';
import { diagnose } from '../operations/doctor.ts';
import type { Command } from './command.ts';

const marks = { ok: 'ok', warning: 'WARNING', failed: 'FAILED' } as const;

export const doctorCommand: Command = {
  name: 'doctor',
  operands: '',
  summary:
    'what works and what doesn’t: sources, hosts, proxy, certificates, cache rights, disk; what each setting is, and why',
  examples: {
    '': 'everything, with the hosts that a firewall must let through',
  },
  async run({ client, output, context }) {
    const report = await diagnose(client, context);
    output.document(report);
    output.table(report.findings, {
      '': ({ status }) => marks[status],
      WHAT: ({ what }) => what,
      FOUND: ({ detail }) => detail,
    });
    output.print('');
    output.table(
      report.settings.filter(({ value }) => value !== undefined),
      { SETTING: ({ setting }) => setting, VALUE: ({ value }) => value, 'SET BY': ({ set_by }) => set_by },
    );
    output.print('');
    if (report.hosts.length > 0) output.print(`Hosts that must be reachable: ${report.hosts.join(', ')}`);
    for (const { what, hint } of report.findings) if (hint) output.note(`${what}: ${hint}`);
    return doctorExitCode(report);
  },
};

/** One source and one mirror that work are enough to install. */
function doctorExitCode({ findings }: DoctorReport): number {
  const remote = ['source', 'mirror', 'network'].map((kind) => findings.filter(({ what }) => what.startsWith(kind)));
  const failed = findings.filter(({ status }) => status === 'failed');
  if (failed.some((finding) => !remote.flat().includes(finding))) return exitCodes.invalid;
  const dead = remote.some((kind) => kind.length > 0 && kind.every((finding) => failed.includes(finding)));
  return dead ? exitCodes.remote : 0;
}
