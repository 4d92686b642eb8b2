import { usageError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import type { UpdatePlan } from '../api.ts';
import { checkUpdates } from '../operations/check-updates.ts';
import { updateModels } from '../operations/update-models.ts';
import type { Output } from '../render/output.ts';
import { adviseUpdate, showUpdates } from './check-updates.ts';
import { type Command, type CommandCall, otherWeightsOptions } from './command.ts';
import { noModels } from './show-models.ts';
import { tellInstalled, tellSpace, tellStays } from './tell.ts';

export const updateCommand: Command = {
  name: 'update',
  aliases: ['upgrade'],
  operands: '[NAME… | --all]',
  summary: 'brings installed models to the newest versions; fetches only what changed',
  details:
    'Pinned models are left alone. One that fails keeps its version, and the rest goes on. The old version stays on disk until `prune`.',
  examples: {
    'gte-large --plan': 'what it would fetch and change, without doing it',
    '--all --same-space': 'only what leaves existing indices valid',
  },
  options: {
    '--all': 'every installed model',
    '--plan': 'show bytes and changed tensors, change nothing',
    '--same-space': 'leave models alone whose new version makes other vectors',
    ...otherWeightsOptions,
  },
  async run(call) {
    const { client, names, options, output, context } = call;
    if (names.length > 0 === (options.all !== undefined)) {
      throw usageError('What shall be updated? Give names or --all.');
    }
    if (options.plan) return showPlan(call);
    const sameSpace = options['same-space'] !== undefined;
    const weights = options.weights?.at(-1);
    const models = await updateModels(client, { ...context, names, weights, sameSpace }, (report, install) => {
      const { name, from, to, outcome } = report;
      if (install !== undefined) {
        tellInstalled(install, output);
        tellSpace(name, from, to, report, output);
      } else if (outcome !== 'updated') tellStays(name, from, outcome, report.yanked, output);
    });
    output.document({ models });
    if (models.length === 0) output.note(noModels);
    return;
  },
};

async function showPlan(call: CommandCall): Promise<undefined> {
  const { client, names, options, output, context } = call;
  const sameSpace = options['same-space'] !== undefined;
  const weights = options.weights?.at(-1);
  const found = checkUpdates(client, { ...context, names, weights, nameChangedTensors: true, sameSpace });
  const statuses = await showUpdates(found, output, ({ name, status, plan }) => {
    if (status === 'update' && plan !== undefined) printPlan(name, plan, output);
  });
  const updates = statuses.filter(({ status }) => status === 'update').length;
  if (updates > 0) adviseUpdate(updates, call);
}

function printPlan(name: string, plan: UpdatePlan, output: Output): void {
  const { version, requests, changed_files: files, changed_tensors: tensors = [] } = plan;
  output.print(
    `${name} ${version}: ${formatBytes(plan.bytes_to_fetch)} to fetch in ${plural(requests, 'request')}, ${formatBytes(plan.bytes_to_copy)} from what is here.`,
  );
  for (const { name: encoding, bytes_to_fetch: bytes } of plan.encodings) {
    output.print(`${formatBytes(bytes)} of it from ${encoding}`);
  }
  if (files.length > 0) output.print(`Changed files: ${files.join(', ')}`);
  if (tensors.length > 0) output.print('Changed tensors:');
  for (const tensor of tensors.slice(0, 20)) output.print(`  ${tensor}`);
  if (tensors.length > 20) output.print(`  … and ${tensors.length - 20} more (--json has all)`);
}
