import * as semver from '../../contract/semver.ts';
import { usageError } from '../../core/errors.ts';
import { pinVersion, unpinModel } from '../operations/pin-versions.ts';
import type { Command } from './command.ts';
import { parseModelName, parseModelReference } from './model-reference.ts';
import { tellSwitch } from './rollback.ts';

export const pinCommand: Command = {
  name: 'pin',
  operands: 'NAME@VERSION',
  count: [1, 1],
  summary: 'uses this installed version, and keeps update and prune from it',
  examples: [['pin gte-large@1.0.0', 'stay at 1.0.0']],
  async run({ client, operands, output, context }) {
    const [operand = ''] = operands;
    const { name, range } = parseModelReference(operand);
    if (range === undefined || semver.valid(range) !== range) {
      throw usageError(`Which version? pin ${name}@VERSION`);
    }
    tellSwitch(await pinVersion(client, name, range, context), output);
    return 0;
  },
};

export const unpinCommand: Command = {
  name: 'unpin',
  operands: 'NAME',
  count: [1, 1],
  summary: 'lets update have the model again',
  examples: [['unpin gte-large', 'the next update may change it']],
  async run({ client, operands, output }) {
    const [operand = ''] = operands;
    const name = parseModelName(operand);
    const version = await unpinModel(client, name);
    if (output.json) output.printJson({ name, unpinned: version ?? null });
    output.note(version === undefined ? `${name} was not pinned.` : `${name} is no longer pinned to ${version}.`);
    return 0;
  },
};
