import { totalSize } from '../../contract/fields.ts';
import * as semver from '../../contract/versions.ts';
import { meantBy, refuseUnknownWeights, sizeOnDisk, weightsOf } from '../../contract/wanted-weights.ts';
import type { ListedVersion, Models, Offer, OfferedModel, WeightsOptions } from '../api.ts';
import { absentFiles, readAllInstalled } from '../cache/installed.ts';
import { readPins } from '../cache/preferences.ts';
import type { Client } from '../client.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { withdrawal } from '../manifests/withdrawal.ts';
import { describePlace } from './find-installed.ts';

/**
 * Every installed version that has the weights asked for (else every one), by model, newest first.
 * No network. Throws `usage` for weights that none of them knows.
 */
export async function listInstalled(client: Client, options: WeightsOptions = {}): Promise<Models<ListedVersion>> {
  const { weights, ...context } = options;
  const pins = await readPins(client.layout, context);
  const installed = await readAllInstalled(client.layout);
  const entries = installed.flatMap(({ versions }) => versions.map(({ entry }) => entry));
  if (weights !== undefined && entries.length > 0) refuseUnknownWeights(entries, weights);
  const models = installed.flatMap(({ name, versions, current }) =>
    versions.flatMap((record) => {
      const named = weights === undefined ? record.wanted : meantBy(record.entry, weights);
      const here = weights === undefined ? named : named.filter((one) => absentFiles(record, [one]).length === 0);
      if (here.length === 0) return [];
      return {
        name,
        version: record.version,
        current: record.version === current,
        pinned: pins[name] === record.version,
        size_bytes: totalSize(record.files),
        license: record.entry.license,
        accepted_licenses: record.accepted_licenses ?? [],
        dimensions: record.entry.embedding?.dimensions ?? undefined,
        wanted: record.wanted,
        ...describePlace(record, here),
      };
    }),
  );
  return { models };
}

/**
 * What the newest manifest (or that of `client.release`) offers, of models that have the weights
 * asked for. Throws as `findManifest`, and `usage` for weights that none of them knows.
 */
export async function listOffered(client: Client, options: WeightsOptions = {}): Promise<Offer> {
  const { weights: asked = 'default', ...context } = options;
  const { manifest } = await findManifest(client, context, 'look');
  refuseUnknownWeights(Object.values(manifest.models), asked);
  const installed = new Map((await readAllInstalled(client.layout)).map((model) => [model.name, model.current]));
  const models = Object.entries(manifest.models).flatMap(([name, entry]): readonly OfferedModel[] => {
    const { version, license, embedding, weights = [] } = entry;
    const [named] = meantBy(entry, asked);
    if (named === undefined) return [];
    return [
      {
        name,
        version,
        installed: installed.get(name),
        size_bytes: sizeOnDisk(entry, [named]),
        license,
        dimensions: embedding?.dimensions ?? undefined,
        space: weightsOf(entry, named)?.space ?? embedding?.space,
        weights: weights.map(({ path, format, default: isDefault = false, space }) => ({
          path,
          format,
          default: isDefault,
          size_bytes: sizeOnDisk(entry, [path]),
          space,
        })),
        commercial_use: entry.commercial_use,
        quality_score: entry.quality_score,
        max_tokens: embedding?.max_tokens ?? undefined,
        earlier: (entry.published_versions ?? []).map((published) => published.version).sort(semver.rcompare),
        yanked: withdrawal(manifest, name, version),
      },
    ];
  });
  return { tag: manifest.release, models };
}
