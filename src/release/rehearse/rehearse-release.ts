import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import semver from 'semver';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { type AircherError, toAircherError } from '../../core/errors.ts';
import type { Event } from '../../core/events.ts';
import { putForeignRelease } from '../../rehearsal/foreign-release.ts';
import { configuredKinds, fileUrl, releaseTag } from '../addresses.ts';
import { configuredTargets } from '../configured-targets.ts';
import { bundleName, readClientBundle } from '../documents/client-bundle.ts';
import { readManifest } from '../documents/write-manifest.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type ReleaseReport, runRelease } from '../pipeline.ts';
import type { Workspace } from '../workspace.ts';
import { installAsUser, type UserInstall } from './end-user.ts';
import { type ChosenFault, rulesOf } from './named-faults.ts';
import { setScene, withoutOwnHosts } from './scene.ts';
import { rehearsalTuning, type StandIn, type StandIns, startStandIns } from './stand-ins.ts';
import { meterTraffic, type Traffic } from './traffic.ts';

export interface RehearseOptions {
  readonly faults: readonly ChosenFault[];
  /**
   * Leaves the rehearsal's directory where it is: artifacts, what each host holds, the user's
   * cache.
   */
  readonly keep?: boolean;
}

export interface RehearsalReport {
  readonly tag: string;
  readonly ok: boolean;
  readonly seconds: number;
  /** Where it isn't like the real thing. */
  readonly differences: readonly string[];
  readonly steps: readonly { readonly step: string; readonly seconds: number }[];
  readonly release: ReleaseReport | undefined;
  /** To and from each host while releasing, and while the user installed. */
  readonly release_traffic: readonly Traffic[];
  readonly install_traffic: readonly Traffic[];
  /** How often each fault that was asked for has hit. */
  readonly faults: readonly { readonly name: string; readonly meaning: string; readonly hits: number }[];
  /** What the end user has in the end. */
  readonly installs: readonly UserInstall[];
  readonly failure: { readonly during: 'release' | 'install'; readonly error: AircherError } | undefined;
  /** Where everything is, if it was kept. */
  readonly directory: string | undefined;
}

/**
 * The whole release against stand-ins of its hosts on this machine, and an end user's install of
 * it: the code of `release`, no account, no upload. The output directory, the mirror's and
 * manifests/published/ stay as they are. A release or install that fails is a result, not an
 * exception; only interruption is thrown.
 */
export async function rehearseRelease(
  loaded: LoadedConfig,
  workspace: Workspace,
  options: RehearseOptions,
): Promise<RehearsalReport> {
  const started = performance.now();
  const directory = await mkdtemp(join(tmpdir(), 'aircher-rehearsal-'));
  let standIns: StandIns | undefined;
  try {
    standIns = await startStandIns(loaded.config, directory, workspace.environment.githubSha);
    const outcome = await perform(loaded, workspace, options, standIns, directory);
    return {
      tag: releaseTag(loaded.config),
      ok: outcome.failure === undefined,
      seconds: secondsSince(started),
      ...outcome,
      directory: options.keep ? directory : undefined,
    };
  } finally {
    await standIns?.close();
    if (!options.keep) await rm(directory, { recursive: true, force: true });
  }
}

type Outcome = Omit<RehearsalReport, 'tag' | 'ok' | 'seconds' | 'directory'>;

async function perform(
  loaded: LoadedConfig,
  workspace: Workspace,
  options: RehearseOptions,
  standIns: StandIns,
  directory: string,
): Promise<Outcome> {
  const scene = await setScene(loaded, workspace, standIns, directory);
  const clock = timeSteps();
  const stage: Workspace = {
    ...scene.workspace,
    onEvent: (event) => {
      clock.onEvent(event);
      workspace.onEvent?.(event);
    },
  };
  const traffic = meterTraffic(standIns);
  let release: ReleaseReport | undefined;
  let installed: readonly UserInstall[] = [];
  let failure: RehearsalReport['failure'];

  await putForeign(options.faults, scene.loaded.config.tag_prefix, standIns);
  const endReleaseFaults = inject(options.faults, 'release', standIns);
  try {
    const targets = await configuredTargets(
      withoutOwnHosts(scene.loaded.config),
      { ...stage, environment: { ...stage.environment, ...standIns.environment } },
      rehearsalTuning,
    );
    release = await runRelease(scene.loaded, targets, stage, { keepCopy: false });
    const [problem] = release.verify?.problems ?? [];
    if (problem !== undefined) {
      failure = { during: 'release', error: toAircherError(new Error(`${problem.file}: ${problem.message}`)) };
    }
  } catch (error) {
    workspace.signal?.throwIfAborted();
    failure = { during: 'release', error: toAircherError(error) };
  }
  const releaseHits = endReleaseFaults();
  const releaseTraffic = traffic();

  const endInstallFaults = inject(options.faults, 'install', standIns);
  if (failure === undefined) {
    stage.onEvent?.({ type: 'step-start', step: "an end user's install" });
    try {
      installed = await install(scene.loaded.config, stage, standIns, directory);
    } catch (error) {
      workspace.signal?.throwIfAborted();
      failure = { during: 'install', error: toAircherError(error) };
    }
    stage.onEvent?.({ type: 'step-end', step: "an end user's install" });
  }
  return {
    differences: scene.differences,
    steps: clock.steps,
    release,
    release_traffic: releaseTraffic,
    install_traffic: traffic(),
    faults: [...releaseHits, ...endInstallFaults()],
    installs: installed,
    failure,
  };
}

async function install(
  config: ReleaseConfig,
  workspace: Workspace,
  standIns: StandIns,
  directory: string,
): Promise<readonly UserInstall[]> {
  const { manifest } = await readManifest(workspace);
  const tag = releaseTag(config);
  const { GITHUB_SERVER_URL: server, HF_ENDPOINT: endpoint } = standIns.clientEnvironment;
  const redirected: ReleaseConfig = {
    ...config,
    ...(config.github && { github: { ...config.github, server_url: server } }),
    ...(config.huggingface && { huggingface: { ...config.huggingface, endpoint } }),
  };
  const bundle = await readClientBundle(workspace);
  const urlsOf = (name: string): readonly string[] =>
    configuredKinds(config).map((kind) => fileUrl(redirected, kind, tag, name));
  return await installAsUser(
    {
      models: Object.keys(manifest.models),
      manifests: semver.prerelease(config.release) === null ? [] : urlsOf('manifest.json'),
      client: { urls: urlsOf(bundleName), sha256: bundle.sha256 },
      directory: join(directory, 'user'),
    },
    standIns,
    workspace,
  );
}

function standInOf({ standIn }: ChosenFault, { all }: StandIns): StandIn | undefined {
  return standIn === 'any' ? all[0] : all.find(({ name }) => name === standIn);
}

/** Puts in place what faults have on a host before anything begins. */
async function putForeign(faults: readonly ChosenFault[], tagPrefix: string, standIns: StandIns): Promise<void> {
  for (const fault of faults) {
    const host = standInOf(fault, standIns)?.writable;
    if (fault.foreign === undefined || host === undefined) continue;
    await putForeignRelease(host, `${tagPrefix}${fault.foreign.version}`, { 'manifest.json': fault.foreign.manifest });
  }
}

/** Injects the faults of one phase; the answer takes them back and tells how often each has hit. */
function inject(
  faults: readonly ChosenFault[],
  phase: ChosenFault['phase'],
  standIns: StandIns,
): () => RehearsalReport['faults'] {
  const active = faults
    .filter((fault) => fault.phase === phase)
    .map((fault) => {
      const standIn = standInOf(fault, standIns);
      const removals = rulesOf(fault).map((rule) => standIn?.faults.add(rule));
      return { fault, standIn, removals };
    });
  return () =>
    active.map(({ fault: { name, meaning, foreign }, standIn, removals }) => {
      const hits = foreign ? 1 : (standIn?.faults.hits(name) ?? 0);
      for (const remove of removals) remove?.();
      return { name, meaning, hits };
    });
}

/** Collects how long each step took. */
function timeSteps(): {
  readonly steps: RehearsalReport['steps'];
  readonly onEvent: (event: Event) => void;
} {
  const steps: { step: string; seconds: number }[] = [];
  const began = new Map<string, number>();
  return {
    steps,
    onEvent: (event) => {
      if (event.type === 'step-start') began.set(event.step, performance.now());
      if (event.type !== 'step-end') return;
      steps.push({ step: event.step, seconds: secondsSince(began.get(event.step) ?? performance.now()) });
    },
  };
}

function secondsSince(start: number): number {
  return Math.round(performance.now() - start) / 1000;
}
