/** One exchange as a stand-in saw it. It never holds a token or a signature. */
export interface LogEntry {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly origin: string;
  readonly method: string;
  /** Path and query; values of secret parameters are replaced by `…`. */
  readonly path: string;
  /** Whether the request carried an Authorization header. */
  readonly authorization: boolean;
  readonly range: string | undefined;
  /** Kinds of the faults that hit it. */
  readonly faults: readonly string[];
  /** 0 until it is answered, and for ever where it never was. */
  status: number;
  /** Bytes of the bodies that really moved. */
  bytesIn: number;
  bytesOut: number;
  /** Milliseconds from the request's head to the end of the exchange. */
  durationMs: number | undefined;
  /** The stand-in's own failure, where it answered 500 for that reason. */
  error: string | undefined;
}

export interface RequestLog {
  readonly entries: readonly LogEntry[];
  /** Takes the entry when the request begins; the server goes on filling in its results. */
  add(entry: LogEntry): void;
  clear(): void;
}

const secretParameters = /([?&](?:sig|signature|token|access_token|x-amz-signature|jwt)=)[^&]*/gi;

export function createRequestLog(): RequestLog {
  const entries: LogEntry[] = [];
  return {
    entries,
    add: (entry) => {
      entries.push(entry);
    },
    clear: () => {
      entries.length = 0;
    },
  };
}

/** The path without the values of secret query parameters. */
export function withoutSecrets(path: string): string {
  return path.replace(secretParameters, '$1…');
}
