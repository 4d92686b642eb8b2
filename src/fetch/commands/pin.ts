import * as semver from '../../contract/versions.ts';
import { usageError } from '../../core/errors.ts';
import { pinVersion, unpinModel } from '../operations/pin-versions.ts';
import { type Command, otherWeightsOptions } from './command.ts';
import { tellSwitch } from './tell.ts';

export const pinCommand: Command = {
  name: 'pin',
  operands: 'NAME@VERSION',
  summary: 'uses this installed version, and keeps update and prune from it',
  details: 'Weights that are in use, and missing of that version, are fetched.',
  examples: {
    'gte-large@1.0.0': 'stay at 1.0.0',
  },
  options: otherWeightsOptions,
  async run({ client, models, options, output, context }) {
    const weights = options.weights?.at(-1);
    for (const { name, range = '' } of models) {
      if (semver.valid(range) !== range) throw usageError(`Which version? pin ${name}@VERSION`);
      tellSwitch(await pinVersion(client, name, range, { ...context, weights }), output);
    }
  },
};

export const unpinCommand: Command = {
  name: 'unpin',
  operands: 'NAME',
  summary: 'lets update have the model again',
  examples: {
    'gte-large': 'the next update may change it',
  },
  async run({ client, names, output }) {
    for (const name of names) {
      const report = await unpinModel(client, name);
      output.document(report);
      output.note(
        report.unpinned === null ? `${name} was not pinned.` : `${name} is no longer pinned to ${report.unpinned}.`,
      );
    }
  },
};
