import type { RunContext } from '../../core/events.ts';
import type { Client } from '../client.ts';
import type { Output } from '../render/output.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** What stands for the value in the help: `N`, `DIR`. */
  readonly value?: string;
  readonly help: string;
  readonly multiple?: boolean;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;
export type OptionValues = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** One `aircher model …` command: how it is called, what it says of itself, what it does. */
export interface Command {
  readonly name: string;
  /** Behind the name in the first line of its help: `NAME[@VERSION]…`. */
  readonly operands: string;
  /** How many operands it takes. */
  readonly count: readonly [min: number, max: number];
  readonly summary: string;
  readonly details?: string;
  /** Command lines without the program's name, and what they do. */
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  readonly options?: OptionSpecs;
  /** Answers with the exit code. */
  run(call: CommandCall): Promise<number>;
}

export interface CommandCall {
  readonly client: Client;
  readonly operands: readonly string[];
  readonly options: OptionValues;
  readonly output: Output;
  readonly context: RunContext;
}
