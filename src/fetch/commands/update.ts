import { usageError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { checkUpdates } from '../operations/check-updates.ts';
import { type UpdateReport, updateModels } from '../operations/update-models.ts';
import type { Output } from '../render/output.ts';
import { statusTable } from './check-updates.ts';
import type { Command, CommandCall } from './command.ts';
import { tellInstalled, tellRebuild } from './install.ts';
import { parseModelName } from './model-reference.ts';

export const updateCommand: Command = {
  name: 'update',
  operands: 'NAME… | --all',
  count: [0, Number.POSITIVE_INFINITY],
  summary: 'brings installed models to the newest versions; fetches only what changed',
  details: 'Pinned models are left alone. The old version stays on disk until `prune`.',
  examples: [
    ['update --all', 'everything that is installed'],
    ['update gte-large --plan', 'what it would fetch and change, without doing it'],
    ['update --all --same-space', 'only what leaves existing indices valid'],
  ],
  options: {
    all: { type: 'boolean', help: 'every installed model' },
    plan: { type: 'boolean', help: 'show bytes and changed tensors, change nothing' },
    'same-space': { type: 'boolean', help: 'leave models alone whose new version makes other vectors' },
  },
  async run(call) {
    const { client, operands, options, output, context } = call;
    const names = operands.map(parseModelName);
    if (names.length > 0 === Boolean(options.all)) {
      throw usageError(
        names.length > 0 ? 'Give names or --all, not both.' : 'What shall be updated?',
        'update NAME… or update --all',
      );
    }
    if (options.plan) return showPlan(call, names);
    const reports = await updateModels(client, { ...context, names, sameSpace: Boolean(options['same-space']) });
    if (output.json) output.printJson({ models: reports.map(({ install: _, ...rest }) => rest) });
    if (reports.length === 0) output.note('No model is installed.');
    for (const report of reports) tell(report, output);
    return 0;
  },
};

async function showPlan({ client, output, context }: CommandCall, names: readonly string[]): Promise<number> {
  const statuses = await checkUpdates(client, { ...context, names, nameChangedTensors: true });
  if (output.json) {
    output.printJson({ models: statuses });
    return 0;
  }
  output.print(statusTable(statuses));
  for (const { name, plan } of statuses) {
    if (plan === undefined) continue;
    output.print(
      `\n${name} ${plan.version}: ${formatBytes(plan.bytesToFetch)} to fetch in ${plural(plan.requests, 'request')}, ${formatBytes(plan.bytesToCopy)} from what is here.`,
    );
    if (plan.changedFiles.length > 0) output.print(`Changed files: ${plan.changedFiles.join(', ')}`);
    const tensors = plan.changedTensors ?? [];
    if (tensors.length > 0) {
      const shown = tensors.slice(0, 20).join('\n  ');
      const more = tensors.length > 20 ? `\n  … and ${tensors.length - 20} more (--json has all)` : '';
      output.print(`Changed tensors:\n  ${shown}${more}`);
    }
  }
  return 0;
}

const outcomes: Readonly<Record<Exclude<UpdateReport['outcome'], 'updated'>, string>> = {
  'up-to-date': 'is the newest version',
  pinned: 'is pinned and stays (unpin it to update)',
  'other-space': 'stays: the new version makes other vectors',
  'not-offered': 'stays: it is not in the newest release',
};

function tell(report: UpdateReport, output: Output): void {
  if (report.outcome !== 'updated') {
    output.note(`${report.name} ${report.from} ${outcomes[report.outcome]}.`);
    return;
  }
  if (report.install) tellInstalled(report.install, output);
  if (report.space === 'changes') tellRebuild(report.name, report.from, report.to, output);
  else if (report.space === 'same') output.note(`${report.name}: indices made with ${report.from} stay valid.`);
  else output.note(`${report.name}: the release doesn’t say whether indices made with ${report.from} stay valid.`);
}
