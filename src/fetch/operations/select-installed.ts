import { nearest } from '../../contract/problems-of.ts';
import { type AircherError, conflictError, invalidError } from '../../core/errors.ts';
import { shellWord } from '../../core/format.ts';
import { type InstalledModel, readAllInstalled, readInstalled, recordOf } from '../cache/installed.ts';
import { type InstallRecord, recordedModels } from '../cache/records.ts';
import type { Client } from '../client.ts';

/** The named installed models, or all. Throws `invalid` for a name that isn't installed. */
export async function selectInstalled(
  client: Client,
  names: readonly string[] = [],
): Promise<readonly InstalledModel[]> {
  if (names.length === 0) return readAllInstalled(client.layout);
  return Promise.all(names.map((name) => requireInstalled(client, name)));
}

export async function requireInstalled(client: Client, name: string): Promise<InstalledModel> {
  const model = await readInstalled(client.layout, name);
  if (model === undefined) throw await notInstalled(client, name);
  return model;
}

/** The error where a model, or this version of it, isn't installed. */
export async function notInstalled(client: Client, name: string, version?: string): Promise<AircherError> {
  const wanted = version === undefined ? name : `${name}@${version}`;
  const here = await readInstalled(client.layout, name);
  const near = here === undefined ? nearest(name, await recordedModels(client.layout)) : undefined;
  const instead = here
    ? ` (installed: ${here.versions.map((record) => record.version).join(', ')})`
    : near && ` (or did you mean ${near}?)`;
  return invalidError(`${wanted} is not installed.`, `Install it: install ${wanted}${instead ?? ''}`);
}

/** Throws `conflict` where a version is of the system cache, which `command` would change. */
export function requireOwn({ layout }: Client, { cache, model: name, version }: InstallRecord, command: string): void {
  if (cache === layout) return;
  throw conflictError(
    `${name} ${version} is in the system cache ${cache.root}, which is only read.`,
    `Whoever keeps it can: AIRCHER_CACHE_DIR=${shellWord(cache.root)} aircher ${command} ${name}`,
  );
}

/** The record of the version in use, which is always one of the model's. */
export function currentRecord(model: InstalledModel): InstallRecord {
  return recordOf(model, model.current)!;
}
