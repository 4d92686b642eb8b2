import type { ManifestModel, PublishedVersion } from '../../contract/manifest.ts';
import { nearest } from '../../contract/problems-of.ts';
import * as semver from '../../contract/versions.ts';
import { integrityError, invalidError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { fetchPublished } from './find-release.ts';
import type { KnownManifest } from './good-manifest.ts';
import { warnIfWithdrawn, withdrawalBy } from './withdrawal.ts';

/** One version of one model that can be had, and its entry. */
export interface ResolvedModel {
  readonly name: string;
  readonly version: string;
  readonly entry: ManifestModel;
  /** The manifest that the entry is from. */
  readonly from: KnownManifest;
  /** Ids of licences that were accepted for it. */
  readonly acceptedLicenses?: readonly string[];
}

/**
 * The newest version of a model that satisfies a range (default: the newest there is), the
 * manifest's own first, then its `published_versions`. A withdrawn version is chosen only where
 * that very version or its release was asked for, with a warning. Throws `invalid` for a name or
 * version that nobody offers.
 */
export async function resolveModel(
  client: Client,
  good: KnownManifest,
  name: string,
  range: string | undefined,
  context: RunContext,
): Promise<ResolvedModel> {
  const entry = modelEntry(good, name);
  const chosen = choose(good, name, entry, range) ?? nothingFits(good, name, entry, range);
  const { version } = chosen;
  warnIfWithdrawn(name, version, withdrawalBy(good, name, version), context);
  if (chosen === entry) return { name, version, entry, from: good };
  const from = await fetchPublished(client, good, { name, ...(chosen as PublishedVersion) }, context);
  const old = modelEntry(from, name);
  if (old.version === version) return { name, version, entry: old, from };
  throw integrityError(`${from.url}: has ${name} ${old.version} instead of ${version}`);
}

/** What is offered in the place of a version. */
export interface OfferedInstead {
  /** `update`: `available` takes its place. Whatever else it is: the version stays. */
  readonly status: 'update' | 'up-to-date' | 'withdrawn' | 'not-offered';
  /**
   * The newest version in the range; undefined where the model, or each such version, isn't offered
   * any more.
   */
  readonly available: string | undefined;
  /** Why the version was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

/** A version that is offered and newer takes the place of another; of a withdrawn one, any does. */
export function offeredInstead(good: KnownManifest, name: string, version: string, range?: string): OfferedInstead {
  const { models } = good.manifest;
  const entry = Object.hasOwn(models, name) ? models[name] : undefined;
  const available = entry && choose(good, name, entry, range)?.version;
  const yanked = withdrawalBy(good, name, version);
  if (available !== undefined && (semver.gt(available, version) || (available !== version && yanked !== undefined))) {
    return { status: 'update', available, yanked };
  }
  const status = yanked !== undefined ? 'withdrawn' : available === undefined ? 'not-offered' : 'up-to-date';
  return { status, available, yanked };
}

/**
 * The newest version in the range: the entry itself, or one that was published before; undefined
 * where none fits.
 */
function choose(
  good: KnownManifest,
  name: string,
  entry: ManifestModel,
  range: string | undefined,
): ManifestModel | PublishedVersion | undefined {
  // Who names the version or the release gets it, withdrawn or not.
  const exact = (range !== undefined && semver.valid(range) !== null) || good.withdrawnSince !== undefined;
  const fits = ({ version }: { readonly version: string }): boolean =>
    (range === undefined || semver.satisfies(version, range)) &&
    (exact || withdrawalBy(good, name, version) === undefined);
  if (fits(entry)) return entry;
  return entry.published_versions?.filter(fits).sort((a, b) => semver.rcompare(a.version, b.version))[0];
}

/**
 * A model's entry. Throws `invalid`, naming the nearest model, where the manifest has none of that
 * name.
 */
export function modelEntry(good: KnownManifest, name: string): ManifestModel {
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

function nothingFits(good: KnownManifest, name: string, entry: ManifestModel, range: string | undefined): never {
  const reason = (version: string): string | undefined => withdrawalBy(good, name, version);
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
