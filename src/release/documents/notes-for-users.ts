import type { ReleaseConfig } from '../../contract/release-config.ts';
import type { Plan } from '../plan/plan-record.ts';
import { bundleName } from './client-bundle.ts';
import { downloadCommand, installCommands, type ReleaseOfModels, releaseOption } from './install-commands.ts';
import { checksumsName } from './write-checksums.ts';

export function installing(config: ReleaseConfig, plan: Plan): string {
  const first = isSigned(config) ? ' Before its first run, check it as below.' : '';
  return [
    '## Install',
    '',
    `The client is one file without dependencies; it needs Node 20.19 or newer.${first}`,
    '',
    '```sh',
    ...installCommands(config, plan),
    `node ${bundleName} model update --all${releaseOption(plan)}`,
    '```',
  ].join('\n');
}

export function isSigned({ signing }: ReleaseConfig): boolean {
  return (signing?.public_keys ?? []).length > 0;
}

export function checking(config: ReleaseConfig, plan: Plan): string {
  const byGpg = config.signing?.gpg_fingerprint ? ['gpg --verify manifest.json.asc manifest.json'] : [];
  const how = isSigned(config)
    ? [
        `The client verifies every byte by itself. To check ${bundleName} before its first run, or files that you downloaded by hand, in their directory:`,
        '',
        '```sh',
        ...checkCommands(config, plan),
        '```',
        '',
        `\`minisign\` must print \`release:${plan.tag}\`: with another tag, these are the files of another release. Compare the key with one from another place, since whoever can exchange the files can exchange this page too.`,
        '',
        'The manifest is signed by itself too:',
        '',
        '```sh',
        byMinisign(config, 'manifest.json'),
        ...byGpg,
        '```',
      ]
    : [
        'The client verifies every byte by itself. To check files that you downloaded by hand, in their directory:',
        '',
        '```sh',
        ...checkCommands(config, plan),
        ...byGpg,
        '```',
      ];
  const carried = plan.models.some((model) => model.action === 'carry')
    ? ['', 'Models that are carried forward are listed in the checksums of the release that packed them.']
    : [];
  return ['## Check', '', ...how, ...carried].join('\n');
}

/**
 * Checks files that were downloaded by hand, the client among them: by the signature where there is
 * one, then by digest.
 */
export function checkCommands(config: ReleaseConfig, release: ReleaseOfModels): readonly string[] {
  const bySignature = [downloadCommand(config, release, `${checksumsName}.minisig`), byMinisign(config, checksumsName)];
  return [
    downloadCommand(config, release, checksumsName),
    ...(isSigned(config) ? bySignature : []),
    `sha256sum -c --ignore-missing ${checksumsName}`,
  ];
}

/** While keys change there are several, and one of them has signed. */
function byMinisign({ signing }: ReleaseConfig, name: string): string {
  return (signing?.public_keys ?? []).map((key) => `minisign -Vm ${name} -P ${key}`).join(' ||\n');
}
