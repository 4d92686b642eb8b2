import type { RemoteTuning } from '../../src/targets/remote.ts';

/** Milliseconds in place of seconds: for stand-ins that answer at once. */
export const quickTuning: RemoteTuning = {
  attempts: 6,
  baseDelayMs: 4,
  maxDelayMs: 40,
  maxWaitMs: 3000,
  lagMs: 30,
  lookEveryMs: 10,
  publicMs: 2000,
  writeEveryMs: 0,
  unnamedWaitMs: 20,
  deadlines: { connectMs: 3000, stallMs: 600, totalMs: 20_000, minBytesPerSecond: 100_000 },
};
