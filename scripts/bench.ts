import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchInstall, formatInstallBench } from './bench/install.ts';
import { benchPack, formatPackBench } from './bench/pack.ts';

/**
 * `npm run bench [-- --rounds N] [--only pack|install]`: our times beside other tools', in one run on one machine, hashing
 * included. Ratios count; seconds are of this machine on this day.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' }, model: { type: 'string' } },
});
const rounds = Number(values.rounds);
console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}, medians of ${rounds} rounds\n`,
);
if (values.only !== 'install') {
  console.log('Packing a model, sha256 included (times as multiples of ours)');
  console.log(formatPackBench(await benchPack({ rounds, ...(values.model ? { model: values.model } : {}) })));
}
if (values.only !== 'pack') console.log(formatInstallBench(await benchInstall(rounds)));
