import { join } from 'node:path';
import * as semver from '../../contract/versions.ts';
import { integrityError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { EnsuredModel } from '../api.ts';
import { incompleteFiles, readInstalled, readIntent, recordOf, refuseOtherCase } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { readPins } from '../cache/preferences.ts';
import type { InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';

/** The version that a name and a range mean here. */
export interface WantedVersion {
  readonly version: string;
  /** Undefined where it isn't installed (any more). */
  readonly record: InstallRecord | undefined;
  /** Paths of its files that are missing or cut. */
  readonly damaged: readonly string[];
}

/**
 * The version to use: the pinned one, else the one in use, else the newest installed; the first of these in the range. Whether its
 * files are whole doesn't matter here: a damaged version is repaired or an error, never replaced by another, whose vectors may
 * be others. Undefined where none is in the range. Throws `invalid` where the name is an installed one's in another case.
 */
export async function findWanted(
  client: Client,
  name: string,
  range: string | undefined,
  context: RunContext,
): Promise<WantedVersion | undefined> {
  const { layout } = client;
  const model = await readInstalled(layout, name);
  if (model === undefined) await refuseOtherCase(layout, name);
  const { versions = [], current } = model ?? {};
  const pins = await readPins(layout, context);
  const inOrder = [pins[name], await readIntent(layout, name), current, ...versions.map((record) => record.version)];
  const version = inOrder.find(
    (known) => known !== undefined && (range === undefined || semver.satisfies(known, range)),
  );
  const record = recordOf(model, version);
  return version === undefined
    ? undefined
    : { version, record, damaged: record === undefined ? [] : await incompleteFiles(layout, record) };
}

/**
 * The installed version to use, whole; undefined where it isn't installed. Throws `integrity` where files of it are missing or cut,
 * and as `findWanted`.
 */
export async function findInstalled(
  client: Client,
  name: string,
  range: string | undefined,
  context: RunContext,
): Promise<InstallRecord | undefined> {
  const wanted = await findWanted(client, name, range, context);
  if (wanted === undefined || wanted.damaged.length === 0) return wanted?.record;
  throw integrityError(
    `${name} ${wanted.version} is damaged: ${wanted.damaged.join(', ')} missing or cut.`,
    `Fetch what is wrong: verify --repair ${name}`,
  );
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
