import * as semver from '../../contract/versions.ts';
import { usageError } from '../../core/errors.ts';
import { rollBack } from '../operations/pin-versions.ts';
import { type Command, otherWeightsOptions } from './command.ts';
import { tellSwitch } from './tell.ts';

export const rollbackCommand: Command = {
  name: 'rollback',
  operands: 'NAME',
  summary: 'back to an earlier version, and pins it there',
  details: 'The version stays until `unpin`: otherwise the next update would undo it.',
  examples: {
    'gte-large': 'the version before the current one',
    'gte-large --to 1.0.0': 'this version; fetched where it is not installed',
  },
  options: { '--to VERSION': 'the version to go back to', ...otherWeightsOptions },
  async run({ client, names, options, output, context }) {
    const to = options.to?.at(-1);
    const weights = options.weights?.at(-1);
    if (to !== undefined && semver.valid(to) !== to) throw usageError(`--to ${to} is not a version.`);
    for (const name of names) tellSwitch(await rollBack(client, name, to, { ...context, weights }), output);
  },
};
