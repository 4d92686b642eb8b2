import { Octokit } from '@octokit/rest';
import { AircherError } from '../../core/errors.ts';
import { isLoopback } from '../../http/allowed-addresses.ts';
import type { StreamedBody } from '../../http/http-client.ts';
import { answerFailure } from '../answer-failure.ts';
import { describeRequest, exchange, type Network, readAnswer } from '../exchange.ts';
import { malformed, RequestFailure } from '../request-failure.ts';

export interface OctokitSettings {
  readonly apiUrl: string;
  readonly serverUrl: string;
  readonly token: string | undefined;
  readonly network: Network;
  readonly signal: AbortSignal | undefined;
}

/** Largest JSON answer: a page of 100 releases with 125,000 characters of text each. */
const maxAnswerBytes = 64 * 1024 * 1024;

const silent = (): void => {};

/**
 * Octokit over our own requests: deadlines, cancellation, no console, the token to GitHub's API
 * alone. Its retry and throttling plugins aren't used: they repeat writes without a look, send
 * stream bodies twice, and wait without heeding the signal.
 */
export function createOctokit(settings: OctokitSettings): Octokit {
  return new Octokit({
    baseUrl: settings.apiUrl,
    ...(settings.token === undefined ? {} : { auth: settings.token }),
    userAgent: 'aircher-models',
    log: { debug: silent, info: silent, warn: silent, error: silent },
    request: { fetch: apiFetch(settings, undefined) },
  });
}

interface FetchInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/**
 * What Octokit calls as `fetch`. Throws RequestFailure for every answer that isn't a success. With
 * `upload`, that is the body.
 */
export function apiFetch(settings: OctokitSettings, upload: StreamedBody | undefined) {
  return async (url: string, init: FetchInit = {}): Promise<Response> => {
    const method = init.method ?? 'GET';
    const what = describeRequest(method, url);
    const headers = { ...init.headers };
    if (!mayHaveToken(url, settings)) delete headers.authorization;
    const body = upload ?? (typeof init.body === 'string' ? init.body : undefined);
    return exchange(
      url,
      {
        method,
        headers,
        body,
        network: settings.network,
        signal: settings.signal,
        expectedBytes: 0,
      },
      async (answer) => {
        const bytes = await readAnswer(answer, maxAnswerBytes);
        if (answer.status < 200 || answer.status >= 300) {
          throw answerFailure(what, answer.status, answer.headers, bytes.toString());
        }
        if (answer.status === 204) return new Response(null, { status: 204, headers: answer.headers });
        // A proxy's page with status 200, or a body that broke off, must not pass for an answer.
        if (!isJson(bytes)) throw malformed(what);
        return new Response(new Uint8Array(bytes), {
          status: answer.status,
          headers: { ...Object.fromEntries(answer.headers), 'content-type': 'application/json; charset=utf-8' },
        });
      },
    );
  };
}

/** Runs a call, and takes our own failure out of Octokit's wrapping. */
export async function unwrapped<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof RequestFailure) throw error;
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof RequestFailure || cause instanceof AircherError) throw cause;
    throw error;
  }
}

/**
 * The API's and the server's own origins, and where releases take uploads: `uploads.` before the
 * server's name, in the place of `api.` where that stands, or another port of this machine. The
 * upload URL comes from an answer, so it is checked.
 */
function mayHaveToken(url: string, settings: Pick<OctokitSettings, 'apiUrl' | 'serverUrl'>): boolean {
  const to = new URL(url);
  const [api, server] = [new URL(settings.apiUrl), new URL(settings.serverUrl)];
  if (to.origin === api.origin || to.origin === server.origin) return true;
  if (isLoopback(to.hostname) && isLoopback(api.hostname)) return true;
  const uploads = [api.host.replace(/^api\./, 'uploads.'), `uploads.${server.host}`];
  return to.protocol === 'https:' && uploads.includes(to.host);
}

function isJson(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
