import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { parseManifest } from '../../src/contract/manifest.ts';
import { AircherError } from '../../src/core/errors.ts';
import { exitCodeOf } from '../../src/core/exit-codes.ts';
import { createHttp } from '../../src/http/create-http.ts';
import type { FaultAction, FaultRule } from '../../src/rehearsal/faults.ts';
import type { LogEntry } from '../../src/rehearsal/request-log.ts';
import { runRelease } from '../../src/release/pipeline.ts';
import { requirePlan } from '../../src/release/plan/plan-record.ts';
import { type PublishReport, publishRelease } from '../../src/release/publish/publish-release.ts';
import { verifyRelease } from '../../src/release/verify/verify-release.ts';
import { createPublishScene, modelsAt, type PublishScene, repository } from './publish-scene.ts';
import { brokenAddresses } from './release-observer.ts';

/** One kind of request of a publication: its method, origin, and path without numbers. */
export interface Step {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
}

export interface FaultCase {
  readonly step: Step;
  readonly fault: string;
  readonly action: FaultAction;
  readonly times: 1 | 3 | 'always';
}

export interface FaultOutcome {
  readonly hits: number;
  /** Exit code of the run under the fault. */
  readonly exitCode: number;
  readonly milliseconds: number;
}

/** Every kind of request that publishing a second release makes. */
export async function publishSteps(t: TestContext | undefined): Promise<readonly Step[]> {
  const scene = await startedScene(t);
  try {
    await prepare(scene, '1.1.0');
    scene.clearLogs();
    await publish(scene);
    const steps = new Map<string, Step>();
    for (const entry of scene.requests()) {
      const step = stepOf(entry);
      steps.set(`${step.method} ${step.origin} ${step.path}`, step);
    }
    return [...steps.values()];
  } finally {
    if (t === undefined) await scene.close();
  }
}

/**
 * All cases: each fault that means something for a step, once, three times in a row, and for ever.
 */
export function faultCases(steps: readonly Step[]): readonly FaultCase[] {
  const cases: FaultCase[] = [];
  for (const step of steps) {
    for (const [fault, action] of Object.entries(faultsOf(step))) {
      for (const times of [1, 3, 'always'] as const) cases.push({ step, fault, action, times });
    }
  }
  return cases;
}

function faultsOf({ method, origin }: Step): Readonly<Record<string, FaultAction>> {
  const writes = method !== 'GET' && method !== 'HEAD';
  return {
    '500': { kind: 'status', status: 500 },
    '503': { kind: 'status', status: 503, headers: { 'retry-after': '0' } },
    '429': { kind: 'status', status: 429, headers: { 'retry-after': '0' } },
    'no answer': { kind: 'lost-response' },
    'no connection': { kind: 'reset', of: 'request' },
    'stalled answer': { kind: 'stall' },
    'a page of HTML': { kind: 'html' },
    ...(method === 'HEAD' ? {} : { 'an answer cut short': { kind: 'truncate', atByte: 5 } }),
    ...(writes
      ? {
          'done, answered 500': { kind: 'status', status: 500, after: true },
          'cut in the request': { kind: 'reset', of: 'request', atByte: 50 },
        }
      : {}),
    ...(origin === 'uploads' ? { 'a broken asset': { kind: 'starter' } } : {}),
    ...(origin === 'uploads' || method === 'PUT'
      ? { 'a damaged byte': { kind: 'flip', of: 'request', atByte: 9 } }
      : {}),
    ...(origin === 'api' && method === 'GET' ? { 'a list that lags': { kind: 'lag', ms: 80 } } : {}),
  };
}

/**
 * Runs cases one after another, each with a release of its own. Once and three times in a row a
 * fault must not stop the release; for ever it may, with exit code 5 or 6 (4 where bytes arrive
 * damaged) and a remedy, in bounded time, without a pointer to something that isn't whole; and the
 * next good run completes it.
 */
export async function runFaultCases(
  t: TestContext | undefined,
  cases: readonly FaultCase[],
  say: (line: string) => void = () => {},
): Promise<readonly FaultOutcome[]> {
  const outcomes: FaultOutcome[] = [];
  const failures: string[] = [];
  const perScene = 30;
  let scene: PublishScene | undefined;
  let number = 0;
  const renew = async (): Promise<PublishScene> => {
    await scene?.close();
    number = 0;
    return startedScene(t);
  };
  for (const faultCase of cases) {
    scene = scene === undefined || number >= perScene ? await renew() : scene;
    number++;
    try {
      const outcome = await runCase(scene, faultCase, `1.${number}.0`);
      say(`${nameOf(faultCase)}: exit ${outcome.exitCode}, ${outcome.hits} hits, ${outcome.milliseconds} ms`);
      outcomes.push(outcome);
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      say(`FAILED: ${failures.at(-1)}`);
      scene = await renew();
    }
  }
  await scene?.close();
  assert.deepEqual(failures, []);
  return outcomes;
}

function nameOf({ step, fault, times }: FaultCase): string {
  return `${step.method} ${step.origin} ${step.path}: ${fault}, ${times === 'always' ? times : `${times}×`}`;
}

async function runCase(scene: PublishScene, faultCase: FaultCase, release: string): Promise<FaultOutcome> {
  const { step, fault, action, times } = faultCase;
  const name = nameOf(faultCase);
  await prepare(scene, release);
  const before = await pointers(scene);
  const rule: FaultRule = {
    name,
    match: { method: step.method, origin: step.origin, path: patternOf(step) },
    times,
    action,
  };
  for (const host of [scene.github, scene.hub, scene.mirror]) host.faults.add(rule);
  const started = performance.now();
  const failure = await publish(scene).then(
    () => undefined,
    (error: unknown) => error,
  );
  const milliseconds = Math.round(performance.now() - started);
  const hits = scene.github.faults.hits(name) + scene.hub.faults.hits(name) + scene.mirror.faults.hits(name);
  scene.clearFaults();

  assert.ok(milliseconds < 60_000, `${name}: took ${milliseconds} ms`);
  if (failure !== undefined) {
    assert.ok(failure instanceof AircherError, `${name}: ${String(failure)}`);
    assert.equal(times, 'always', `${name}: ${failure.message}`);
    const allowed = fault === 'a damaged byte' ? [4, 5, 6] : [5, 6];
    assert.ok(allowed.includes(exitCodeOf(failure)), `${name}: exit ${exitCodeOf(failure)}: ${failure.message}`);
    assert.ok(remedyOf(failure), `${name}: no remedy: ${failure.message}`);
    await requireGoodPointers(scene, before, `models-v${release}`, name);
    await publish(scene);
  }
  const { loaded, targets, workspace } = await scene.inside();
  const report = await verifyRelease(loaded.config, `models-v${release}`, targets, workspace);
  assert.deepEqual(report.problems, [], name);
  const after = await pointers(scene);
  for (const [place, tag] of Object.entries(after)) assert.equal(tag, `models-v${release}`, `${name}: ${place}`);
  const releases = scene.github.repository(repository).releases;
  assert.equal(releases.filter(({ tag_name: tag }) => tag === `models-v${release}`).length, 1, `${name}: releases`);
  return { hits, exitCode: failure === undefined ? 0 : exitCodeOf(failure), milliseconds };
}

/** A preflight that finds several problems has a remedy for each. */
function remedyOf(error: AircherError): boolean {
  if (error.hint !== undefined && error.hint !== '') return true;
  return error.problems.length > 0 && error.problems.every((problem) => problem.hint !== undefined);
}

async function startedScene(t: TestContext | undefined): Promise<PublishScene> {
  const scene = await createPublishScene(t);
  const { loaded, workspace, targets } = await scene.inside();
  await runRelease(loaded, targets, workspace);
  return scene;
}

async function prepare(scene: PublishScene, release: string): Promise<void> {
  await scene.workspace.writeModel('beta', { seed: 100 + Number(release.split('.')[1]), hidden: 16 });
  await scene.configure({ release, models: modelsAt(release) });
  await rm(scene.workspace.path('release'), { recursive: true, force: true });
  const { loaded, workspace, targets } = await scene.inside();
  await runRelease(loaded, targets, workspace, { dryRun: true });
}

/** As a process would: with targets that know nothing of an earlier run. */
async function publish(scene: PublishScene): Promise<PublishReport> {
  const { loaded, workspace, targets } = await scene.inside();
  return publishRelease(loaded, await requirePlan(loaded, workspace), targets, workspace);
}

/** The release that each default source names, read behind the back of what serves it. */
async function pointers(scene: PublishScene): Promise<Readonly<Record<string, string | undefined>>> {
  const main = await fetch(`${scene.hub.url}/${repository}/resolve/main/manifest.json`);
  const [newest] = scene.github
    .repository(repository)
    .releases.filter((release) => !release.draft)
    .sort((a, b) => b.id - a.id);
  const root = await readFile(scene.workspace.path('mirror/manifest.json'));
  return {
    "the Hub's main": parseManifest(Buffer.from(await main.arrayBuffer()), 'main').release,
    "GitHub's newest release": newest?.tag_name,
    "the mirror's root": parseManifest(root, 'root').release,
  };
}

/** A pointer may have moved only where the release is whole on every host. */
async function requireGoodPointers(
  scene: PublishScene,
  before: Readonly<Record<string, string | undefined>>,
  tag: string,
  name: string,
): Promise<void> {
  const now = await pointers(scene);
  const moved = Object.entries(now).filter(([place, found]) => found !== before[place]);
  if (moved.length === 0) return;
  for (const [place, found] of moved) assert.equal(found, tag, `${name}: ${place}`);
  const manifest = parseManifest(await readFile(scene.workspace.path('release/manifest.json')), 'manifest.json');
  const http = createHttp({ githubServerUrl: scene.github.url, huggingFaceEndpoint: scene.hub.url });
  try {
    assert.deepEqual(await brokenAddresses(manifest, http, moved.map(([place]) => place).join()), [], name);
  } finally {
    http.close();
  }
}

export function stepOf({ method, origin, path }: Pick<LogEntry, 'method' | 'origin' | 'path'>): Step {
  const plain = path
    .replace(/\?.*$/, '')
    .replace(/[0-9a-f]{40,64}/g, 'HEX')
    .replace(/\d+/g, 'N')
    .replace(/(\/(resolve|releases\/download)\/).*$/, '$1…')
    .replace(/^(\/signed|\/assets)\/.*$/, '$1/…');
  return { method, origin, path: plain };
}

function patternOf({ path }: Step): RegExp {
  const source = path
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('HEX', '[0-9a-f]{40,64}')
    .replaceAll('N', '\\d+')
    .replaceAll('…', '.*');
  return new RegExp(`^${source}(\\?|$)`);
}
