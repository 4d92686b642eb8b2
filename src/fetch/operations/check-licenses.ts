import { type LicensePolicy, licenseFault } from '../../contract/license-policy.ts';
import type { RunContext } from '../../core/events.ts';
import type { LicenseReport, Models } from '../api.ts';
import { directoryOf } from '../cache/records.ts';
import type { Client } from '../client.ts';
import { licenseRules } from '../install/require-license.ts';
import { selectInstalled } from './select-installed.ts';

/**
 * The licences of installed models, every version, held to the policy that installs are held to,
 * and to `more`. No network.
 */
export async function checkLicenses(
  client: Client,
  names?: readonly string[],
  more: LicensePolicy = {},
  context: RunContext = {},
): Promise<Models<LicenseReport>> {
  const policies = [...(await licenseRules(client, context)).map(({ policy }) => policy), more];
  const models = (await selectInstalled(client, names)).flatMap((model) =>
    model.versions.map((record) => {
      const { version, entry, files, accepted_licenses = [] } = record;
      const text = files.find((file) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(file.path))?.path;
      return {
        name: model.name,
        version,
        license: entry.license,
        commercial_use: entry.commercial_use,
        license_path: text && `${directoryOf(record)}/${text}`,
        accepted_licenses,
        refused: policies.map((policy) => licenseFault(entry, policy, accepted_licenses)).find(Boolean),
      };
    }),
  );
  return { models };
}
