import { acceptedOf, type LicensePolicy, licenseFault } from '../../contract/license-policy.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { licenseError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { readInstalled } from '../cache/installed.ts';
import { readLicensePolicy } from '../cache/preferences.ts';
import type { Client } from '../client.ts';

/** A policy, and the file that has it. */
export interface LicenseRule {
  readonly file: string;
  readonly policy: LicensePolicy;
}

/** What licences are held to: the policy of the preferences, and that of the lock file. */
export async function licenseRules(
  { layout, lock }: Client,
  context: RunContext = {},
): Promise<readonly LicenseRule[]> {
  const licenses = await readLicensePolicy(layout, context);
  return [
    ...(licenses ? [{ file: layout.preferences, policy: licenses }] : []),
    ...(lock?.content.licenses ? [{ file: lock.path, policy: lock.content.licenses }] : []),
  ];
}

/**
 * Refuses a model whose licence a policy refuses, unless it was accepted: by the caller, in the
 * lock file, or for a version of the model that is installed. Answers with what was accepted.
 * Throws `license`.
 */
export async function requireLicense(
  client: Client,
  { name, version, entry }: { readonly name: string; readonly version: string; readonly entry: ManifestModel },
): Promise<readonly string[]> {
  const installed = await readInstalled(client.layout, name);
  const accepted = acceptedOf(entry, [
    ...new Set([
      ...client.acceptLicenses,
      ...(client.lock?.content.models[name]?.accepted_licenses ?? []),
      ...(installed?.versions ?? []).flatMap((record) => record.accepted_licenses ?? []),
    ]),
  ]);
  for (const { file, policy } of await licenseRules(client)) {
    const fault = licenseFault(entry, policy, accepted);
    if (fault === undefined) continue;
    const { license } = entry;
    throw licenseError(
      `The licence of ${name} ${version}${license === undefined ? '' : `, ${license},`} ${fault} (${file}).`,
      license === undefined
        ? `Ask whoever publishes it, or change "licenses" in ${file}.`
        : `Read it. To accept it: --accept-license ${/\s/.test(license) ? JSON.stringify(license) : license}`,
      { details: { license, file } },
    );
  }
  return accepted;
}
