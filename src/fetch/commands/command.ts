import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import { defaultLockPath } from '../lock/read-lock.ts';
import type { Output } from '../render/output.ts';
import type { ModelReference } from './model-reference.ts';

/** What options do, by how they are written: `--all`, or with a value `--to DIR`. */
export type OptionSpecs = Readonly<Record<string, string>>;
/**
 * What was given for each option, in order, by names without dashes; a flag's text is empty.
 * Undefined where an option isn't there.
 */
export type OptionValues = Readonly<Record<string, readonly string[] | undefined>>;

/** Of the commands that go by the default. */
export const weightsOptions: OptionSpecs = {
  '--weights PATH|FORMAT|all': 'weights by path, by a format that one has, or all; else the default',
};

/** Of the commands that go by what is wanted of the version in use. */
export const otherWeightsOptions: OptionSpecs = {
  '--weights PATH|FORMAT|all': 'these weights, or default, instead of those that are wanted of the version in use',
};

/** Of the commands that have to do with a lock file. */
export const lockOptions: OptionSpecs = { '--lock FILE': `the lock file; default ${defaultLockPath}` };

/** One `aircher model …` command: how it is called, what it says of itself, what it does. */
export interface Command {
  readonly name: string;
  /** Other names, which people know from other tools. */
  readonly aliases?: readonly string[];
  /**
   * The models that it takes: none, one (`NAME`), one or more (`NAME…`), any number (`[NAME…]`);
   * with `@` versions too. Behind ` -- `: what is no operand.
   */
  readonly operands: string;
  readonly summary: string;
  readonly details?: string;
  /** What the command does, by what stands behind its name. */
  readonly examples: Readonly<Record<string, string>>;
  readonly options?: OptionSpecs;
  /** The lock file that the client goes by, where these options name one. */
  lockFile?(options: OptionValues): Promise<string | undefined>;
  /** Answers with the exit code where that isn't 0. */
  run(call: CommandCall): Promise<number | undefined>;
}

export interface CommandCall {
  readonly client: Client;
  /** The operands; with versions only where the command's `operands` has `@`. */
  readonly models: readonly ModelReference[];
  /** Their names. */
  readonly names: readonly string[];
  readonly options: OptionValues;
  /** What stands behind `--`. */
  readonly behind: readonly string[];
  /** The process's variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly output: Output;
  readonly context: RunContext;
  /** Where the client's one file is, if it runs from that. */
  readonly oneFile: () => string | undefined;
}
