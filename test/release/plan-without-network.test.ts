import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { runCli } from '../../src/cli/run-cli.ts';
import type { Event } from '../../src/core/events.ts';
import { configuredTargets } from '../../src/release/configured-targets.ts';
import type { RemoteTuning } from '../../src/targets/remote.ts';
import { createPublishScene } from './publish-scene.ts';
import { quickTuning } from './quick-tuning.ts';

/** A port on which nobody answers. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function unreachable(t: TestContext) {
  const scene = await createPublishScene(t);
  const url = `http://127.0.0.1:${await closedPort()}`;
  return { scene, env: { GITHUB_API_URL: url, GITHUB_SERVER_URL: url, HF_ENDPOINT: url } };
}

describe('plan without a network', () => {
  it('says whom it asks, names --offline, and nothing of what is kept: exit 5', async (t) => {
    const { scene, env } = await unreachable(t);
    const run = await scene.start(['plan'], env);
    assert.equal(run.exitCode, 5, String(run.stderr));
    assert.match(String(run.stderr), /Asking what is published: .*\/acme\/models, .*\/acme\/models\n/);
    assert.match(String(run.stderr), /hint: .*--offline/);
    assert.doesNotMatch(String(run.stderr), /kept/);
  });

  it('of a host that answers, --offline is no remedy', async (t) => {
    const { scene } = await unreachable(t);
    scene.github.faults.add({ times: 'always', action: { kind: 'status', status: 404 } });
    const run = await scene.start(['plan']);
    assert.equal(run.exitCode, 5, String(run.stderr));
    assert.match(String(run.stderr), /hint: Check the repository's name/);
    assert.doesNotMatch(String(run.stderr), /--offline/);
  });

  it('with --offline asks nobody', async (t) => {
    const { scene, env } = await unreachable(t);
    const run = await scene.start(['plan', '--offline'], env);
    assert.equal(run.exitCode, 0, String(run.stderr));
    assert.doesNotMatch(String(run.stderr), /Asking/);
  });

  it('only plan is told to give up early on a host that gives no answer', async (t) => {
    const { scene } = await unreachable(t);
    const asked = async (command: readonly string[]): Promise<RemoteTuning | undefined> => {
      let found: RemoteTuning | undefined;
      const silent = { write: () => true, isTTY: false } as unknown as typeof process.stdout & typeof process.stderr;
      const host = {
        ...{ argv: ['node', 'aircher-models', ...command], env: scene.env, cwd: () => scene.workspace.directory },
        ...{ stdin: process.stdin, stdout: silent, stderr: silent, once: () => process },
      };
      await runCli(host, (config, workspace, tuning) => {
        found = tuning;
        return configuredTargets(config, workspace, quickTuning);
      });
      return found;
    };
    const { unansweredMs = 0, deadlines } = (await asked(['plan'])) ?? {};
    // One more attempt may begin just before; it ends after `stallMs` at the latest.
    assert.ok(unansweredMs > 0 && unansweredMs <= 10_000 && (deadlines?.stallMs ?? 0) <= 10_000);
    assert.equal(await asked(['status']), undefined);
    assert.equal(await asked(['release', '--dry-run']), undefined);
  });

  it('a host that answers with errors is asked as often as ever; one that gives no answer is not', async (t) => {
    const { scene, env } = await unreachable(t);
    const attempts = async (more: Partial<typeof env>): Promise<number> => {
      const events: Event[] = [];
      const { loaded, workspace } = await scene.inside((event) => events.push(event));
      const environment = {
        ...workspace.environment,
        ...(more.GITHUB_API_URL && { githubApiUrl: more.GITHUB_API_URL }),
      };
      const tuning = { ...quickTuning, unansweredMs: 0 };
      const [github] = await configuredTargets(loaded.config, { ...workspace, environment }, tuning);
      await assert.rejects(github!.published({ onEvent: (event) => events.push(event) }), { code: 'remote' });
      return events.filter(({ type }) => type === 'retry').length;
    };
    assert.equal(await attempts(env), 0);
    scene.github.faults.add({ times: 'always', action: { kind: 'status', status: 503 } });
    assert.equal(await attempts({}), (quickTuning.attempts ?? 0) - 1);
  });
});
