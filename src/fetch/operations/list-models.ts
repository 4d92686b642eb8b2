import type { ManifestModel } from '../../contract/manifest.ts';
import * as semver from '../../contract/semver.ts';
import type { RunContext } from '../../core/events.ts';
import { readAllInstalled } from '../cache/installed.ts';
import type { Client } from '../client.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { withdrawal } from '../manifests/withdrawal.ts';
import { installedBytes } from './select-installed.ts';

/** One installed version. Sizes in bytes on disk. */
export interface ListedVersion {
  readonly name: string;
  readonly version: string;
  readonly current: boolean;
  readonly pinned: boolean;
  readonly size_bytes: number;
  readonly license: string | undefined;
  readonly dimensions: number | undefined;
  readonly space: string | undefined;
  readonly path: string;
}

/** Every installed version, by model, newest first. No network. */
export async function listInstalled(client: Client): Promise<ListedVersion[]> {
  const { pins } = await client.preferences();
  return (await readAllInstalled(client.layout)).flatMap((model) =>
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
}

function factsOf({ license, embedding }: ManifestModel): Pick<ListedVersion, 'license' | 'dimensions' | 'space'> {
  return { license, dimensions: embedding?.dimensions ?? undefined, space: embedding?.space };
}

/** One model that is offered. `size_bytes` is the archive's. */
export interface OfferedModel {
  readonly name: string;
  readonly version: string;
  readonly installed: string | undefined;
  readonly size_bytes: number;
  readonly license: string | undefined;
  readonly commercial_use: boolean | undefined;
  readonly quality_score: number | undefined;
  readonly dimensions: number | undefined;
  readonly max_tokens: number | undefined;
  readonly space: string | undefined;
  /** Earlier versions that can be installed by name, newest first. */
  readonly earlier: readonly string[];
  readonly yanked: string | undefined;
}

/** What the newest manifest (or that of `client.release`) offers. */
export async function listOffered(
  client: Client,
  context: RunContext = {},
): Promise<{ readonly release: string | undefined; readonly models: readonly OfferedModel[] }> {
  const { manifest } = await findManifest(client, context, 'look');
  const installed = new Map((await readAllInstalled(client.layout)).map((model) => [model.name, model.current]));
  const models = Object.entries(manifest.models).map(([name, entry]) => ({
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
  }));
  return { release: manifest.release, models };
}
