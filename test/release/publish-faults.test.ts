import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../src/core/hashing.ts';
import { type FaultCase, faultCases, publishSteps, runFaultCases } from './publish-faults.ts';

/** How many of all cases are run; `all` takes a quarter of an hour. */
const wanted = process.env.AIRCHER_SOAK_FAULTS ?? '12';

test('a fault at any step, once or three times in a row, stops no release; for ever it ends it with a remedy, and the next run completes it', async (t) => {
  const all = faultCases(await publishSteps(t));
  assert.ok(all.length > 300, `${all.length} cases`);
  const outcomes = await runFaultCases(t, sample(all, wanted === 'all' ? all.length : Number(wanted)), (line) =>
    t.diagnostic(line),
  );
  assert.ok(outcomes.some(({ exitCode }) => exitCode === 0) && outcomes.some(({ exitCode }) => exitCode !== 0));
});

/** So many of them, over all steps, faults and repetitions; the same at each run. */
function sample(cases: readonly FaultCase[], count: number): readonly FaultCase[] {
  const order = ({ step, fault, times }: FaultCase): string => sha256(JSON.stringify([step, fault, times]));
  return [...cases].sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, count);
}
