import type { ManifestModel } from '../../contract/manifest.ts';
import { wantedOf } from '../../contract/wanted-weights.ts';
import type { RunContext } from '../../core/events.ts';
import type { UpdatePlan } from '../api.ts';
import { absentFiles, incompleteFiles } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { requireLicense } from '../install/require-license.ts';
import type { GoodManifest } from '../manifests/good-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { findWanted } from './find-installed.ts';
import { planUpdate } from './plan-update.ts';

/** What `install` would bring. */
export interface InstallPlan {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly license: string | undefined;
  readonly commercial_use: boolean | undefined;
  /** Undefined where all is there. */
  readonly plan: UpdatePlan | undefined;
}

/** What `makePresent` would do. Installs nothing. Throws as it does. */
export async function planInstall(
  client: Client,
  name: string,
  range: string | undefined,
  manifest: () => Promise<GoodManifest>,
  options: RunContext & { readonly weights?: string | undefined },
): Promise<InstallPlan> {
  const { weights, ...context } = options;
  const here = client.release === undefined ? await findWanted(client, name, range, context) : undefined;
  const record = here?.record;
  if (record !== undefined) {
    const { version, entry } = record;
    const wanted = wantedOf({ name, version, entry }, weights);
    const isWhole = (await incompleteFiles(record)).length === 0;
    if (isWhole && absentFiles(record, wanted).length === 0) return planned(name, version, entry);
  }
  const resolved = await resolveModel(client, await manifest(), name, here?.version ?? range, context);
  const { version, entry } = resolved;
  await requireLicense(client, resolved);
  return planned(name, version, entry, await planUpdate(client, resolved, wantedOf(resolved, weights), context));
}

function planned(
  name: string,
  version: string,
  { license, commercial_use }: ManifestModel,
  plan?: InstallPlan['plan'],
): InstallPlan {
  return { name, version, license, commercial_use, plan };
}
