/** A stream of text that may be a terminal. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** Where a command's words go: data to stdout, everything else to stderr. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** A line of data. Nothing with --json, where the one document is all. */
  print(line: string): void;
  /** The one document of --json. */
  printJson(value: unknown): void;
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
  return {
    json,
    quiet,
    print: (line) => {
      if (!json) stdout.write(`${line}\n`);
    },
    printJson: (value) => {
      stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
    },
    note: (line) => {
      if (!quiet) say(line);
    },
  };
}
