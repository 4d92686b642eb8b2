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

/** Control characters but line breaks and tabs, and those that turn the direction of writing: what others wrote may hold them. */
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** The text without what steers a terminal instead of being read. */
export function printable(text: string): string {
  return text.replace(steering, '\ufffd');
}

/** One JSON document as lines of text, in which nothing steers a terminal. */
export function jsonLines(value: unknown): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `${JSON.stringify(value, undefined, 2).replace(steering, escaped)}\n`;
}

export function createOutput({ json, quiet, stdout, say }: OutputOptions): Output {
  const print = (line: string): void => {
    if (!json) stdout.write(`${printable(line)}\n`);
  };
  return {
    document: (value) => {
      if (json) stdout.write(jsonLines(value));
    },
    print,
    table: (items, columns) => table(items, columns).forEach(print),
    note: (line) => {
      if (!quiet) say(line);
    },
  };
}
