import { join } from 'node:path';
import * as semver from '../../contract/semver.ts';
import { usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { looksComplete, readInstalled, refuseOtherCase } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';

/** An installed model, ready to be loaded. All paths are absolute and lie in the immutable directory of the version. */
export interface EnsuredModel {
  readonly name: string;
  readonly version: string;
  /** The embedding space: vectors of two models may be compared only where this is equal. Undefined where the release doesn't say. */
  readonly space: string | undefined;
  /** The directory of this version. It never changes; an update makes another. */
  readonly path: string;
  /** `model.safetensors`, or the index of its shards; undefined where the model has neither. */
  readonly weights: string | undefined;
  /** Every installed file. */
  readonly files: readonly string[];
}

export interface EnsureOptions extends RunContext {
  /** A semver range, such as `^1.2.0`; default: any version. */
  readonly version?: string | undefined;
}

/**
 * The installed version to use: complete, in the range; the pinned one first, then the current, then the newest. Throws `invalid`
 * where the name is an installed one's in another case.
 */
export async function findInstalled(
  client: Client,
  name: string,
  range: string | undefined,
): Promise<InstallRecord | undefined> {
  const model = await readInstalled(client.layout, name);
  if (model === undefined) {
    await refuseOtherCase(client.layout, name);
    return undefined;
  }
  const { pins } = await client.preferences();
  const rank = ({ version }: InstallRecord): number => (version === pins[name] ? 0 : version === model.current ? 1 : 2);
  // Versions stand newest first, and sorting keeps that among equals.
  for (const record of [...model.versions].sort((a, b) => rank(a) - rank(b))) {
    const fits = range === undefined || semver.satisfies(record.version, range);
    if (fits && (await looksComplete(client.layout, record))) return record;
  }
  return undefined;
}

/** Throws `usage` where the text is no semver range. */
export function checkRange(range: string | undefined): void {
  if (range === undefined || semver.isRange(range)) return;
  throw usageError(
    `${JSON.stringify(range)} is not a version or a range of versions.`,
    'Write it as 1.2.0, ^1.2.0 or ">=1.0.0 <2.0.0".',
  );
}

export function describeInstalled(layout: CacheLayout, record: InstallRecord): EnsuredModel {
  const path = layout.version(record.model, record.version);
  const weights = ['model.safetensors', 'model.safetensors.index.json'].find((candidate) =>
    record.files.some((file) => file.path === candidate),
  );
  return {
    name: record.model,
    version: record.version,
    space: record.entry.embedding?.space,
    path,
    weights: weights && join(path, weights),
    files: record.files.map((file) => join(path, file.path)),
  };
}
