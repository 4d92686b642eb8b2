import { type Command, InvalidArgumentError } from 'commander';
import { AircherError } from '../core/errors.ts';
import { loadConfig } from '../release/load-config.ts';
import { newestRelease } from '../release/published/accepted-releases.ts';
import { isUnpublished } from '../release/published/is-unpublished.ts';
import { type VerifyReport, verifyRelease } from '../release/verify/verify-release.ts';
import { type CommandDependencies, endWithProblems, printResult, workspaceOf } from './dependencies.ts';
import { describeVerify } from './describe-verify.ts';

export function verifyCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('verify')
    .description(
      'compares a published release with its manifest, by the digests that the hosts report: a line a host, and what deviates',
    )
    .argument('[tag]', 'the tag of the release, such as models-v1.0.0')
    .option('--latest', 'the newest published release that is no prerelease')
    .option('--allow-none', 'with --latest: pass where neither a host nor manifests/published/ has a release yet')
    .option('--deep', 'also download and hash every byte of every artifact, from every mirror')
    .option('--expires-within <days>', 'fail where the manifest expires within so many days', parseDays)
    .action(async (named: string | undefined, options: VerifyCommandOptions, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { config } = await loadConfig(workspace);
      const targets = await dependencies.targets(config, workspace);
      if ((named === undefined) === !options.latest) {
        throw new AircherError('usage', 'verify takes the tag of a release, or --latest', {
          hint: `For example \`aircher-models verify ${config.tag_prefix}${config.release}\`.`,
        });
      }
      if (options.latest && options.allowNone && (await isUnpublished(config, targets, workspace))) {
        printResult(
          command,
          dependencies,
          { tag: null, ok: true, files: [], problems: [] },
          () => 'Nothing is published yet.',
        );
        return;
      }
      const tag = named ?? (await newestRelease(config, targets, workspace)).tag;
      const report = await verifyRelease(config, tag, targets, workspace, {
        ...(options.deep ? { deep: true } : {}),
        ...(options.expiresWithin === undefined ? {} : { expiresWithinDays: options.expiresWithin }),
      });
      await dependencies.job.verified(report);
      printResult(command, dependencies, report, (detail) => describeVerify(report, detail));
      endWithProblems('integrity', `${tag} is not what its manifest says`, report.problems, remedy(report));
    });
}

function remedy({ files }: VerifyReport): string {
  const kinds = new Set(files.filter(({ state }) => state !== 'ok').map(({ target }) => target));
  const refill = [...kinds].map((kind) => ` --refill ${kind}`).join('');
  return `Put back what was published, or have the next release pack it again: aircher-models release${refill}`;
}

interface VerifyCommandOptions {
  readonly latest?: boolean;
  readonly allowNone?: boolean;
  readonly deep?: boolean;
  readonly expiresWithin?: number;
}

function parseDays(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of days.');
}
