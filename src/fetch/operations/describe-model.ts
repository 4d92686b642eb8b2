import { hostKinds } from '../../contract/fields.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import { sizeOnDisk, weightsOf } from '../../contract/wanted-weights.ts';
import { toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { ListedVersion, OfferedWeights } from '../api.ts';
import type { Client } from '../client.ts';
import { findManifest } from '../manifests/find-manifest.ts';
import { resolveModel } from '../manifests/resolve-model.ts';
import { withdrawalBy } from '../manifests/withdrawal.ts';
import { findWanted } from './find-installed.ts';
import { listInstalled } from './list-models.ts';

/** All about one model. */
export interface ModelInfo {
  readonly name: string;
  readonly version: string;
  /** Of the release that brought this version. */
  readonly tag: string | undefined;
  /** As `OfferedModel` has it. */
  readonly size_bytes: number;
  readonly license: string | undefined;
  readonly commercial_use: boolean | undefined;
  readonly allow_code: boolean | undefined;
  readonly dimensions: number | undefined;
  readonly max_tokens: number | undefined;
  readonly pooling: string | undefined;
  readonly normalized: boolean | undefined;
  readonly similarity: string | undefined;
  /** Texts that are put before a text, by name. */
  readonly prompts: Readonly<Record<string, string>> | undefined;
  /** Of the default weights. */
  readonly space: string | undefined;
  readonly weights: readonly OfferedWeights[];
  readonly changes: string | undefined;
  /** Versions before it, newest first. */
  readonly history: readonly {
    readonly version: string;
    readonly tag: string;
    readonly space: string | undefined;
  }[];
  /** `owner/name@revision` on the Hub. */
  readonly hub_source: string | undefined;
  /** Kinds of hosts that have it. */
  readonly mirrors: readonly string[];
  readonly yanked: string | undefined;
  /** What of the model is installed. */
  readonly here: readonly ListedVersion[];
}

/**
 * What a release says of a model (the newest version in the range that it offers), and what of the
 * model is here. Where no source answers, what the installed version's release said. Throws as
 * `findManifest` and `resolveModel`.
 */
export async function describeModel(
  client: Client,
  name: string,
  range: string | undefined,
  context: RunContext,
): Promise<ModelInfo> {
  const here = (await listInstalled(client, context)).models.filter((model) => model.name === name);
  try {
    const good = await findManifest(client, context, 'look');
    const { version, entry } = await resolveModel(client, good, name, range, context);
    return { ...factsOf(name, version, entry), yanked: withdrawalBy(good, name, version), here };
  } catch (error) {
    context.signal?.throwIfAborted();
    const record = (await findWanted(client, name, range, context))?.record;
    if (record === undefined) throw error;
    warn(context, { file: name, message: `told by what is installed: ${toAircherError(error).message}` });
    return { ...factsOf(name, record.version, record.entry), yanked: undefined, here };
  }
}

function factsOf(name: string, version: string, entry: ManifestModel): Omit<ModelInfo, 'yanked' | 'here'> {
  const { embedding = {}, weights = [], published_versions: published = [] } = entry;
  const space = weightsOf(entry, 'default')?.space ?? embedding.space;
  return {
    name,
    version,
    tag: entry.release,
    size_bytes: sizeOnDisk(entry, ['default']),
    license: entry.license,
    commercial_use: entry.commercial_use,
    allow_code: entry.allow_code,
    dimensions: embedding.dimensions ?? undefined,
    max_tokens: embedding.max_tokens ?? undefined,
    pooling: embedding.pooling ?? undefined,
    normalized: embedding.normalized ?? undefined,
    similarity: embedding.similarity ?? undefined,
    prompts: embedding.prompts,
    space,
    weights: weights.map(({ path, format, default: isDefault = false, space: own }) => ({
      path,
      format,
      default: isDefault,
      size_bytes: sizeOnDisk(entry, [path]),
      space: own,
    })),
    changes: entry.changes,
    history: published.map((one) => ({ version: one.version, tag: one.release, space: one.space })),
    hub_source: entry.source && `${entry.source.huggingface}@${entry.source.revision}`,
    mirrors: hostKinds.filter((kind) => entry.download_urls[kind] !== undefined),
  };
}
