import { exitCodes } from '../../core/exit-codes.ts';
import { type DoctorReport, diagnose } from '../operations/doctor.ts';
import { table } from '../render/table.ts';
import type { Command } from './command.ts';

const marks = { ok: 'ok', warning: 'WARNING', failed: 'FAILED' } as const;

export const doctorCommand: Command = {
  name: 'doctor',
  operands: '',
  count: [0, 0],
  summary: 'what works and what doesn’t: sources, hosts, proxy, certificates, cache rights, disk',
  examples: [
    ['doctor', 'everything, with the hosts that a firewall must let through'],
    ['doctor --json', 'the same, to attach to a report'],
  ],
  async run({ client, output, context }) {
    const report = await diagnose(client, context);
    if (output.json) output.printJson(report);
    else {
      output.print(
        table(
          ['', 'WHAT', 'FOUND'],
          report.findings.map((finding) => [marks[finding.status], finding.what, finding.detail]),
        ),
      );
      if (report.hosts.length > 0) output.print(`\nHosts that must be reachable: ${report.hosts.join(', ')}`);
      for (const finding of report.findings) if (finding.hint) output.note(`${finding.what}: ${finding.hint}`);
    }
    return doctorExitCode(report);
  },
};

/** One source and one mirror that work are enough to install. */
function doctorExitCode({ findings }: DoctorReport): number {
  const failed = findings.filter((finding) => finding.status === 'failed');
  const isRemote = (what: string): boolean => /^(source|mirror|network)/.test(what);
  if (failed.some((finding) => !isRemote(finding.what))) return exitCodes.invalid;
  for (const kind of ['source', 'mirror', 'network']) {
    const all = findings.filter((finding) => finding.what.startsWith(kind));
    if (all.length > 0 && all.every((finding) => finding.status === 'failed')) return exitCodes.remote;
  }
  return 0;
}
