import { readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { parseReleaseConfig } from '../contract/parse-release-config.ts';
import { nearest } from '../contract/problems-of.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, systemErrorCode } from '../core/errors.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { Workspace } from './workspace.ts';

/** release.json as it was read. */
export interface LoadedConfig {
  readonly config: ReleaseConfig;
  /** Of the file's bytes: tells whether a plan still belongs to it. */
  readonly sha256: Sha256;
}

/**
 * Reads release.json. Throws `usage` where there is none, `invalid` with every problem where it
 * isn't valid.
 */
export async function loadConfig(workspace: Workspace): Promise<LoadedConfig> {
  let bytes: Buffer;
  try {
    bytes = await readFile(resolve(workspace.directory, workspace.configFile));
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    throw new AircherError('usage', `${workspace.configFile} is not there`, {
      hint: 'Run `aircher-models init` to make one, or name yours with --config FILE.',
      cause: error,
    });
  }
  const config = parseReleaseConfig(bytes, workspace.configFile);
  for (const name of workspace.models ?? []) {
    if (Object.hasOwn(config.models, name)) continue;
    const near = nearest(name, Object.keys(config.models));
    throw new AircherError('usage', `--model ${name}: ${workspace.configFile} has no such model`, {
      hint: near === undefined ? 'See `aircher-models plan` for the models.' : `Did you mean ${near}?`,
    });
  }
  return { config, sha256: sha256(bytes) };
}

/**
 * `manifests/published/<tag>.json` beside release.json: copies for work offline; the hosts are the
 * truth.
 */
export function publishedCopy(workspace: Workspace, tag: string): string {
  return join(publishedDirectory(workspace), `${tag}.json`);
}

export function publishedDirectory(workspace: Workspace): string {
  return resolve(workspace.directory, workspace.configFile, '..', 'published');
}

/** A path as the user knows it: relative to the working directory where it lies inside. */
export function displayPath(workspace: Workspace, path: string): string {
  const local = relative(workspace.directory, path);
  return local === '' || local.startsWith('..') || isAbsolute(local) ? path : local.split(sep).join('/');
}
