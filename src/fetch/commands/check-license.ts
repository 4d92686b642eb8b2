import { exitLicenseForbids } from '../../core/exit-codes.ts';
import { checkLicenses } from '../operations/check-licenses.ts';
import { table } from '../render/table.ts';
import type { Command } from './command.ts';
import { parseModelName } from './model-reference.ts';

export const checkLicenseCommand: Command = {
  name: 'check-license',
  operands: '[NAME…]',
  count: [0, Number.POSITIVE_INFINITY],
  summary: 'licences of what is installed',
  examples: [
    ['check-license', 'all installed models'],
    ['check-license --commercial', 'exit code 11 where a licence forbids commercial use, for CI'],
  ],
  options: { commercial: { type: 'boolean', help: 'exit with 11 where a licence forbids commercial use' } },
  async run({ client, operands, options, output }) {
    const reports = await checkLicenses(client, operands.map(parseModelName));
    const forbidding = reports.filter((report) => report.commercial_use === false);
    const unknown = reports.filter((report) => report.commercial_use === undefined);
    if (output.json) output.printJson({ models: reports });
    else if (reports.length === 0) output.note('No model is installed.');
    else {
      output.print(
        table(
          ['MODEL', 'VERSION', 'LICENCE', 'COMMERCIAL USE'],
          reports.map((report) => [
            report.name,
            report.version,
            report.license ?? 'not stated',
            report.commercial_use === undefined ? 'not stated' : report.commercial_use ? 'allowed' : 'FORBIDDEN',
          ]),
        ),
      );
    }
    if (!options.commercial) return 0;
    for (const { name, version } of unknown) {
      output.note(`${name} ${version}: the release doesn’t say whether commercial use is allowed. Read its licence.`);
    }
    for (const { name, version, license } of forbidding) {
      output.note(`${name} ${version}: ${license} forbids commercial use.`);
    }
    return forbidding.length > 0 ? exitLicenseForbids : 0;
  },
};
