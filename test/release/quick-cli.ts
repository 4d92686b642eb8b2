import { runCli } from '../../src/cli/run-cli.ts';
import { configuredTargets } from '../../src/release/configured-targets.ts';
import { quickTuning } from './quick-tuning.ts';

/**
 * aircher-models as it is, but for its patience: waits take milliseconds where they take seconds.
 * AIRCHER_TEST_PATIENCE=real leaves it.
 */
const tuning = process.env.AIRCHER_TEST_PATIENCE === 'real' ? {} : quickTuning;
process.exitCode = await runCli(process, (config, workspace) => configuredTargets(config, workspace, tuning));
