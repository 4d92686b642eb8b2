import type { Command } from 'commander';
import { throwProblems } from '../core/errors.ts';
import { loadConfig } from '../release/load-config.ts';
import { type VerifyReport, verifyRelease } from '../release/verify.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

export function verifyCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('verify')
    .description('compares a published release with its manifest, by the digests that the hosts report')
    .argument('<tag>', 'the tag of the release, such as models-v1.0.0')
    .action(async (tag: string, _options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { config } = await loadConfig(workspace);
      const report = await verifyRelease(tag, await dependencies.targets(config, workspace), workspace);
      printResult(command, dependencies, report, () => describeVerify(report));
      throwProblems('integrity', `${tag} is not what its manifest says`, report.problems);
    });
}

export function describeVerify(report: VerifyReport): string {
  const kinds = [...new Set(report.files.map((file) => file.target))];
  const names = [...new Set(report.files.map((file) => file.name))];
  const state = (name: string, kind: string): string =>
    report.files.find((file) => file.name === name && file.target === kind)?.state ?? '–';
  const table = formatTable(
    ['artifact', ...kinds],
    names.map((name) => [name, ...kinds.map((kind) => state(name, kind))]),
  );
  return `${table}\n${report.ok ? `${report.tag} is whole on ${kinds.join(', ')}.` : `${report.tag} has faults.`}`;
}
