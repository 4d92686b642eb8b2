import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, type ErrorCode, type Problem, throwProblems } from '../core/errors.ts';
import type { OnEvent } from '../core/events.ts';
import { printable, printableJson } from '../core/printable.ts';
import type { ReleaseEnvironment, Workspace } from '../release/workspace.ts';
import type { RemoteTuning } from '../targets/remote.ts';
import type { Target } from '../targets/target.ts';
import type { JobReport } from './job-report.ts';

/**
 * For hosts that are asked a question which somebody waits for: without a network the answer comes
 * after about ten seconds.
 */
export const questionPatience: RemoteTuning = { unansweredMs: 4_000, deadlines: { stallMs: 10_000 } };

/** What the commands take from the executable. */
export interface CommandDependencies {
  readonly environment: ReleaseEnvironment;
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Makes the receiver of events for a command: progress and messages on stderr. */
  onEvent(options: { readonly quiet: boolean; readonly verbose: boolean; readonly color: boolean }): OnEvent;
  /**
   * The hosts that release.json names; `tuning` where a command asks them with another patience
   * than usual.
   */
  targets(config: ReleaseConfig, workspace: Workspace, tuning?: RemoteTuning): Promise<readonly Target[]>;
  /** Tells the CI job what came of a command. */
  readonly job: JobReport;
  /** Asks for something that isn't shown; undefined where there is no terminal. */
  readonly askSecret: ((question: string) => Promise<string>) | undefined;
  /** stdout: data. */
  writeOut(text: string): void;
  /** stderr: messages. */
  writeError(text: string): void;
}

/** The options that every command takes. */
interface GlobalOptions {
  readonly config: string;
  readonly out: string;
  readonly model?: readonly string[];
  readonly offline?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
}

/** Where a command works, from its options. */
export function workspaceOf(command: Command, dependencies: CommandDependencies): Workspace {
  const options = command.optsWithGlobals<GlobalOptions>();
  return {
    configFile: options.config,
    out: resolve(dependencies.directory, options.out),
    directory: dependencies.directory,
    environment: dependencies.environment,
    offline: options.offline ?? false,
    models: options.model,
    signal: dependencies.signal,
    onEvent: reportingWarnings(
      dependencies.onEvent({
        quiet: options.quiet ?? false,
        verbose: options.verbose ?? false,
        color: options.color,
      }),
      dependencies.job,
    ),
  };
}

/** Steps that look at the same thing find the same: each warning is told once a command. */
function reportingWarnings(onEvent: OnEvent, job: JobReport): OnEvent {
  const told = new Set<string>();
  return (event) => {
    if (event.type === 'warning') {
      const { file, path, message } = event.problem;
      const key = JSON.stringify([file, path, message]);
      if (told.has(key)) return;
      told.add(key);
      job.warned(event.problem);
    }
    onEvent(event);
  };
}

/**
 * `throwProblems` for a command that has printed its result, which tells of them: with `--json`
 * that stays the one document. `hint`: what to do where a problem is of the fallback's code.
 */
export function endWithProblems(
  fallback: ErrorCode,
  summary: string,
  problems: readonly Problem[],
  hint?: string,
): void {
  try {
    throwProblems(fallback, summary, problems);
  } catch (error) {
    throw error instanceof AircherError ? asReported(error, error.code === fallback ? hint : undefined) : error;
  }
}

/** The same error, of which the command's own document tells. */
export function asReported(error: AircherError, otherwise?: string): AircherError {
  const { code, message, hint = otherwise, problems, details } = error;
  return new AircherError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    problems,
    details: { ...details, reported: true },
    cause: error,
  });
}

/**
 * Prints a command's result: the document as it is with `--json`, else as text, with more of it
 * where `--verbose` asks.
 */
export function printResult(
  command: Command,
  dependencies: CommandDependencies,
  document: unknown,
  text: (detail: { readonly verbose: boolean }) => string,
): void {
  const { json, verbose = false } = command.optsWithGlobals<GlobalOptions>();
  const output = json ? printableJson(document) : printable(text({ verbose }));
  if (output !== '') dependencies.writeOut(output.endsWith('\n') ? output : `${output}\n`);
}
