import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { parse } from 'yaml';
import { clientProgram } from '../fetch/world.ts';
import { createPublishScene, type PublishScene, repository } from '../release/publish-scene.ts';
import { asText, type ExpressionScope, evaluateCondition, evaluateField } from './expressions.ts';

const action = fileURLToPath(new URL('../../.github/actions/setup-models/', import.meta.url));

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default: string }>>;
  readonly outputs: Readonly<Record<string, { readonly value: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}
interface Step {
  readonly id?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run?: string;
}

interface ActionRun {
  readonly failed: boolean;
  readonly log: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** What later steps find in their environment. */
  readonly env: string;
  /** What the cache's action was given. */
  readonly cache: Readonly<Record<string, string>> | undefined;
}

/** Runs the action's steps in a directory, as a runner does; the cache's is passed over. */
async function runAction(directory: string, inputs: Readonly<Record<string, string>> = {}): Promise<ActionRun> {
  const { inputs: known, outputs, runs } = parse(await readFile(join(action, 'action.yml'), 'utf8')) as Action;
  assert.equal(runs.using, 'composite');
  const given = Object.fromEntries(Object.entries(known).map(([name, input]) => [name, inputs[name] ?? input.default]));
  const steps: Record<string, { outputs: Record<string, string> }> = {};
  const scope: ExpressionScope = { contexts: { inputs: given, steps }, functions: { success: () => true } };
  const fields = (all: Readonly<Record<string, string>> = {}): Record<string, string> =>
    Object.fromEntries(Object.entries(all).map(([key, value]) => [key, asText(evaluateField(value, scope))]));
  const [environment, output] = [join(directory, '.env'), join(directory, '.output')];
  await writeFile(environment, '');
  let cache: ActionRun['cache'];
  let log = '';
  for (const step of runs.steps) {
    if (!evaluateCondition(step.if, scope)) continue;
    if (step.uses?.startsWith('actions/cache@')) cache = fields(step.with);
    if (step.run === undefined) continue;
    assert.equal(step.shell, 'bash');
    await writeFile(output, '');
    const run = await execa('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run], {
      cwd: directory,
      extendEnv: false,
      env: {
        PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(':'),
        HOME: directory,
        GITHUB_ACTIONS: 'true',
        GITHUB_ACTION_PATH: action,
        GITHUB_OUTPUT: output,
        GITHUB_ENV: environment,
        ...fields(step.env),
      },
      all: true,
      reject: false,
    });
    log += run.all;
    if (run.exitCode !== 0) return { failed: true, log, outputs: {}, env: '', cache };
    const lines = (await readFile(output, 'utf8')).split('\n').filter(Boolean);
    if (step.id !== undefined) {
      steps[step.id] = { outputs: Object.fromEntries(lines.map((line) => line.split(/=(.*)/s) as [string, string])) };
    }
  }
  const values = Object.entries(outputs).map(([name, { value }]) => [name, asText(evaluateField(value, scope))]);
  return { failed: false, log, outputs: Object.fromEntries(values), env: await readFile(environment, 'utf8'), cache };
}

/** A release at GitHub and the Hub, and a project that locks its models. */
async function projectScene(t: TestContext): Promise<{ readonly scene: PublishScene; readonly project: string }> {
  const scene = await createPublishScene(t);
  const { github, hub } = scene;
  await scene.configure({
    github: { repository, server_url: github.url, api_url: github.apiUrl },
    huggingface: { repository, endpoint: hub.url },
    mirror: undefined,
  });
  const released = await scene.start(['release']);
  assert.equal(released.exitCode, 0, released.stderr);
  const project = await mkdtemp(join(tmpdir(), 'aircher-project-'));
  t.after(() => rm(project, { recursive: true, force: true }));
  const source = `github:${github.url}/${repository}#models-v`;
  const locked = await execa(
    process.execPath,
    [clientProgram, 'model', 'lock', 'alpha', 'beta', '--manifest', source],
    {
      cwd: project,
      extendEnv: false,
      env: { AIRCHER_CACHE_DIR: join(project, '.lock-cache') },
    },
  );
  assert.match(locked.stderr, /alpha 1\.0\.0 is locked/);
  scene.clearLogs();
  return { scene, project };
}

const busy = { kind: 'status', status: 429, headers: { 'retry-after': '3600' } } as const;

describe('the action setup-models', { skip: process.platform === 'win32' && 'its steps are run by bash' }, () => {
  it('installs what is locked with the locked client, where every API and the whole Hub answer 429', async (t) => {
    const { scene, project } = await projectScene(t);
    scene.github.faults.add({ match: { origin: ['api', 'uploads'] }, times: 'always', action: busy });
    scene.hub.faults.add({ times: 'always', action: busy });
    const first = await runAction(project);
    assert.equal(first.failed, false, first.log);
    const models = JSON.parse(first.outputs.models ?? '') as { name: string; path: string; outcome: string }[];
    assert.deepEqual(
      models.map(({ name, outcome }) => [name, outcome]),
      [
        ['alpha', 'installed'],
        ['beta', 'installed'],
      ],
    );
    const { namespace } = JSON.parse(await readFile(join(project, 'models.lock'), 'utf8'));
    const place = join(project, '.cache', namespace);
    assert.equal(first.outputs['cache-dir'], place);
    assert.equal(first.outputs.client, join(place, 'aircher.mjs'));
    assert.equal(first.env, `AIRCHER_CACHE_DIR=${place}\n`);
    for (const { path } of models) await readFile(join(path, 'config.json'));
    const asked = scene.requests();
    assert.deepEqual(
      asked.filter(
        ({ origin, path }) => origin === 'api' || path.includes('manifest.json') || path.includes('info/refs'),
      ),
      [],
    );
    // The same lock, the same key; and nobody is asked for what the cache has.
    scene.clearLogs();
    const again = await runAction(project);
    assert.equal(again.failed, false, again.log);
    assert.deepEqual(again.cache, first.cache);
    assert.equal(again.cache?.path, place);
    assert.deepEqual(scene.requests(), []);
    await writeFile(join(project, 'other.lock'), `${await readFile(join(project, 'models.lock'), 'utf8')}\n`);
    const other = await runAction(project, { lock: 'other.lock', cache: 'false', 'cache-dir': 'elsewhere' });
    assert.equal(other.failed, false, other.log);
    assert.equal(other.cache, undefined);
    assert.equal(other.outputs['cache-dir'], join(project, 'elsewhere'));
  });

  it('takes the client from another host where GitHub has another, and refuses one that no host has', async (t) => {
    const { scene, project } = await projectScene(t);
    scene.github.faults.add({ match: { path: /aircher\.mjs/ }, times: 'always', action: { kind: 'html' } });
    const run = await runAction(project);
    assert.equal(run.failed, false, run.log);
    const path = join(project, 'models.lock');
    const lock = JSON.parse(await readFile(path, 'utf8'));
    // A kept one that was changed isn't run.
    await writeFile(run.outputs.client!, 'process.exit(9)');
    assert.equal((await runAction(project)).failed, false);
    const other = { ...lock.client, sha256: '0'.repeat(64) };
    await writeFile(path, JSON.stringify({ ...lock, client: other }));
    const refused = await runAction(project);
    assert.match(refused.log, /aircher\.mjs of models-v1\.0\.0 can't be had:\n.*another sha256.*\n.*another sha256/);
    await writeFile(path, JSON.stringify({ ...lock, client: undefined }));
    assert.match((await runAction(project)).log, /error: models\.lock names no client/);
    await rm(path);
    assert.match((await runAction(project)).log, /error: models\.lock is not there/);
  });
});
