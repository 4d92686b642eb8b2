import type { Client } from '../client.ts';
import { selectInstalled } from './select-installed.ts';

export interface LicenseReport {
  readonly name: string;
  readonly version: string;
  /** SPDX expression; undefined where the release doesn't state one. */
  readonly license: string | undefined;
  /** Undefined where the release doesn't say. */
  readonly commercial_use: boolean | undefined;
  /** The licence's text, where the model brings it. */
  readonly text: string | undefined;
}

/** The licences of installed models, every version. No network. */
export async function checkLicenses(client: Client, names?: readonly string[]): Promise<LicenseReport[]> {
  return (await selectInstalled(client, names)).flatMap((model) =>
    model.versions.map(({ version, entry, files }) => {
      const text = files.find((file) => /^(licen[cs]e|copying)(\.\w+)?$/i.test(file.path))?.path;
      return {
        name: model.name,
        version,
        license: entry.license,
        commercial_use: entry.commercial_use,
        text: text && `${client.layout.version(model.name, version)}/${text}`,
      };
    }),
  );
}
