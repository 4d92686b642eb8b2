import * as semver from '../../contract/semver.ts';
import { usageError } from '../../core/errors.ts';
import { rollBack, type VersionSwitch } from '../operations/pin-versions.ts';
import type { Output } from '../render/output.ts';
import type { Command } from './command.ts';
import { tellRebuild } from './install.ts';
import { parseModelName } from './model-reference.ts';

export const rollbackCommand: Command = {
  name: 'rollback',
  operands: 'NAME',
  count: [1, 1],
  summary: 'back to an earlier version, and pins it there',
  details: 'The version stays until `unpin`: otherwise the next update would undo it.',
  examples: [
    ['rollback gte-large', 'the version before the current one'],
    ['rollback gte-large --to 1.0.0', 'this version; fetched where it is not installed'],
  ],
  options: { to: { type: 'string', value: 'VERSION', help: 'the version to go back to' } },
  async run({ client, operands, options, output, context }) {
    const [operand = ''] = operands;
    const to = typeof options.to === 'string' ? options.to : undefined;
    if (to !== undefined && semver.valid(to) !== to) throw usageError(`--to ${to} is not a version.`);
    const report = await rollBack(client, parseModelName(operand), to, context);
    tellSwitch(report, output);
    return 0;
  },
};

export function tellSwitch(report: VersionSwitch, output: Output): void {
  const { name, from, to, space } = report;
  if (output.json) output.printJson(report);
  output.note(
    from === to
      ? `${name} ${to} is pinned.`
      : `${name} is ${to} now (was ${from}), and pinned: update leaves it alone.`,
  );
  if (from !== to && space !== 'same') tellRebuild(name, from, to, output);
  output.note(`To let it be updated again: unpin ${name}`);
}
