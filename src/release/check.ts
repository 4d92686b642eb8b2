import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError } from '../core/errors.ts';
import type { WrittenManifest } from './manifest.ts';
import { type Plan, packedModels } from './plan-record.ts';
import type { Workspace } from './workspace.ts';

export interface CheckReport {
  readonly models: readonly { readonly name: string; readonly version: string; readonly files: number }[];
  /** Whether release.json has a command of its own. */
  readonly command: boolean;
}

/**
 * Installs every packed model from its artifacts into a cache of its own, as a client without a network would, and runs
 * release.json's `check` command on it with MODEL_NAME, MODEL_VERSION and MODEL_DIR. Throws what the installation throws, and
 * `invalid` where the command fails.
 */
export async function checkModels(
  config: ReleaseConfig,
  plan: Plan,
  _written: WrittenManifest,
  workspace: Workspace,
): Promise<CheckReport> {
  const { ModelManager } = await import('../fetch/model-manager.ts');
  const models: CheckReport['models'][number][] = [];
  for (const { name, version } of packedModels(plan, workspace)) {
    const cache = await mkdtemp(join(tmpdir(), 'aircher-check-'));
    try {
      const manager = new ModelManager({
        namespace: config.namespace,
        cacheDir: cache,
        manifestSources: [],
        publicKeys: [],
      });
      const installed = await manager.installFrom(name, workspace.out, {
        signal: workspace.signal,
        onEvent: workspace.onEvent,
      });
      if (config.check) await runCheck(config.check, { name, version, path: installed.path }, workspace);
      models.push({ name, version, files: installed.files.length });
      workspace.onEvent?.({ type: 'done', task: 'check', subject: name });
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  }
  return { models, command: config.check !== undefined };
}

async function runCheck(
  command: readonly string[],
  model: { readonly name: string; readonly version: string; readonly path: string },
  workspace: Workspace,
): Promise<void> {
  const [program, ...args] = command;
  const result = await execa(program!, args, {
    cwd: workspace.directory,
    // The command is the maintainer's own, but it has no business with tokens and signing keys.
    extendEnv: false,
    env: {
      ...workspace.environment.subprocess,
      MODEL_NAME: model.name,
      MODEL_VERSION: model.version,
      MODEL_DIR: model.path,
    },
    reject: false,
    all: true,
    ...(workspace.signal ? { cancelSignal: workspace.signal } : {}),
  });
  if (!result.failed) return;
  workspace.signal?.throwIfAborted();
  const how = result.exitCode === undefined ? result.shortMessage : `exit code ${result.exitCode}`;
  const said = (result.all ?? '').trim().split('\n').slice(-10).join('\n');
  throw new AircherError(
    'invalid',
    `the check of ${model.name} ${model.version} failed (${how})${said ? `:\n${said}` : ''}`,
    {
      hint: `Mend the model or the command (${command.join(' ')}); nothing was published.`,
    },
  );
}
