import type { Command } from 'commander';
import { throwProblems } from '../core/errors.ts';
import { validate } from '../release/validate-release.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function validateCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('validate')
    .description(
      'a manifest or release.json against schema and rules, the output directory against the manifest; offline',
    )
    .argument('[file]', 'a manifest.json or release.json; without it, release.json and what is in --out')
    .action(async (file: string | undefined, _options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const report = await validate(file, workspace);
      for (const problem of report.problems)
        if (problem.level === 'warning') workspace.onEvent?.({ type: 'warning', problem });
      const errors = report.problems.filter((problem) => problem.level === 'error');
      if (errors.length === 0)
        printResult(command, dependencies, report, () => report.checked.map((line) => `ok  ${line}`).join('\n'));
      throwProblems('invalid', 'not valid', report.problems);
    });
}
