import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configuredTargets } from '../../src/release/configured-targets.ts';
import { runRelease } from '../../src/release/pipeline.ts';
import { requirePlan } from '../../src/release/plan/plan-record.ts';
import { publishRelease } from '../../src/release/publish/publish-release.ts';
import { modelConfig } from '../fixtures/release-workspace.ts';
import { createPublishScene } from './publish-scene.ts';
import { quickTuning } from './quick-tuning.ts';

const most = Number(process.env.AIRCHER_SOAK_MODELS ?? 24);
/** A hundredth of a real minute: GitHub's limits count in these, and so does the pace. */
const minuteMs = 600;

interface Cost {
  readonly models: number;
  readonly seconds: number;
  readonly requests: number;
  readonly commits: number;
  readonly files: number;
  readonly refused: readonly string[];
}

test(`${most} models in one release stay under the hosts' limits, take as few commits as the Hub advises, and cost requests in proportion`, async (t) => {
  const few = await publishMany(Math.ceil(most / 4));
  const many = await publishMany(most);
  t.diagnostic(JSON.stringify([few, many]));
  for (const cost of [few, many]) {
    assert.deepEqual(cost.refused, []);
    assert.ok(cost.commits <= Math.ceil(cost.files / 99) + 1, `${cost.commits} commits for ${cost.files} files`);
  }
  const growth = many.requests / few.requests;
  assert.ok(growth < (many.models / few.models) * 1.1, `${growth} times the requests`);

  async function publishMany(models: number): Promise<Cost> {
    const scene = await createPublishScene(t, { github: { rateLimits: { minuteMs } }, hub: { rateLimits: {} } });
    const names = Array.from({ length: models }, (_, number) => `model-${number}`);
    for (const [seed, name] of names.entries()) {
      await scene.workspace.writeModel(name, { seed: seed + 1, layers: 1, hidden: 8, vocabulary: 8, positions: 16 });
    }
    await scene.configure({ models: Object.fromEntries(names.map((name) => [name, modelConfig(name)])) });
    const { loaded, workspace } = await scene.inside();
    const targets = await configuredTargets(loaded.config, workspace, {
      ...quickTuning,
      writeEveryMs: minuteMs / 60,
      deadlines: { stallMs: 60_000 },
    });
    await runRelease(loaded, targets, workspace, { dryRun: true });
    scene.clearLogs();
    const started = performance.now();
    const { sent, state } = await publishRelease(loaded, await requirePlan(loaded, workspace), targets, workspace);
    const seconds = (performance.now() - started) / 1000;
    assert.equal(state, 'public');
    const requests = scene.requests();
    const cost = {
      models,
      seconds,
      requests: requests.length,
      commits: requests.filter(({ method, path }) => method === 'POST' && /\/commit\/publish-/.test(path)).length,
      files: sent.find(({ target }) => target === 'huggingface')?.files.length ?? 0,
      refused: requests
        .filter(({ status }) => status === 403 || status === 429 || status >= 500)
        .map(({ status, method, path }) => `${status} ${method} ${path}`),
    };
    await scene.close();
    return cost;
  }
});
