import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import semver from 'semver';
import type { Manifest, ManifestModel } from '../../contract/manifest.ts';
import { nearest } from '../../contract/problems-of.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { PublishedTag, Target } from '../../targets/target.ts';
import type { LoadedConfig } from '../load-config.ts';
import { isYanked, newestNotYanked, publishedVersionsOf } from '../plan/carry-forward.ts';
import { acceptedReleases } from '../published/accepted-releases.ts';
import type { Workspace } from '../workspace.ts';
import { editReleaseConfig } from './yank-edit.ts';

export interface YankReport {
  readonly model: string;
  readonly version: string;
  readonly reason: string;
  /**
   * `done`: the newest published release says it already. `edited`: release.json was changed.
   * `listed`: it stood there, and isn't published yet.
   */
  readonly state: 'done' | 'edited' | 'listed';
  /** What release.json releases now. */
  readonly release: string;
  /** What a fresh install gets from then on; null where no good version is left. */
  readonly replacement: string | null;
  /** Whether it was what a fresh install got. */
  readonly was_newest: boolean;
}

/**
 * Withdraws a published version in release.json: an entry in `yanked`, and a `release` above the
 * last published one. Nothing is published or deleted by it. Throws `usage` for a malformed name,
 * `invalid` for what was never published.
 */
export async function yankVersion(
  spec: string,
  reason: string,
  { config }: LoadedConfig,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<YankReport> {
  const { model, version } = parseSpec(spec, reason);
  if (workspace.offline) {
    throw new AircherError('remote', 'only the hosts know what is published', { hint: 'Run it without --offline.' });
  }
  const { newest, users, entry } = await findPublished(config, model, version, targets, workspace);
  const isListed = isYanked(config, model, version);
  const isPublished = users?.manifest.yanked?.some((yank) => yank.model === model && yank.version === version) ?? false;
  const after = isListed ? config : { ...config, yanked: [...(config.yanked ?? []), { model, version, reason }] };
  // A version that release.json has and that isn't published yet comes with the same release.
  const offered = [...publishedVersionsOf(entry), ...(config.models[model] ? [config.models[model].version] : [])];
  const replacement = newestNotYanked(after, model, offered) ?? null;
  const report = {
    model,
    version,
    reason: config.yanked?.find((yank) => yank.model === model && yank.version === version)?.reason ?? reason,
    replacement,
    was_newest: users !== undefined && offeredVersion(users.manifest, model) === version,
  };
  if (isListed && isPublished) return { ...report, state: 'done', release: config.release };
  tellOfUnpublished(config, users?.manifest, workspace);
  const release = releaseAbove(config, newest);
  if (isListed && release === config.release) return { ...report, state: 'listed', release };
  const path = resolve(workspace.directory, workspace.configFile);
  const text = await readFile(path, 'utf8');
  await writeFileAtomically(path, editReleaseConfig(text, isListed ? undefined : { model, version, reason }, release));
  return { ...report, state: isListed ? 'listed' : 'edited', release };
}

function parseSpec(spec: string, reason: string): { readonly model: string; readonly version: string } {
  const at = spec.lastIndexOf('@');
  const model = spec.slice(0, Math.max(0, at));
  const version = spec.slice(at + 1);
  if (model === '' || semver.valid(version) !== version) {
    throw new AircherError('usage', `${JSON.stringify(spec)} is not MODEL@VERSION`, {
      hint: 'For example `aircher-models yank gte-large@1.0.0 --reason "wrong pooling config"`.',
    });
  }
  if (reason.trim() === '') {
    throw new AircherError('usage', 'a yank needs a reason', {
      hint: 'Users read it: --reason "wrong pooling config".',
    });
  }
  return { model, version };
}

interface Found {
  readonly newest: PublishedTag & { readonly manifest: Manifest };
  /** The newest release that is no prerelease: what users have. */
  readonly users: Found['newest'] | undefined;
  /** The model's newest entry that knows the version. */
  readonly entry: ManifestModel;
}

/**
 * Looks in the newest release first, then in older ones, for models that release.json has no more.
 */
async function findPublished(
  config: ReleaseConfig,
  model: string,
  version: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<Found> {
  let newest: Found['newest'] | undefined;
  let users: Found['newest'] | undefined;
  let known: ManifestModel | undefined;
  let found: ManifestModel | undefined;
  const names = new Set<string>();
  for await (const release of acceptedReleases(config, targets, workspace)) {
    newest ??= release;
    if (semver.prerelease(release.version) === null) users ??= release;
    const { models } = release.manifest;
    for (const name of Object.keys(models)) names.add(name);
    const entry = Object.hasOwn(models, model) ? models[model] : undefined;
    known ??= entry;
    if (entry && publishedVersionsOf(entry).includes(version)) found ??= entry;
    if (found && users) return { newest, users, entry: found };
  }
  if (newest && found) return { newest, users, entry: found };
  if (newest === undefined) {
    throw new AircherError('invalid', 'nothing is published yet', { hint: 'Take it out of release.json instead.' });
  }
  if (known !== undefined) {
    throw new AircherError('invalid', `${model} ${version} was never published`, {
      hint: `Published versions of it: ${publishedVersionsOf(known).join(', ')}.`,
    });
  }
  const near = nearest(model, [...names]);
  throw new AircherError('invalid', `no model ${JSON.stringify(model)} was ever published`, {
    hint: near === undefined ? `Published: ${[...names].join(', ')}.` : `Did you mean ${near}?`,
  });
}

/**
 * The configured release where it is new already, else the patch after the last published one;
 * never a prerelease, of which no client would be told.
 */
function releaseAbove(config: ReleaseConfig, newest: PublishedTag): string {
  const above = semver.gt(config.release, newest.version);
  if (above && semver.prerelease(config.release) === null) return config.release;
  const from = above ? config.release : newest.version;
  return semver.inc(from, 'patch') ?? from;
}

function offeredVersion({ models }: Manifest, model: string): string | undefined {
  return Object.hasOwn(models, model) ? models[model]?.version : undefined;
}

/**
 * The release that tells of the yank tells of everything else in release.json, too: also of what
 * only a prerelease has published.
 */
function tellOfUnpublished(config: ReleaseConfig, published: Manifest | undefined, workspace: Workspace): void {
  const models = published?.models ?? {};
  const others = Object.entries(config.models).filter(([name, { version }]) => {
    const entry = Object.hasOwn(models, name) ? models[name] : undefined;
    return !isYanked(config, name, version) && !(entry && publishedVersionsOf(entry).includes(version));
  });
  if (others.length === 0) return;
  warn(workspace, {
    file: workspace.configFile,
    path: '$.models',
    message: `also has what isn't published yet: ${others.map(([name, { version }]) => `${name} ${version}`).join(', ')}`,
    hint: 'The release of the yank publishes that, too. With --no-release you can take it back first.',
  });
}
