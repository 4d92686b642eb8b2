import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { benchInstall, formatInstallBench } from './bench/install.ts';
import { benchMemory, formatMemoryBench } from './bench/memory.ts';
import { benchPack, formatPackBench } from './bench/pack.ts';
import { benchPublish, formatPublishBench } from './bench/publish.ts';
import { buildClientPackage } from './build-client-package.ts';

/**
 * `npm run bench [-- --rounds N] [--only pack|install|publish|memory]`: our times beside other
 * tools', in one run on one machine, hashing included. Ratios count; seconds are of this machine on
 * this day.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' }, model: { type: 'string' } },
});
const rounds = Number(values.rounds);
console.log(
  `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}, medians of ${rounds} rounds\n`,
);
const wanted = (part: string): boolean => values.only === undefined || values.only === part;
await buildClientPackage();
if (wanted('pack')) {
  console.log('Packing a model, sha256 included (times as multiples of ours)');
  console.log(formatPackBench(await benchPack({ rounds, ...(values.model ? { model: values.model } : {}) })));
}
if (wanted('install')) console.log(`${formatInstallBench(await benchInstall(rounds))}\n`);
if (wanted('publish')) console.log(`${formatPublishBench(await benchPublish(rounds))}\n`);
if (wanted('memory')) console.log(formatMemoryBench(await benchMemory()));
