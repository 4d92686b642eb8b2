import { exitLicenseForbids } from '../../core/exit-codes.ts';
import { checkLicenses } from '../operations/check-licenses.ts';
import type { Command } from './command.ts';
import { showModels } from './show-models.ts';

export const checkLicenseCommand: Command = {
  name: 'check-license',
  operands: '[NAME…]',
  summary: 'licences of what is installed',
  examples: {
    '--commercial': 'for CI',
  },
  options: { '--commercial': 'exit with 11 where a licence forbids commercial use' },
  async run({ client, names, options, output }) {
    const report = await checkLicenses(client, names);
    showModels(output, report, {
      VERSION: (model) => model.version,
      LICENCE: (model) => model.license,
      'COMMERCIAL USE': ({ commercial_use: allowed }) =>
        allowed ? 'allowed' : allowed === false ? 'FORBIDDEN' : 'not stated: read the licence',
    });
    const forbidden = report.models.some((model) => model.commercial_use === false);
    return options.commercial && forbidden ? exitLicenseForbids : 0;
  },
};
