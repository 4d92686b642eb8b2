import { CommanderError } from 'commander';
import { errorDocument, formatError } from '../core/error-text.ts';
import { AircherError, toAircherError } from '../core/errors.ts';
import { exitCodeOf, exitCodes } from '../core/exit-codes.ts';
import { printableJson, printableMessage } from '../core/printable.ts';
import { configuredTargets } from '../release/configured-targets.ts';
import { secretPrompt } from './ask-secret.ts';
import type { CommandDependencies } from './dependencies.ts';
import { createJobReport } from './job-report.ts';
import { createProgram } from './program.ts';
import { readEnvironment, readJob, readSecrets } from './read-environment.ts';
import { clientSecrets, maskedStream, secretMask } from './secret-mask.ts';
import { type ShownEvents, showEvents } from './show-events.ts';

type ProcessLike = Pick<NodeJS.Process, 'argv' | 'env' | 'stdin' | 'stdout' | 'stderr' | 'cwd' | 'once'>;

/**
 * Runs one command line and answers with its exit code. `targets` are the real ones, where nothing
 * else is given.
 */
export async function runCli(
  host: ProcessLike,
  targets: CommandDependencies['targets'] = configuredTargets,
): Promise<number> {
  const args = host.argv.slice(2);
  if (args[0] === 'model') return await runClientCommand(host, args.slice(1));
  const verbose = args.includes('--verbose');
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) host.once(signal, () => controller.abort());
  const mask = secretMask(readSecrets(host.env), clientSecrets(host.env, args));
  const stdout = maskedStream(host.stdout, mask);
  const stderr = maskedStream(host.stderr, mask);
  const job = createJobReport(readJob(host.env), { directory: host.cwd(), write: stderr.write, mask });
  let shown: ShownEvents | undefined;
  try {
    const program = createProgram({
      environment: readEnvironment(host.env),
      directory: host.cwd(),
      signal: controller.signal,
      onEvent: (options) => {
        shown = showEvents(stderr, options);
        return shown.onEvent;
      },
      targets,
      job,
      askSecret: secretPrompt(host),
      writeOut: (text) => {
        shown?.end();
        stdout.write(text);
      },
      writeError: stderr.write,
    });
    await program.parseAsync(args, { from: 'user' });
    await job.ended();
    return 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0;
      if (args.includes('--json')) stdout.write(printableJson(errorDocument(wrongUsage(thrown))));
      return exitCodes.usage;
    }
    shown?.end();
    const error = controller.signal.aborted ? interrupted(thrown) : toAircherError(thrown);
    for (const message of formatError(error, { verbose })) stderr.write(`${printableMessage(message)}\n`);
    // A command that has printed its document says so: stdout carries one.
    if (args.includes('--json') && error.details.reported !== true) stdout.write(printableJson(errorDocument(error)));
    // The error is told; that the job's files can't be written must not hide it.
    await job.ended(error).catch(() => undefined);
    return exitCodeOf(error);
  }
}

/** Whatever an abort has made fail: it was the user who ended it. */
function interrupted(thrown: unknown): AircherError {
  if (thrown instanceof AircherError && thrown.code === 'interrupted') return thrown;
  return new AircherError('interrupted', 'Interrupted.', { cause: thrown });
}

/** What commander has printed for people already. */
function wrongUsage({ code, message }: CommanderError): AircherError {
  return new AircherError(
    'usage',
    code === 'commander.help' ? 'no command is named' : message.replace(/^error: /, ''),
    {
      hint: 'See --help.',
    },
  );
}

/** `aircher-models model …` is the client's own command line. */
async function runClientCommand(host: ProcessLike, args: readonly string[]): Promise<number> {
  const { runModelCommand } = await import('../fetch/command-line.ts');
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) host.once(signal, () => controller.abort());
  return await runModelCommand(args, {
    env: host.env,
    stdout: host.stdout,
    stderr: host.stderr,
    signal: controller.signal,
    program: 'aircher-models model',
  });
}
