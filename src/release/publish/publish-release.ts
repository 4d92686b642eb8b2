import { join } from 'node:path';
import type { DownloadUrls, HostKind } from '../../contract/fields.ts';
import { AircherError, type Problem, systemErrorCode, throwProblems, toAircherError } from '../../core/errors.ts';
import { type RunContext, warn } from '../../core/events.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { ReleaseFile, Target, TargetRelease } from '../../targets/target.ts';
import { releasePages } from '../addresses.ts';
import { installCommands } from '../documents/install-commands.ts';
import { signatureProblems } from '../documents/signature-check.ts';
import { readManifest, type WrittenManifest } from '../documents/write-manifest.ts';
import { type LoadedConfig, publishedCopy } from '../load-config.ts';
import { carriedFiles, carriedProblems } from '../plan/carried-files.ts';
import { keyContinuityProblems } from '../plan/key-continuity.ts';
import type { Plan } from '../plan/plan-record.ts';
import { findBase } from '../published/find-base.ts';
import { resumable } from '../resumable.ts';
import type { Workspace } from '../workspace.ts';
import { outputProblems } from './output-check.ts';
import { targetRelease } from './target-release.ts';

export interface PublishOptions {
  /** Says what would be sent where, and sends nothing. */
  readonly dryRun?: boolean;
  /**
   * Publishes although no key that the last release announced has signed: clients need a new bundle
   * then.
   */
  readonly breakTrust?: boolean;
  /** Uploads to this target only; goes public only when all are whole. */
  readonly only?: HostKind;
  /** `false`: writes no copy to `manifests/published/`, as a rehearsal mustn't. */
  readonly keepCopy?: boolean;
}

export interface PublishReport {
  readonly tag: string;
  readonly state: 'public' | 'waiting' | 'dry-run';
  /** What was (or would be) sent, by target. */
  readonly sent: readonly {
    readonly target: HostKind;
    readonly place: string;
    readonly files: readonly string[];
    readonly bytes: number;
  }[];
  /** Targets that aren't whole yet, where the state is `waiting`. */
  readonly waiting_for: readonly HostKind[];
  /** Where people look at the release, by target, once it is public. */
  readonly public_urls: DownloadUrls;
  /** What users type to install a model of it (`installCommands`). */
  readonly install: readonly string[];
}

interface Destination {
  readonly target: Target;
  readonly release: TargetRelease;
}

/**
 * Publishes what is in the output directory: preflight, uploads where no client looks, going
 * public, pointers last. Safe to repeat after any interruption; does nothing for a finished
 * release.
 */
export async function publishRelease(
  loaded: LoadedConfig,
  plan: Plan,
  targets: readonly Target[],
  workspace: Workspace,
  options: PublishOptions = {},
): Promise<PublishReport> {
  const written = await readManifest(workspace);
  const destinations: Destination[] = [];
  for (const target of targets) {
    destinations.push({
      target,
      release: await targetRelease(loaded.config, plan, written, target, targets, workspace),
    });
  }
  await preflight(loaded, plan, written, destinations, workspace, options);

  const chosen = destinations.filter(({ target }) => options.only === undefined || target.kind === options.only);
  const sent = await sideBySide(chosen, workspace, async ({ target, release }) => {
    const missing = await target.missing(release, workspace);
    if (!options.dryRun) await upload(target, release, missing, workspace).catch(endEarly);
    return {
      target: target.kind,
      place: target.place,
      files: missing.map((file) => file.name),
      bytes: bytesOf(missing),
    };
  });
  const report = (state: PublishReport['state'], waiting_for: readonly HostKind[] = []): PublishReport => ({
    tag: plan.tag,
    state,
    sent,
    waiting_for,
    public_urls: releasePages(loaded.config, plan.tag),
    install: installCommands(loaded.config, plan),
  });
  if (options.dryRun) return report('dry-run');

  const waitingFor: HostKind[] = [];
  for (const { target, release } of destinations) {
    if (chosen.some((destination) => destination.target === target)) continue;
    if ((await target.missing(release, workspace)).length > 0) waitingFor.push(target.kind);
  }
  if (waitingFor.length > 0) return report('waiting', waitingFor);

  workspace.signal?.throwIfAborted();
  await goPublic(destinations, workspace).catch(endEarly);
  if (options.keepCopy ?? true) await keepCopy(plan, written, workspace);
  return report('public');
}

/**
 * The hosts at once, each at its own speed. Where one fails, the others go on to their end, for
 * what has arrived isn't sent again; the failure is told at once, and thrown then.
 */
async function sideBySide<T>(
  destinations: readonly Destination[],
  workspace: Workspace,
  work: (destination: Destination) => Promise<T>,
): Promise<readonly T[]> {
  const alone = destinations.length === 1;
  const outcomes = await Promise.allSettled(
    destinations.map(async (destination) => {
      try {
        return await work(destination);
      } catch (error) {
        const { code, message } = toAircherError(error);
        if (!alone && code !== 'interrupted') {
          warn(workspace, { message: `${message}; the other hosts get the rest of their files before this ends` });
        }
        throw error;
      }
    }),
  );
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}

function endEarly(error: unknown): never {
  throw resumable(error);
}

async function upload(
  target: Target,
  release: TargetRelease,
  missing: readonly ReleaseFile[],
  workspace: Workspace,
): Promise<void> {
  const step = `upload to ${target.kind}`;
  workspace.onEvent?.({ type: 'step-start', step, detail: target.place });
  await target.upload(release, totalling(target.kind, missing, workspace));
  workspace.onEvent?.({
    type: 'step-end',
    step,
    ...(missing.length === 0 ? { skipped: `${target.place} has everything` } : {}),
  });
}

/**
 * The same events, and after each that tells of a missing file's bytes how far the host has got in
 * all.
 */
function totalling(host: HostKind, missing: readonly ReleaseFile[], workspace: Workspace): RunContext {
  const { signal, onEvent } = workspace;
  if (onEvent === undefined) return workspace;
  const sizes = new Map(missing.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const arrived = new Map<string, number>();
  const total = bytesOf(missing);
  let done = 0;
  const tell = (): void => onEvent({ type: 'upload-progress', host, files: missing.length, done, total });
  tell();
  return {
    signal,
    onEvent: (event) => {
      onEvent(event);
      if ((event.type !== 'progress' && event.type !== 'done') || event.task !== 'upload') return;
      const size = sizes.get(event.subject);
      if (size === undefined) return;
      const now = event.type === 'done' ? size : event.done;
      done += now - (arrived.get(event.subject) ?? 0);
      arrived.set(event.subject, now);
      tell();
    },
  };
}

/**
 * Everything that is whole everywhere becomes public; what clients read to find the newest release
 * moves last. On GitHub that is the tag, which appears with the release: so GitHub goes public when
 * the addresses on all other hosts answer.
 */
async function goPublic(destinations: readonly Destination[], workspace: Workspace): Promise<void> {
  const order: readonly HostKind[] = ['mirror', 'huggingface', 'github'];
  const ordered = [...destinations].sort((a, b) => order.indexOf(a.target.kind) - order.indexOf(b.target.kind));
  for (const { target, release } of ordered) await target.makePublic(release, workspace);
  for (const { target, release } of ordered) await target.movePointers(release, workspace);
}

/** Read-only; finds every problem before the first byte is sent. */
async function preflight(
  loaded: LoadedConfig,
  plan: Plan,
  written: WrittenManifest,
  destinations: readonly Destination[],
  workspace: Workspace,
  options: PublishOptions,
): Promise<void> {
  const problems: Problem[] = [
    ...triggerProblems(plan, workspace),
    ...(await baseProblems(
      loaded,
      plan,
      destinations.map((destination) => destination.target),
      workspace,
    )),
    ...(await outputProblems(loaded, plan, written, workspace)),
    ...(await signatureProblems(loaded.config, written, workspace)),
    ...(options.breakTrust ? [] : await keyContinuityProblems(plan, written, workspace)),
  ];
  const carried = plan.models.flatMap(({ name, entry }) => (entry === null ? [] : [{ name, entry }]));
  const targets = destinations.map((destination) => destination.target);
  problems.push(...(await carriedProblems(carried, carriedFiles(loaded.config, targets, workspace))));
  for (const { target, release } of destinations) problems.push(...(await target.preflight(release, workspace)));
  for (const problem of problems) if (problem.level === 'warning') warn(workspace, problem);
  throwProblems('conflict', `${plan.tag} can't be published`, problems);
}

function triggerProblems(plan: Plan, workspace: Workspace): readonly Problem[] {
  const { githubRefName, githubRefType } = workspace.environment;
  if (githubRefType !== 'tag' || githubRefName === undefined || githubRefName === plan.tag) return [];
  return [
    {
      level: 'error',
      file: workspace.configFile,
      path: '$.release',
      code: 'invalid',
      message: `the job was started by the tag ${githubRefName}, but release.json makes ${plan.tag}`,
      hint: 'Write the version of the tag in release.json, or push the tag that fits.',
    },
  ];
}

/** The release that the plan builds on must still be the last one. */
async function baseProblems(
  loaded: LoadedConfig,
  plan: Plan,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const base = await findBase(loaded.config, targets, { ...workspace, offline: false }, plan.refill);
  const found = base.release;
  if (base.problems.length > 0) return base.problems.map((problem) => ({ code: 'conflict' as const, ...problem }));
  if (found?.sha256 === plan.base?.sha256) return [];
  return [
    {
      level: 'error',
      code: 'conflict',
      message: `the plan was made after ${plan.base?.tag ?? 'no release'}, but the last published release is ${found?.tag ?? 'none'} now`,
      hint: 'Run `aircher-models release` again: it plans anew on the last release.',
    },
  ];
}

/**
 * Keeps a copy for work offline. The hosts are the truth, so that it can't be written is no
 * failure.
 */
async function keepCopy(plan: Plan, written: WrittenManifest, workspace: Workspace): Promise<void> {
  const path = publishedCopy(workspace, plan.tag);
  try {
    await writeFileAtomically(path, written.bytes);
    const signature = await readFileIfThere(join(workspace.out, 'manifest.json.minisig'));
    if (signature !== undefined) await writeFileAtomically(`${path}.minisig`, signature);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    warn(workspace, { file: path, message: `the copy of the manifest was not written: ${(error as Error).message}` });
  }
}

function bytesOf(files: readonly ReleaseFile[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

/** The target of a kind. Throws `usage` where release.json doesn't name one. */
export function requireTarget(targets: readonly Target[], kind: string): Target {
  const target = targets.find((candidate) => candidate.kind === kind);
  if (target) return target;
  throw new AircherError('usage', `--target ${kind}: release.json names no such target`, {
    hint: `Configured: ${targets.map((candidate) => candidate.kind).join(', ')}.`,
  });
}
