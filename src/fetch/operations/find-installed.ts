import { join } from 'node:path';
import * as semver from '../../contract/versions.ts';
import { type Wanted, wantedOf, weightsOf } from '../../contract/wanted-weights.ts';
import { integrityError, invalidError, usageError } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { EnsuredModel } from '../api.ts';
import {
  absentFiles,
  incompleteFiles,
  readInstalled,
  readIntent,
  recordOf,
  refuseOtherCase,
} from '../cache/installed.ts';
import { readPins } from '../cache/preferences.ts';
import { directoryOf, type InstallRecord } from '../cache/records.ts';
import type { Client } from '../client.ts';

/** The version that a name and a range mean here. */
export interface WantedVersion {
  readonly version: string;
  /** Undefined where it isn't installed (any more). */
  readonly record: InstallRecord | undefined;
}

/**
 * The version to use: the pinned one, else the one in use, else the newest installed; the first of
 * these in the range. Whether its files are whole doesn't matter here: a damaged version is
 * repaired or an error, never replaced by another, whose vectors may be others. Undefined where
 * none is in the range. Throws `invalid` where the name is an installed one's in another case.
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
  return version === undefined ? undefined : { version, record: recordOf(model, version) };
}

/** An installed version, and what of it is meant. */
export interface InstalledPart {
  readonly record: InstallRecord;
  readonly wanted: Wanted;
}

/**
 * The installed version to use, whole, with the weights that are asked for (else those of `kept`,
 * else the default); undefined where it isn't installed. Throws `integrity` where files of it are
 * missing or cut, `invalid` where those weights aren't here, and as `findWanted`.
 */
export async function findInstalled(
  client: Client,
  name: string,
  range: string | undefined,
  options: RunContext & { readonly weights?: string | undefined; readonly asInstalled?: boolean },
): Promise<InstalledPart | undefined> {
  const record = (await findWanted(client, name, range, options))?.record;
  if (record === undefined) return undefined;
  const { version, entry } = record;
  const damaged = await incompleteFiles(record);
  if (damaged.length > 0) {
    throw integrityError(
      `${name} ${version} is damaged: ${damaged.join(', ')} missing or cut.`,
      record.cache === client.layout
        ? `Fetch what is wrong: verify --repair ${name}`
        : `It is in the system cache. Have a whole one of your own: install ${name}@${version}`,
    );
  }
  const { weights, asInstalled } = options;
  const wanted = wantedOf({ name, version, entry }, weights, asInstalled ? record.wanted : undefined);
  const [absent] = absentFiles(record, wanted);
  if (absent === undefined) return { record, wanted };
  throw invalidError(
    `${absent.path} of ${name} ${version} is not installed (${record.wanted.join(', ')} is).`,
    `Install it: install ${name}@${version}${weights === undefined ? '' : ` --weights ${weights}`}. Or name other weights: --weights ${record.wanted[0]}`,
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

export function describeInstalled({ record, wanted }: InstalledPart): EnsuredModel {
  const { model: name, version, files } = record;
  const path = directoryOf(record);
  return { name, version, ...describePlace(record, wanted), files: files.map((file) => join(path, file.path)) };
}

/**
 * Where a version is, with space and file of the weights that are wanted, of several the default.
 * Where the manifest names none, those of the usual name.
 */
export function describePlace(
  record: InstallRecord,
  wanted: Wanted,
): Pick<EnsuredModel, 'space' | 'path' | 'cache' | 'weights_path'> {
  const { cache, entry, files } = record;
  const directory = directoryOf(record);
  const [first = 'default'] = wanted;
  const weights = weightsOf(entry, wanted.includes('default') ? 'default' : first);
  const path =
    weights?.path ??
    ['model.safetensors', 'model.safetensors.index.json'].find((usual) => files.some((file) => file.path === usual));
  return {
    space: weights?.space ?? entry.embedding?.space,
    path: directory,
    cache: cache.kind,
    weights_path: path && join(directory, path),
  };
}
