import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { HostKind } from '../contract/fields.ts';
import type { RunContext } from '../core/events.ts';
import type { ProxyOptions } from './proxies.ts';
import type { Credential } from './tokens.ts';

/**
 * How the client reaches the network. Every value is given by the executable or the library's
 * caller; nothing is read from the environment.
 */
export interface HttpOptions extends ProxyOptions {
  /** Sent to the Hub's endpoint only (HF_TOKEN). */
  readonly huggingFaceToken?: string | undefined;
  /** Sent to GitHub's API only (GITHUB_TOKEN). */
  readonly githubToken?: string | undefined;
  /** HF_ENDPOINT: replaces the host of every URL of kind `huggingface`. */
  readonly huggingFaceEndpoint?: string | undefined;
  /** GITHUB_SERVER_URL: replaces the host of every URL of kind `github`. */
  readonly githubServerUrl?: string | undefined;
  /** GITHUB_API_URL; by default the API that belongs to the server's URL. */
  readonly githubApiUrl?: string | undefined;
  /** Allows `http:` to other hosts than this machine. */
  readonly allowInsecure?: boolean | undefined;
  /** Certificates (PEM) trusted besides the built-in ones. */
  readonly extraCertificates?: string | undefined;
  /** Bytes a second, over all connections together. */
  readonly limitRate?: number | undefined;
  /**
   * Connections at once to all hosts together while files are transferred; default 16, and never
   * more than 8 to one host.
   */
  readonly connections?: number | undefined;
  /** Until a connection stands; default 15,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** From there to the answer's headers; default `connectTimeoutMs`. */
  readonly answerTimeoutMs?: number | undefined;
  /**
   * The same for archives, which a proxy may read to the end first, in search of viruses; default
   * 120,000.
   */
  readonly archiveTimeoutMs?: number | undefined;
  /** Longest silence inside a body; default 20,000. */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * Longest wait that a `Retry-After` can ask for; a longer one is a failure of that host. Default
   * 120,000.
   */
  readonly maxRetryAfterMs?: number | undefined;
  /** First wait after a failure, doubled each time; default 500. */
  readonly retryDelayMs?: number | undefined;
  /**
   * For a document of no bytes; each 10 KB that it may have allow a second more. Default 60,000.
   */
  readonly documentTimeoutMs?: number | undefined;
  readonly userAgent?: string | undefined;
}

/** A body that is read piece by piece while it is sent, and afresh each time. */
export interface StreamedBody {
  readonly sizeBytes: number;
  /** What this throws, the request throws as it is. */
  open(): AsyncIterable<Uint8Array>;
  /** Bytes sent so far of this request. */
  onSent?(bytes: number): void;
}

export type RequestBody = string | Uint8Array | StreamedBody;

/** `onEvent` is told of a token that is refused. */
export interface HttpRequest extends RunContext {
  /** Default: GET. GET and HEAD are reads, everything else is a write. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /**
   * `manual`: a redirect is an answer. A write follows only one that keeps its method (307, 308),
   * and no streamed one.
   */
  readonly redirect?: 'follow' | 'manual' | undefined;
  /** Instead of `HttpOptions.connectTimeoutMs`. */
  readonly connectTimeoutMs?: number | undefined;
  /** Instead of `HttpOptions.answerTimeoutMs`; where a body is streamed, from its last piece on. */
  readonly answerTimeoutMs?: number | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The address that answered, after redirects. */
  readonly url: string;
  /** Every address that was asked, in order; the last is `url`. */
  readonly hops: readonly string[];
  /** Must be read to its end or destroyed. */
  readonly body: Readable & Pick<IncomingMessage, 'complete' | 'headers'>;
  /** It came from this machine. */
  readonly local: boolean;
  /** The proxy that the answer may be of, as words for messages: that of plain http. */
  readonly through: string | undefined;
  /** The token that the host refuses by this status; without it, it gives no better answer. */
  readonly refusedToken: Credential | undefined;
}

export interface DocumentRequest extends RunContext {
  /** Bytes more than this end the request. */
  readonly maxBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * That of an earlier answer: where it is still the same, the status is 304, and there are no
   * bytes.
   */
  readonly etag?: string | undefined;
  /** Attempts in all; default 3. */
  readonly attempts?: number;
  /** For all attempts together; by default what `documentTimeoutMs` and `maxBytes` give. */
  readonly timeoutMs?: number | undefined;
}

export interface HttpDocument {
  /** 200, or 304 where an `etag` was given. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The address that answered, after redirects. */
  readonly url: string;
  readonly bytes: Buffer;
  /** It came from this machine: what it names may be on this machine, too. */
  readonly local: boolean;
}

/**
 * One streaming HTTP(S) client. It follows redirects itself, and keeps connections for the next
 * request.
 */
export interface Http {
  /** Deadlines and limits with their defaults filled in. */
  readonly settings: HttpSettings;
  /**
   * One request and its redirects; any status is an answer. Throws AircherError `remote` where
   * there is none, with `details.reason` (see `remote-error.ts`), `interrupted` when aborted.
   */
  request(url: string, request?: HttpRequest): Promise<HttpResponse>;
  /**
   * A small document in memory, with retries and an overall deadline; an asset of a private
   * repository by GitHub's API. Throws `remote`, `conflict` (401, 403), `invalid` (too big).
   */
  document(url: string, request: DocumentRequest): Promise<HttpDocument>;
  /**
   * The same client, for addresses that a document names: they lead to this machine only where the
   * document came from it, or where the user configured that host. Events go to `context`, where a
   * request has none of its own.
   */
  namedBy(document: { readonly local: boolean }, context?: Pick<RunContext, 'onEvent'>): Http;
  /**
   * The URL with the host replaced that its kind is configured to have. Without a kind: by the
   * well-known hosts.
   */
  place(url: string, kind?: HostKind): string;
  /**
   * Counts body bytes against the rate limit; the wait in milliseconds before more should be read
   * (0: none).
   */
  pace(bytes: number): number;
  /** Which token, if any, goes with a request to this URL: for `doctor`. Never the token itself. */
  tokenFor(url: string): string | undefined;
  /** The proxy that a request to this URL takes, without its password. */
  proxyFor(url: string): string | undefined;
  /** Base of GitHub's API, without a final slash. */
  readonly githubApiUrl: string;
  /** Base of GitHub's server, without a final slash. */
  readonly githubServerUrl: string;
  readonly hasGithubToken: boolean;
  /** Ends idle connections, so that the process can end. */
  close(): void;
}

export interface HttpSettings {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly archiveTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly maxRetryAfterMs: number;
  readonly retryDelayMs: number;
  readonly documentTimeoutMs: number;
  /** Bytes a second that a document must come with on the whole. */
  readonly slowestRate: number;
}
