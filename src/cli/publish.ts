import { type Command, Option } from 'commander';
import type { HostKind } from '../contract/fields.ts';
import { hostKinds } from '../contract/fields.ts';
import { formatBytes, plural } from '../core/format.ts';
import { readNotes } from '../release/documents/notes.ts';
import { loadConfig } from '../release/load-config.ts';
import { requirePlan } from '../release/plan/plan-record.ts';
import { type PublishReport, publishRelease, requireTarget } from '../release/publish/publish-release.ts';
import { type CommandDependencies, printResult, workspaceOf } from './dependencies.ts';

export function publishCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('publish')
    .description('uploads to every configured target, then makes the release public; safe to repeat')
    .option('--dry-run', 'say what would be sent where, and send nothing')
    .option('--break-trust', 'publish although no key that the last release announced has signed')
    .addOption(
      new Option('--target <kind>', 'upload to this target only; goes public when all targets are whole').choices(
        hostKinds,
      ),
    )
    .action(async (options: { dryRun?: boolean; breakTrust?: boolean; target?: HostKind }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const plan = await requirePlan(loaded, workspace);
      const targets = await dependencies.targets(loaded.config, workspace);
      if (options.target) requireTarget(targets, options.target);
      const report = await publishRelease(loaded, plan, targets, workspace, {
        ...(options.dryRun ? { dryRun: true } : {}),
        ...(options.breakTrust ? { breakTrust: true } : {}),
        ...(options.target ? { only: options.target } : {}),
      });
      await dependencies.job.published(report, await readNotes(workspace));
      printResult(command, dependencies, report, () => [describePublish(report), ...describePublic(report)].join('\n'));
    });
}

export function describePublish(report: PublishReport): string {
  const verb = report.state === 'dry-run' ? 'would send' : 'sent';
  const lines = report.sent.map(({ place, files, bytes }) =>
    files.length === 0
      ? `${place}: everything is there already`
      : [
          `${place}: ${verb} ${plural(files.length, 'file')}, ${formatBytes(bytes)}`,
          ...(report.state === 'dry-run' ? files.map((file) => `  ${file}`) : []),
        ].join('\n'),
  );
  const end = {
    public: `${report.tag} is public.`,
    waiting: `${report.tag} is not public yet: waiting for ${report.waiting_for.join(' and ')}.`,
    'dry-run': `Nothing was sent. Run without --dry-run to publish ${report.tag}.`,
  }[report.state];
  return [...lines, end].join('\n');
}

/**
 * Where a release is that is public now, and how users come by it. Not for a rehearsal, whose
 * addresses nobody else has.
 */
export function describePublic({ state, public_urls: urls, install }: PublishReport): readonly string[] {
  if (state !== 'public') return [];
  return ['', ...Object.values(urls), '', 'Users install with:', ...install.map((line) => `  ${line}`)];
}
