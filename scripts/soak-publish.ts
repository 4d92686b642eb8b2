import { parseArgs } from 'node:util';
import { killPublish } from '../test/release/publish-kills.ts';
import { measurePublish } from '../test/release/publish-measured.ts';

/**
 * `node scripts/soak-publish.ts [--kills 100] [--sizes 1.6,3]`: publishes against the stand-ins,
 * killed at random requests, then publishes models of so many gigabytes and measures peak memory
 * and bytes on the wire. Prints what it measured; exits with 1 where a bound is broken.
 */
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '100' }, sizes: { type: 'string', default: '1.6,3' } },
});
const say = (line: string): void => console.log(line);

if (Number(values.kills) > 0) {
  say(`Killing publish ${values.kills} times`);
  const report = await killPublish(undefined, { kills: Number(values.kills), say });
  say(JSON.stringify(report, null, 2));
}
for (const size of values.sizes.split(',').map(Number).filter(Boolean)) {
  say(`Publishing a model of ${size} GB`);
  const report = await measurePublish({ bytes: size * 1e9, say });
  say(JSON.stringify(report, null, 2));
  if (report.peakMegabytes > 250 || Math.abs(report.wireRatio - 1) > 0.01) process.exitCode = 1;
}
