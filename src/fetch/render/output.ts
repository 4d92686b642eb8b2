import { printableJson, printableMessage } from '../../core/printable.ts';
import { type Columns, table } from './table.ts';

export type { Columns };

/** A stream of text that may be a terminal. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where a command's words go: data to stdout, everything else to stderr. */
export interface Output {
  /** The one document of --json; nothing without it. */
  document(value: unknown): void;
  /** The text of a document that is the same with --json and without. */
  raw(text: string): void;
  /** A line of data. Nothing with --json. */
  print(line: string): void;
  /** Lines of data under a heading. Nothing with --json. */
  table<T>(items: readonly T[], columns: Columns<T>): void;
  /** A line for people; not with --quiet. */
  note(line: string): void;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly stdout: TextStream;
  /** Writes a line to stderr, around whatever progress stands there. */
  readonly say: (line: string) => void;
}

export function createOutput({ json, quiet, stdout, say }: OutputOptions): Output {
  const print = (line: string): void => {
    if (!json) stdout.write(`${printableMessage(line)}\n`);
  };
  return {
    document: (value) => {
      if (json) stdout.write(printableJson(value));
    },
    raw: (text) => void stdout.write(text),
    print,
    table: (items, columns) => table(items, columns).forEach(print),
    note: (line) => {
      if (!quiet) say(line);
    },
  };
}
