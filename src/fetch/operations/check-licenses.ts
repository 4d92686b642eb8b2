import type { LicenseReport, Models } from '../api.ts';
import type { Client } from '../client.ts';
import { selectInstalled } from './select-installed.ts';

/** The licences of installed models, every version. No network. */
export async function checkLicenses(client: Client, names?: readonly string[]): Promise<Models<LicenseReport>> {
  const models = (await selectInstalled(client, names)).flatMap((model) =>
    model.versions.map(({ version, entry, files }) => {
      const text = files.find((file) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(file.path))?.path;
      return {
        name: model.name,
        version,
        license: entry.license,
        commercial_use: entry.commercial_use,
        license_path: text && `${client.layout.version(model.name, version)}/${text}`,
      };
    }),
  );
  return { models };
}
