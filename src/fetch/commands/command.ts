import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import type { Output } from '../render/output.ts';
import type { ModelReference } from './model-reference.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** What stands for the value in the help: `N`, `DIR`. */
  readonly value?: string;
  readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;
/** What was given for each option, in order; a flag's text is empty. Undefined where an option isn't there. */
export type OptionValues = Readonly<Record<string, readonly string[] | undefined>>;

/** One `aircher model …` command: how it is called, what it says of itself, what it does. */
export interface Command {
  readonly name: string;
  /** Behind the name in the first line of its help: `NAME[@VERSION]…`. */
  readonly operands: string;
  /** How many models it takes. */
  readonly count: readonly [min: number, max: number];
  readonly summary: string;
  readonly details?: string;
  /** Command lines without the program's name, and what they do. */
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  readonly options?: OptionSpecs;
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
  readonly output: Output;
  readonly context: RunContext;
}
