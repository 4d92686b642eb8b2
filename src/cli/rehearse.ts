import type { Command } from 'commander';
import { AircherError } from '../core/errors.ts';
import { formatBytes, formatDuration, plural } from '../core/format.ts';
import { loadConfig } from '../release/load-config.ts';
import { type ChosenFault, namedFaults, parseFault } from '../release/rehearse/named-faults.ts';
import { type RehearsalReport, rehearseRelease } from '../release/rehearse/rehearse-release.ts';
import type { Traffic } from '../release/rehearse/traffic.ts';
import { asReported, type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';
import { describePublish } from './publish.ts';
import { formatTable } from './table.ts';

export function rehearseCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('rehearse')
    .description("the whole release, and an end user's install of it, against local stand-ins of the hosts")
    .option(
      '--fault <name>',
      'a bad day: NAME, NAME=3 (so many times), NAME=always; may be repeated; `list` shows all',
      (value: string, earlier: readonly string[] | undefined) => [...(earlier ?? []), value],
    )
    .option('--keep', 'keep the artifacts, what each host holds, and the user’s cache')
    .action(async (options: { fault?: readonly string[]; keep?: boolean }, command: Command) => {
      const asked = options.fault ?? [];
      if (asked.includes('list')) {
        const list = namedFaults.map(({ name, phase, meaning }) => ({ name, phase, meaning }));
        printResult(command, dependencies, { faults: list }, describeFaults);
        return;
      }
      const faults = asked.map(parseFault);
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      requireHosts(faults, loaded.config);
      const report = await rehearseRelease(loaded, workspace, { faults, keep: options.keep ?? false });
      const { failure, release, ...facts } = report;
      const document = failure && { during: failure.during, code: failure.error.code, message: failure.error.message };
      printResult(command, dependencies, { ...facts, ...release, failure: document }, () => describeRehearsal(report));
      if (failure === undefined) return;
      throw asReported(failure.error);
    });
}

/** A fault of a host that the release doesn't use would hit nothing. */
function requireHosts(faults: readonly ChosenFault[], config: object): void {
  for (const { name, standIn } of faults) {
    if (standIn === 'any' || Object.hasOwn(config, standIn)) continue;
    throw new AircherError('usage', `--fault ${name}: release.json has no "${standIn}"`, {
      hint: 'Choose a fault of a host that the release uses.',
    });
  }
}

function describeFaults(): string {
  return formatTable(
    ['fault', 'hits', 'what happens'],
    namedFaults.map(({ name, phase, meaning }) => [name, phase === 'release' ? 'the release' : 'the install', meaning]),
  );
}

function describeRehearsal(report: RehearsalReport): string {
  const { release, failure } = report;
  const parts: string[] = [];
  if (release) parts.push(describePublish(release.publish));
  parts.push(
    formatTable(
      ['step', 'seconds'],
      report.steps.map(({ step, seconds }) => [step, seconds.toFixed(1)]),
    ),
    `While releasing:\n${trafficTable(report.release_traffic)}`,
  );
  if (report.faults.length > 0) {
    parts.push(
      formatTable(
        ['fault', 'hits', 'what happened'],
        report.faults.map(({ name, hits, meaning }) => [name, String(hits), meaning]),
      ),
    );
  }
  if (report.faults.some(({ hits }) => hits === 0)) {
    parts.push(
      'What never hit was not asked for anything: take away what was asked instead (`--fault github-down`, …).',
    );
  }
  if (report.installs.length > 0) {
    parts.push(`The user's install:\n${trafficTable(report.install_traffic)}`);
    for (const { name, version, bytes_fetched, mirrors } of report.installs) {
      const from = mirrors
        .filter(({ bytes }) => bytes > 0)
        .map(({ mirror, bytes }) => `${formatBytes(bytes)} from ${mirror}`);
      const aside = mirrors.filter(({ set_aside }) => set_aside !== undefined);
      parts.push(
        [
          `${name} ${version} is installed and hashed: ${formatBytes(bytes_fetched)} fetched${from.length > 0 ? ` (${from.join(', ')})` : ''}`,
          ...aside.map(({ mirror, set_aside }) => `  ${mirror} was set aside: ${set_aside}`),
        ].join('\n'),
      );
    }
  }
  parts.push(['Not as in the real release:', ...report.differences.map((text) => `  ${text}`)].join('\n'));
  if (report.directory !== undefined) parts.push(`Everything is in ${report.directory}`);
  parts.push(
    failure === undefined
      ? `The rehearsal of ${report.tag} went well: ${plural(report.installs.length, 'model')} released and installed in ${formatDuration(report.seconds)}. Nothing was uploaded.`
      : `The rehearsal of ${report.tag} failed during the ${failure.during}. Nothing was uploaded.`,
  );
  return parts.join('\n\n');
}

function trafficTable(traffic: readonly Traffic[]): string {
  return formatTable(
    ['host', 'requests', 'writes', 'sent', 'received'],
    traffic.map(({ host, requests, writes, bytes_sent, bytes_received }) => [
      host,
      String(requests),
      String(writes),
      formatBytes(bytes_sent),
      formatBytes(bytes_received),
    ]),
  );
}
