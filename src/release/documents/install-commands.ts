import type { ReleaseConfig } from '../../contract/release-config.ts';
import { configuredKinds, fileUrl } from '../addresses.ts';
import { bundleName } from './client-bundle.ts';

/** What commands for users say of a release. */
export interface ReleaseOfModels {
  readonly tag: string;
  readonly prerelease: boolean;
  readonly models: readonly { readonly name: string }[];
}

/**
 * What somebody types who has nothing of ours yet: gets the client, then the first model by name.
 */
export function installCommands(config: ReleaseConfig, release: ReleaseOfModels): readonly string[] {
  const model = release.models[0]?.name ?? 'NAME';
  return [downloadCommand(config, release, bundleName), installCommand(model, release)];
}

export function installCommand(model: string, release: ReleaseOfModels): string {
  return `node ${bundleName} model install ${model}${releaseOption(release)}`;
}

/** Clients find a prerelease only by its tag. */
export function releaseOption({ prerelease, tag }: ReleaseOfModels): string {
  return prerelease ? ` --release ${tag}` : '';
}

export function downloadCommand(config: ReleaseConfig, { tag }: ReleaseOfModels, name: string): string {
  return `curl -fLO ${fileUrl(config, configuredKinds(config)[0] ?? 'mirror', tag, name)}`;
}
