import type { Command } from 'commander';
import { readNotes } from '../release/documents/notes.ts';
import { loadConfig } from '../release/load-config.ts';
import { type ReleaseReport, runRelease } from '../release/pipeline.ts';
import type { PlanOptions } from '../release/plan/plan-release.ts';
import { type CommandDependencies, endWithProblems, printResult, workspaceOf } from './dependencies.ts';
import { describeVerify } from './describe-verify.ts';
import { refillOption } from './plan.ts';
import { describePublic, describePublish } from './publish.ts';

export function releaseCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('release')
    .description('all steps in order: plan, stage, pack, prove, manifest, checksums, notes, sign, publish, verify')
    .option('--dry-run', 'everything but the uploads')
    .option('--break-trust', 'publish although no key that the last release announced has signed')
    .addOption(refillOption())
    .action(async (options: { dryRun?: boolean; breakTrust?: boolean } & PlanOptions, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const targets = await dependencies.targets(loaded.config, workspace);
      const report = await runRelease(loaded, targets, workspace, options);
      await dependencies.job.published(report.publish, await readNotes(workspace));
      if (report.verify) await dependencies.job.verified(report.verify);
      printResult(command, dependencies, report, (detail) => describeRelease(report, detail).join('\n'));
      if (report.verify)
        endWithProblems('integrity', `${report.verify.tag} is not what its manifest says`, report.verify.problems);
    });
}

export function describeRelease(
  { publish, verify }: ReleaseReport,
  detail: { readonly verbose: boolean },
): readonly string[] {
  return [describePublish(publish), ...(verify ? [describeVerify(verify, detail)] : []), ...describePublic(publish)];
}
