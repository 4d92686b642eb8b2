import type { Command } from 'commander';
import { oneLine } from '../core/printable.ts';
import { readNotes } from '../release/documents/notes.ts';
import { loadConfig } from '../release/load-config.ts';
import { runRelease } from '../release/pipeline.ts';
import { type YankReport, yankVersion } from '../release/publish/yank-version.ts';
import { type CommandDependencies, endWithProblems, printResult, workspaceOf } from './dependencies.ts';
import { describeRelease } from './release.ts';

export function yankCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('yank')
    .description(
      'withdraws a published version by a new release: fresh installs get the newest good one; deletes nothing',
    )
    .argument('<model@version>', 'such as gte-large@1.0.0')
    .requiredOption('--reason <text>', 'what users are told')
    .option('--no-release', 'only change release.json; the release is left to you')
    .action(async (spec: string, options: { reason: string; release: boolean }, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const before = await loadConfig(workspace);
      const targets = await dependencies.targets(before.config, workspace);
      const yank = await yankVersion(spec, options.reason, before, targets, workspace);
      if (yank.state === 'done' || !options.release) {
        printResult(command, dependencies, { yank }, () => describeYank(yank, workspace.configFile).join('\n'));
        return;
      }
      const report = await runRelease(await loadConfig(workspace), targets, workspace);
      await dependencies.job.published(report.publish, await readNotes(workspace));
      if (report.verify) await dependencies.job.verified(report.verify);
      printResult(command, dependencies, { yank, ...report }, (detail) =>
        [...describeRelease(report, detail), '', ...describeYank(yank, workspace.configFile, true)].join('\n'),
      );
      if (report.verify) {
        endWithProblems('integrity', `${report.verify.tag} is not what its manifest says`, report.verify.problems);
      }
    });
}

function describeYank(yank: YankReport, configFile: string, released = false): readonly string[] {
  const { model, version, replacement } = yank;
  if (yank.state === 'done') return [`${model} ${version} is yanked already: ${oneLine(yank.reason)}`];
  const fresh = yank.was_newest ? `get ${replacement} again` : `get ${replacement}, as before`;
  return [
    released
      ? `${model} ${version} is yanked by release ${yank.release}.`
      : `${configFile} yanks ${model} ${version} with release ${yank.release}; run \`aircher-models release\` to publish that.`,
    replacement === null
      ? `  No good version is left: ${model} can't be installed anew until you publish one.`
      : `  Fresh installs of ${model} ${fresh}.`,
    `  Who has ${version} is told "${oneLine(yank.reason)}" when looking for updates${replacement === null ? '' : `, and \`update ${model}\` takes them to ${replacement}`}; until then it goes on working.`,
    `  Who asks for exactly ${model}@${version} still gets it, with that warning: nothing is deleted.`,
  ];
}
