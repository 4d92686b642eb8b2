import { test } from 'node:test';
import { killPublish } from './publish-kills.ts';

const kills = Number(process.env.AIRCHER_SOAK_KILLS ?? 4);

test(`killed ${kills} times at random requests and packed again after every third, publish ends in one whole release, sends nothing whole again, and no default source ever names less`, async (t) => {
  const report = await killPublish(t, { kills });
  t.diagnostic(JSON.stringify(report));
});
