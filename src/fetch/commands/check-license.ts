import { exitCodes } from '../../core/exit-codes.ts';
import { checkLicenses } from '../operations/check-licenses.ts';
import type { Command } from './command.ts';
import { showModels } from './show-models.ts';

export const checkLicenseCommand: Command = {
  name: 'check-license',
  operands: '[NAME…]',
  summary: 'licences of what is installed, and whether the policy allows them',
  details: 'Exit code 11 where the policy of the preferences refuses one that nobody accepted.',
  examples: {
    '--commercial': 'for CI',
  },
  options: { '--commercial': 'refuse those, too, that do not allow commercial use' },
  async run({ client, names, options, output, context }) {
    const more = options.commercial ? { commercial_only: true } : {};
    const report = await checkLicenses(client, names, more, context);
    showModels(output, report, {
      VERSION: (model) => model.version,
      LICENCE: (model) => model.license,
      'COMMERCIAL USE': ({ commercial_use: allowed }) =>
        allowed ? 'allowed' : allowed === false ? 'FORBIDDEN' : 'not stated: read the licence',
      REFUSED: (model) => model.refused,
    });
    return report.models.some((model) => model.refused !== undefined) ? exitCodes.license : 0;
  },
};
