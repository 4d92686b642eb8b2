import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readEnvironment } from '../../src/cli/read-environment.ts';
import type { Manifest, ManifestModel } from '../../src/contract/manifest.ts';
import { parseReferenceVectors, type ReferenceVectors } from '../../src/contract/reference-vectors.ts';
import type { Workspace } from '../../src/release/workspace.ts';
import { createReleaseWorkspace, modelConfig, type ReleaseWorkspace } from '../fixtures/release-workspace.ts';
import type { TinyModelOptions } from '../fixtures/tiny-model.ts';

const script = fileURLToPath(new URL('../fixtures/embed-command.mjs', import.meta.url));

/** The embed command of the fixtures, with its arguments. */
export const embed = (...args: readonly string[]): readonly string[] => [process.execPath, script, ...args];

export interface VectorChanges {
  readonly release?: string;
  readonly version?: string;
  /** Undefined for none; by default the embed command of the fixtures. */
  readonly reference?: object | undefined;
  readonly keep_space?: boolean;
  readonly default_weights?: string;
  /** Keys of release.json beside the models. */
  readonly top?: object;
}

/** The model alpha alone, with reference vectors. */
export async function configure(workspace: ReleaseWorkspace, changes: VectorChanges = {}): Promise<void> {
  const { release = '1.0.0', version = release, top = {}, ...more } = changes;
  const models = { alpha: modelConfig('alpha', version, { reference: { command: embed() }, ...more }) };
  await workspace.configure({ release, models, ...top });
}

export async function vectorsScene(
  t: TestContext,
  changes?: VectorChanges,
  model: TinyModelOptions = {},
): Promise<ReleaseWorkspace> {
  const workspace = await createReleaseWorkspace(t);
  await workspace.writeModel('alpha', { seed: 1, ...model });
  await configure(workspace, changes);
  return workspace;
}

export async function vectorsAt(
  workspace: ReleaseWorkspace,
  path = 'release/alpha.vectors.json',
): Promise<ReferenceVectors> {
  return parseReferenceVectors(await readFile(workspace.path(path)), path);
}

export async function entryOf(workspace: ReleaseWorkspace, path = 'mirror/manifest.json'): Promise<ManifestModel> {
  const { models } = (await workspace.readJson(path)) as Manifest;
  assert.ok(models.alpha);
  return models.alpha;
}

/** What the steps take, for calls inside this process. */
export function insideOf(workspace: ReleaseWorkspace): Workspace {
  return {
    configFile: 'manifests/release.json',
    out: workspace.path('release'),
    directory: workspace.directory,
    environment: readEnvironment({}),
    offline: false,
    models: undefined,
  };
}

/** A command fails with this exit code, says this, and a remedy. */
export async function refused(
  workspace: ReleaseWorkspace,
  args: readonly string[],
  said: RegExp,
  exitCode = 3,
): Promise<string> {
  const result = await workspace.run(args);
  assert.equal(result.exitCode, exitCode, result.stderr);
  assert.match(result.stderr, said);
  assert.match(result.stderr, /^ *hint: /m);
  return result.stderr;
}
