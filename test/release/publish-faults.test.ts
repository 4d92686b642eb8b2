import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../src/core/hashing.ts';
import { type FaultCase, faultCases, publishSteps, runFaultCases } from './publish-faults.ts';

/** How many of all cases are run; `all` takes a quarter of an hour. */
const wanted = process.env.AIRCHER_SOAK_FAULTS ?? '12';

test('a fault at any step, once or three times in a row, stops no release; for ever it ends it with a remedy, and the next run completes it', async (t) => {
  const all = faultCases(await publishSteps(t));
  assert.ok(all.length > 300, `${all.length} cases`);
  // Whatever the sample holds: what hits once is survived, and who never gets through says so.
  const certain = (times: FaultCase['times']): FaultCase =>
    all.find((one) => one.fault === 'no connection' && one.times === times)!;
  const some = sample(all, wanted === 'all' ? all.length : Number(wanted));
  const outcomes = await runFaultCases(t, [certain(1), certain('always'), ...some], (line) => t.diagnostic(line));
  assert.equal(outcomes[0]?.exitCode, 0);
  assert.equal(outcomes[1]?.exitCode, 5);
});

/** So many of them, over all steps, faults and repetitions; the same at each run. */
function sample(cases: readonly FaultCase[], count: number): readonly FaultCase[] {
  const order = ({ step, fault, times }: FaultCase): string => sha256(JSON.stringify([step, fault, times]));
  return [...cases].sort((a, b) => (order(a) < order(b) ? -1 : 1)).slice(0, count);
}
