import { CommanderError } from 'commander';
import { errorDocument, formatError, formatWarning } from '../core/error-text.ts';
import { toAircherError } from '../core/errors.ts';
import type { OnEvent } from '../core/events.ts';
import { exitCodeOf } from '../core/exit-codes.ts';
import { configuredTargets } from '../release/configured-targets.ts';
import type { CommandDependencies } from './dependencies.ts';
import { createProgram } from './program.ts';
import { readEnvironment } from './read-environment.ts';

type ProcessLike = Pick<NodeJS.Process, 'argv' | 'env' | 'stdout' | 'stderr' | 'cwd' | 'once'>;

/** Runs one command line and answers with its exit code. */
export async function runCli(host: ProcessLike): Promise<number> {
  const args = host.argv.slice(2);
  const verbose = args.includes('--verbose');
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) host.once(signal, () => controller.abort());
  try {
    const program = createProgram(dependenciesOf(host, controller.signal));
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
    const error = toAircherError(
      controller.signal.aborted
        ? Object.assign(new Error('Interrupted.', { cause: thrown }), { name: 'AbortError' })
        : thrown,
    );
    host.stderr.write(`${formatError(error, { verbose })}\n`);
    if (args.includes('--json')) host.stdout.write(`${JSON.stringify(errorDocument(error), null, 2)}\n`);
    return exitCodeOf(error);
  }
}

function dependenciesOf(host: ProcessLike, signal: AbortSignal): CommandDependencies {
  return {
    environment: readEnvironment(host.env),
    directory: host.cwd(),
    signal,
    onEvent: ({ quiet }) => printEvents(host, quiet),
    targets: configuredTargets,
    writeOut: (text) => host.stdout.write(text),
    writeError: (text) => host.stderr.write(text),
  };
}

function printEvents(host: ProcessLike, quiet: boolean): OnEvent {
  return (event) => {
    if (event.type === 'warning') host.stderr.write(`${formatWarning(event.problem)}\n`);
    else if (quiet) return;
    else if (event.type === 'notice') host.stderr.write(`${event.message}\n`);
    else if (event.type === 'step-start')
      host.stderr.write(`• ${event.step}${event.detail ? ` (${event.detail})` : ''}\n`);
    else if (event.type === 'done') {
      host.stderr.write(`  ${event.task} ${event.subject}${event.detail ? `: ${event.detail}` : ''}\n`);
    }
  };
}
