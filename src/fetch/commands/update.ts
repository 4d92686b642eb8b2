import { usageError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import type { UpdatePlan, UpdateReport } from '../api.ts';
import { checkUpdates } from '../operations/check-updates.ts';
import { updateModels } from '../operations/update-models.ts';
import type { Output } from '../render/output.ts';
import { showStatuses } from './check-updates.ts';
import type { Command, CommandCall } from './command.ts';
import { noModels } from './show-models.ts';
import { tellInstalled, tellSpace } from './tell.ts';

export const updateCommand: Command = {
  name: 'update',
  operands: '[NAME… | --all]',
  summary: 'brings installed models to the newest versions; fetches only what changed',
  details: 'Pinned models are left alone. The old version stays on disk until `prune`.',
  examples: {
    'gte-large --plan': 'what it would fetch and change, without doing it',
    '--all --same-space': 'only what leaves existing indices valid',
  },
  options: {
    '--all': 'every installed model',
    '--plan': 'show bytes and changed tensors, change nothing',
    '--same-space': 'leave models alone whose new version makes other vectors',
  },
  async run(call) {
    const { client, names, options, output, context } = call;
    if (names.length > 0 === (options.all !== undefined)) {
      throw usageError('What shall be updated? Give names or --all.');
    }
    if (options.plan) return showPlan(call);
    const updates = await updateModels(client, { ...context, names, sameSpace: options['same-space'] !== undefined });
    output.document({ models: updates.map(({ report }) => report) });
    if (updates.length === 0) output.note(noModels);
    for (const { report, install } of updates) {
      const { name, from, to, outcome, space } = report;
      if (install !== undefined) {
        tellInstalled(install, output);
        tellSpace(name, from, to, space, output);
      } else output.note(`${name} ${from} ${outcomes[outcome]}.`);
    }
    return;
  },
};

async function showPlan({ client, names, options, output, context }: CommandCall): Promise<undefined> {
  const sameSpace = options['same-space'] !== undefined;
  const report = await checkUpdates(client, { ...context, names, nameChangedTensors: true, sameSpace });
  showStatuses(report, output);
  for (const { name, installed, status, plan } of report.models) {
    if (status === 'pinned' || status === 'other-space') output.note(`${name} ${installed} ${outcomes[status]}.`);
    else if (plan !== undefined) printPlan(name, plan, output);
  }
}

function printPlan(name: string, plan: UpdatePlan, output: Output): void {
  const { version, requests, changed_files: files, changed_tensors: tensors = [] } = plan;
  output.print(
    `${name} ${version}: ${formatBytes(plan.bytes_to_fetch)} to fetch in ${plural(requests, 'request')}, ${formatBytes(plan.bytes_to_copy)} from what is here.`,
  );
  if (files.length > 0) output.print(`Changed files: ${files.join(', ')}`);
  if (tensors.length > 0) output.print('Changed tensors:');
  for (const tensor of tensors.slice(0, 20)) output.print(`  ${tensor}`);
  if (tensors.length > 20) output.print(`  … and ${tensors.length - 20} more (--json has all)`);
}

const outcomes: Readonly<Record<UpdateReport['outcome'], string>> = {
  updated: 'is updated',
  'up-to-date': 'is the newest version',
  pinned: 'is pinned and stays (unpin it to update)',
  'other-space': 'stays: the new version makes other vectors',
  'not-offered': 'stays: it is not in the newest release',
};
