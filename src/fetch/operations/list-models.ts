import type { ManifestModel } from '../../contract/manifest.ts';
import * as semver from '../../contract/versions.ts';
import type { RunContext } from '../../core/events.ts';
import type { ListedVersion, Models, Offer, OfferedModel } from '../api.ts';
import { readAllInstalled } from '../cache/installed.ts';
import { readPins } from '../cache/preferences.ts';
import type { Client } from '../client.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { withdrawal } from '../manifests/withdrawal.ts';
import { installedBytes } from './select-installed.ts';

/** Every installed version, by model, newest first. No network. */
export async function listInstalled(client: Client, context: RunContext = {}): Promise<Models<ListedVersion>> {
  const pins = await readPins(client.layout, context);
  const models = (await readAllInstalled(client.layout)).flatMap((model) =>
    model.versions.map((record) => ({
      name: model.name,
      version: record.version,
      current: record.version === model.current,
      pinned: pins[model.name] === record.version,
      size_bytes: installedBytes(record),
      ...factsOf(record.entry),
      path: client.layout.version(model.name, record.version),
    })),
  );
  return { models };
}

function factsOf({ license, embedding }: ManifestModel): Pick<ListedVersion, 'license' | 'dimensions' | 'space'> {
  return { license, dimensions: embedding?.dimensions ?? undefined, space: embedding?.space };
}

/** What the newest manifest (or that of `client.release`) offers. */
export async function listOffered(client: Client, context: RunContext = {}): Promise<Offer> {
  const { manifest } = await findManifest(client, context, 'look');
  const installed = new Map((await readAllInstalled(client.layout)).map((model) => [model.name, model.current]));
  const models = Object.entries(manifest.models).map(
    ([name, entry]): OfferedModel => ({
      name,
      version: entry.version,
      installed: installed.get(name),
      size_bytes: entry.size_bytes,
      ...factsOf(entry),
      commercial_use: entry.commercial_use,
      quality_score: entry.quality_score,
      max_tokens: entry.embedding?.max_tokens ?? undefined,
      earlier: (entry.published_versions ?? []).map((published) => published.version).sort(semver.rcompare),
      yanked: withdrawal(manifest, name, entry.version),
    }),
  );
  return { tag: manifest.release, models };
}
