import type { ReleaseConfig } from '../../contract/release-config.ts';
import { configuredKinds, fileUrl } from '../addresses.ts';
import type { Plan } from '../plan/plan-record.ts';
import { bundleName } from './client-bundle.ts';

type Release = Pick<Plan, 'tag' | 'prerelease' | 'models'>;

/**
 * What somebody types who has nothing of ours yet: gets the client, then the first model by name.
 */
export function installCommands(config: ReleaseConfig, plan: Release): readonly string[] {
  const model = plan.models[0]?.name ?? 'NAME';
  return [downloadCommand(config, plan, bundleName), `node ${bundleName} model install ${model}${releaseOption(plan)}`];
}

/** Clients find a prerelease only by its tag. */
export function releaseOption({ prerelease, tag }: Release): string {
  return prerelease ? ` --release ${tag}` : '';
}

export function downloadCommand(config: ReleaseConfig, { tag }: Release, name: string): string {
  return `curl -fLO ${fileUrl(config, configuredKinds(config)[0] ?? 'mirror', tag, name)}`;
}
