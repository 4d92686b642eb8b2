import { runCli } from '../../src/cli/run-cli.ts';
import { configuredTargets } from '../../src/release/configured-targets.ts';
import { rehearsalTuning } from '../../src/release/rehearse/stand-ins.ts';

/**
 * `aircher-models` as it is, without the pauses between requests that real hosts ask for: the
 * stand-ins need none.
 */
process.exitCode = await runCli(process, (config, workspace) => configuredTargets(config, workspace, rehearsalTuning));
