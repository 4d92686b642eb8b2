import type { ManifestModel } from '../../contract/manifest.ts';
import { nearest } from '../../contract/problems-of.ts';
import * as semver from '../../contract/semver.ts';
import { type AircherError, integrityError, invalidError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { fetchPublished } from './find-release.ts';
import type { GoodManifest } from './good-manifest.ts';

/** One version of one model that can be had, and its entry. */
export interface ResolvedModel {
  readonly name: string;
  readonly version: string;
  readonly entry: ManifestModel;
  /** The manifest that the entry is from. */
  readonly from: GoodManifest;
  /** Why it was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

/**
 * The newest version of a model that satisfies a range (default: the newest there is), the manifest's own first, then its
 * `published_versions`. A withdrawn version is chosen only where that very version or its release was asked for, with a warning. Throws `invalid`
 * for a name or version that nobody offers.
 */
export async function resolveModel(
  client: Client,
  good: GoodManifest,
  name: string,
  range: string | undefined,
  context: RunContext,
): Promise<ResolvedModel> {
  const { manifest } = good;
  const entry = modelEntry(good, name);
  const yankedReason = (version: string): string | undefined =>
    [...(manifest.yanked ?? []), ...(good.withdrawnSince ?? [])].find(
      (yanked) => yanked.model === name && yanked.version === version,
    )?.reason;
  // Who names the version or the release gets it, with a warning.
  const exact = (range !== undefined && semver.valid(range) !== null) || good.withdrawnSince !== undefined;
  const fits = (version: string): boolean =>
    (range === undefined || semver.satisfies(version, range)) && (exact || yankedReason(version) === undefined);
  const old = fits(entry.version)
    ? undefined
    : [...(entry.published_versions ?? [])]
        .filter((published) => fits(published.version))
        .sort((a, b) => semver.rcompare(a.version, b.version))[0];
  if (old === undefined && !fits(entry.version)) throw nothingFits(name, entry, range, yankedReason(entry.version));
  const version = old?.version ?? entry.version;
  const yanked = yankedReason(version);
  if (yanked !== undefined) {
    warn(context, {
      file: `${name}@${version}`,
      message: `was withdrawn: ${yanked}`,
      hint: 'Use another version if you can.',
    });
  }
  if (old === undefined) return { name, version, entry, from: good, yanked };
  const from = await fetchPublished(client, old, context);
  const oldEntry = modelEntry(from, name);
  if (oldEntry.version === version) return { name, version, entry: oldEntry, from, yanked };
  throw integrityError(`${from.url}: has ${name} ${oldEntry.version} instead of ${version}`);
}

/** A model's entry. Throws `invalid`, naming the nearest model, where the manifest has none of that name. */
export function modelEntry(good: GoodManifest, name: string): ManifestModel {
  const { models } = good.manifest;
  const entry = Object.hasOwn(models, name) ? models[name] : undefined;
  if (entry !== undefined) return entry;
  const near = nearest(name, Object.keys(models));
  throw invalidError(
    `No model is named ${JSON.stringify(name)}.`,
    near ? `Did you mean ${near}?` : `There are: ${listed(Object.keys(models)) || 'none'}.`,
    { details: { model: name, url: good.url } },
  );
}

const mostListed = 40;

function listed(names: readonly string[]): string {
  const more = names.length - mostListed;
  return names.slice(0, mostListed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function nothingFits(
  name: string,
  entry: ManifestModel,
  range: string | undefined,
  yanked: string | undefined,
): AircherError {
  const versions = [entry.version, ...(entry.published_versions ?? []).map((published) => published.version)];
  if (range === undefined) {
    return invalidError(
      `${name} ${entry.version} was withdrawn: ${yanked}`,
      `No other version is offered. To install it all the same: ${name}@${entry.version}.`,
    );
  }
  return invalidError(`No version of ${name} satisfies ${JSON.stringify(range)}.`, `Offered: ${listed(versions)}.`);
}
