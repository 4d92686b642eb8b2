import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';
import { asText, type ExpressionScope, evaluateCondition, evaluateField } from './expressions.ts';
import { downloadArtifact, uploadArtifact } from './handed-over.ts';

/**
 * Runs a workflow file on this machine: each job in a fresh clone of the repository, its `run:`
 * steps by bash in order with the environment that the file gives them, artifacts handed over by
 * directories. Other actions are passed over by name.
 */
export interface WorkflowOptions {
  /** The git repository that jobs check out. */
  readonly repository: string;
  /** Path of the workflow in it. */
  readonly workflow: string;
  /** Clones and artifacts of this run are made in it. */
  readonly directory: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** Variables of the repository, which are no secrets. */
  readonly vars?: Readonly<Record<string, string>>;
  /** The `github` context beside `token`. */
  readonly github?: Readonly<Record<string, unknown>>;
  /** What every step has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * A run whose successful jobs stay as they are, artifacts included, as with GitHub's "re-run
   * failed jobs".
   */
  readonly rerun?: WorkflowReport;
  /** Asked before and after each step: true ends everything there, as if the machines were lost. */
  readonly stop?: (step: StepMoment) => boolean;
  /** Asked every few milliseconds while a step runs: true kills it and everything else. */
  readonly kill?: (step: StepMoment) => boolean;
  /** Work on a job's directory between its steps. */
  readonly meddle?: (step: StepMoment) => Promise<void>;
}

export interface StepMoment {
  readonly job: string;
  /** Its name, or the action that it uses. */
  readonly step: string;
  readonly when: 'before' | 'during' | 'after';
  /** The job's clone. */
  readonly directory: string;
}

export interface WorkflowReport {
  readonly jobs: Readonly<Record<string, JobReport>>;
  /** `job / step` of everything that ran, in order. */
  readonly steps: readonly string[];
  readonly stopped: boolean;
  /** The directory of the artifacts. */
  readonly artifacts: string;
  /** All that the steps printed. */
  readonly log: string;
  /** All job summaries. */
  readonly summary: string;
}

export interface JobReport {
  readonly result: 'success' | 'failure' | 'skipped';
  readonly outputs: Readonly<Record<string, string>>;
}

interface Step {
  readonly name?: string;
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface Job {
  readonly needs?: string | readonly string[];
  readonly if?: string;
  readonly permissions: Readonly<Record<string, string>>;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly strategy?: { readonly matrix: string };
  readonly steps: readonly Step[];
}

/** What GitHub gives every step of a job that may ask for an identity of the workflow. */
export const identityToken = 'canaryOfTheIdentity';

class Stopped extends Error {}

export async function runWorkflow(options: WorkflowOptions): Promise<WorkflowReport> {
  const file = await execa('git', ['show', `HEAD:${options.workflow}`], { cwd: options.repository });
  const workflow = parse(file.stdout) as { readonly jobs: Readonly<Record<string, Job>> };
  const jobs: Record<string, JobReport> = {};
  const artifacts = options.rerun?.artifacts ?? join(options.directory, 'artifacts');
  const run: Run = { options, artifacts, steps: [], log: [], summaries: [] };
  await mkdir(artifacts, { recursive: true });
  let stopped = false;
  try {
    for (const [id, job] of Object.entries(workflow.jobs)) {
      const before = options.rerun?.jobs[id];
      jobs[id] = before?.result === 'success' ? before : await runJob(id, job, workflow.jobs, jobs, run);
    }
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    stopped = true;
  }
  return { jobs, steps: run.steps, stopped, artifacts, log: run.log.join(''), summary: run.summaries.join('') };
}

interface Run {
  readonly options: WorkflowOptions;
  readonly artifacts: string;
  readonly steps: string[];
  readonly log: string[];
  readonly summaries: string[];
}

async function runJob(
  id: string,
  job: Job,
  all: Readonly<Record<string, Job>>,
  done: Readonly<Record<string, JobReport>>,
  run: Run,
): Promise<JobReport> {
  const needs = needsOf(job);
  const contexts = {
    needs: Object.fromEntries(needs.map((need) => [need, done[need]])),
    inputs: run.options.inputs ?? {},
    secrets: run.options.secrets ?? {},
    vars: run.options.vars ?? {},
    github: { token: 'job-token', ...run.options.github },
    runner: { temp: run.options.directory },
  };
  const functions = {
    // All jobs that it builds on, at any distance: one that was skipped is no success.
    success: () => ancestors(id, all).every((need) => done[need]?.result === 'success'),
    cancelled: () => false,
    fromJSON: (text: unknown) => JSON.parse(String(text)),
  };
  const scope: ExpressionScope = { contexts, functions };
  if (!evaluateCondition(job.if, scope)) return { result: 'skipped', outputs: {} };
  const matrix = job.strategy ? (evaluateField(job.strategy.matrix, scope) as Matrix).include : [undefined];
  if (matrix.length === 0) throw new Error(`the matrix of ${id} is empty`);
  const results: JobReport[] = [];
  for (const [number, entry] of matrix.entries()) {
    const workplace = join(run.options.directory, `${id}-${number + 1}`);
    results.push(
      await runSteps(id, job, workplace, { contexts: { ...contexts, matrix: entry ?? {} }, functions }, run),
    );
  }
  return results.find(({ result }) => result === 'failure') ?? results.at(-1)!;
}

interface Matrix {
  readonly include: readonly Readonly<Record<string, unknown>>[];
}

async function runSteps(id: string, job: Job, workplace: string, outer: ExpressionScope, run: Run): Promise<JobReport> {
  const outputsOfSteps: Record<string, { outputs: Record<string, string> }> = {};
  let failed = false;
  const scope: ExpressionScope = {
    contexts: { ...outer.contexts, steps: outputsOfSteps },
    functions: { ...outer.functions, success: () => !failed, failure: () => failed, always: () => true },
  };
  await mkdir(workplace, { recursive: true });
  for (const step of job.steps) {
    if (!evaluateCondition(step.if, scope)) continue;
    const name = step.name ?? step.uses?.split('@')[0] ?? step.run?.split('\n')[0] ?? '';
    const moment = { job: id, step: name, directory: workplace };
    await meet({ ...moment, when: 'before' }, run.options);
    run.steps.push(`${id} / ${name}`);
    try {
      const outputs = await runStep(step, job.permissions, moment, scope, run);
      if (step.id !== undefined) outputsOfSteps[step.id] = { outputs };
    } catch (error) {
      if (error instanceof Stopped) throw error;
      run.log.push(`${id} / ${name}: ${(error as Error).message}\n`);
      failed = true;
    }
    await meet({ ...moment, when: 'after' }, run.options);
  }
  const outputs = Object.entries(job.outputs ?? {}).map(([key, text]) => [key, asText(evaluateField(text, scope))]);
  return { result: failed ? 'failure' : 'success', outputs: Object.fromEntries(outputs) };
}

async function meet(moment: StepMoment, options: WorkflowOptions): Promise<void> {
  await options.meddle?.(moment);
  if (options.stop?.(moment)) throw new Stopped();
}

/** Runs one step and answers with its outputs. Throws where it fails. */
async function runStep(
  step: Step,
  permissions: Job['permissions'],
  moment: Omit<StepMoment, 'when'>,
  scope: ExpressionScope,
  run: Run,
): Promise<Record<string, string>> {
  const { options, artifacts } = run;
  const fields = (all: Readonly<Record<string, unknown>> = {}): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(all).map(([key, value]) => [key, typeof value === 'string' ? evaluateField(value, scope) : value]),
    );
  const action = step.uses?.split('@')[0];
  if (action === 'actions/checkout') {
    if (permissions.contents === undefined)
      throw new Error('Repository not found: a private one, for a job without rights');
    await execa('git', ['clone', '--quiet', options.repository, moment.directory]);
  } else if (action === 'actions/upload-artifact') {
    await uploadArtifact(fields(step.with), moment.directory, artifacts);
  } else if (action === 'actions/download-artifact') {
    await downloadArtifact(fields(step.with), moment.directory, artifacts);
  } else if (step.run !== undefined) {
    const script = asText(evaluateField(step.run, scope));
    const env = Object.fromEntries(Object.entries(fields(step.env)).map(([key, value]) => [key, asText(value)]));
    if (permissions['id-token'] === 'write') env.ACTIONS_ID_TOKEN_REQUEST_TOKEN = identityToken;
    return await runScript(script, env, moment, run);
  }
  return {};
}

async function runScript(
  script: string,
  env: Readonly<Record<string, string>>,
  moment: Omit<StepMoment, 'when'>,
  run: Run,
): Promise<Record<string, string>> {
  const { options } = run;
  const output = join(options.directory, `output-${run.steps.length}`);
  const summary = join(options.directory, `summary-${run.steps.length}`);
  for (const path of [output, summary]) await writeFile(path, '');
  // The way GitHub runs `shell: bash`.
  const child = spawn('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], {
    cwd: moment.directory,
    env: { ...options.env, GITHUB_ACTIONS: 'true', GITHUB_OUTPUT: output, GITHUB_STEP_SUMMARY: summary, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => run.log.push(String(text)));
  let killed = false;
  const watch = setInterval(() => {
    if (killed || !options.kill?.({ ...moment, when: 'during' })) return;
    killed = true;
    process.kill(-child.pid!, 'SIGKILL');
  }, 1);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearInterval(watch);
  if (killed) throw new Stopped();
  run.summaries.push(await readFile(summary, 'utf8'));
  if (code !== 0) throw new Error(`exit code ${code}`);
  return parseOutputs(await readFile(output, 'utf8'));
}

function parseOutputs(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function needsOf(job: Job | undefined): readonly string[] {
  return [job?.needs ?? []].flat();
}

function ancestors(id: string, all: Readonly<Record<string, Job>>): readonly string[] {
  return needsOf(all[id]).flatMap((need) => [need, ...ancestors(need, all)]);
}
