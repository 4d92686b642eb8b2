import { join } from 'node:path';
import * as semver from '../../contract/versions.ts';
import { usageError } from '../../core/errors.ts';
import type { EnsuredModel } from '../api.ts';
import { looksComplete, readInstalled, refuseOtherCase } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';

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
  if (range === undefined || semver.validRange(range) !== null) return;
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
