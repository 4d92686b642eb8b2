import type { ManifestModel } from '../../contract/manifest.ts';
import { nearest } from '../../contract/problems-of.ts';
import * as semver from '../../contract/versions.ts';
import { integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { fetchPublished } from './find-release.ts';
import type { GoodManifest } from './good-manifest.ts';
import { warnIfWithdrawn, withdrawal } from './withdrawal.ts';

/** One version of one model that can be had, and its entry. */
export interface ResolvedModel {
  readonly name: string;
  readonly version: string;
  readonly entry: ManifestModel;
  /** The manifest that the entry is from. */
  readonly from: GoodManifest;
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
  const reason = (version: string): string | undefined =>
    withdrawal(manifest, name, version) ?? withdrawal({ yanked: good.withdrawnSince }, name, version);
  // Who names the version or the release gets it, with a warning.
  const exact = (range !== undefined && semver.valid(range) !== null) || good.withdrawnSince !== undefined;
  const fits = ({ version }: { readonly version: string }): boolean =>
    (range === undefined || semver.satisfies(version, range)) && (exact || reason(version) === undefined);
  const published = entry.published_versions?.filter(fits).sort((a, b) => semver.rcompare(a.version, b.version))[0];
  const { version } = (fits(entry) ? entry : published) ?? nothingFits(name, entry, range, reason);
  warnIfWithdrawn(name, version, reason(version), context);
  if (published === undefined || fits(entry)) return { name, version, entry, from: good };
  const from = await fetchPublished(client, good, published, context);
  const old = modelEntry(from, name);
  if (old.version === version) return { name, version, entry: old, from };
  throw integrityError(`${from.url}: has ${name} ${old.version} instead of ${version}`);
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
  reason: (version: string) => string | undefined,
): never {
  if (range === undefined) {
    throw invalidError(
      `${name} ${entry.version} was withdrawn: ${reason(entry.version)}`,
      `No other version is offered. To install it all the same: ${name}@${entry.version}.`,
    );
  }
  const versions = [entry, ...(entry.published_versions ?? [])].map(({ version }) =>
    reason(version) === undefined ? version : `${version} (withdrawn)`,
  );
  throw invalidError(`No version of ${name} satisfies ${JSON.stringify(range)}.`, `Offered: ${listed(versions)}.`);
}
