import type { RequestBody } from '../../http/http-client.ts';
import { answerFailure } from '../answer-failure.ts';
import { describeRequest, exchange, type HeaderList, type Network, readAnswer } from '../exchange.ts';
import { malformed } from '../request-failure.ts';

export interface HubHttpSettings {
  /** https://huggingface.co, without a final slash. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly network: Network;
  readonly signal: AbortSignal | undefined;
}

/**
 * Largest JSON answer: a page of a thousand tree entries is about 400 KB, 1,000 LFS objects about 2
 * MB.
 */
const maxAnswerBytes = 64 * 1024 * 1024;

export interface HubAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** Requests to the Hub. The token goes to the endpoint's own origin and nowhere else. */
export class HubHttp {
  readonly settings: HubHttpSettings;
  private readonly origin: string;

  constructor(settings: HubHttpSettings) {
    this.settings = settings;
    this.origin = new URL(settings.endpoint).origin;
  }

  /**
   * A request to the API below the endpoint; the answer parsed. Throws RequestFailure for a bad
   * status or what isn't JSON.
   */
  async json(
    method: string,
    path: string,
    body?: { readonly type: string; readonly content: RequestBody },
  ): Promise<unknown> {
    const url = `${this.settings.endpoint}${path}`;
    const headers = {
      accept: body?.type.startsWith('application/vnd.') ? body.type : 'application/json',
      ...(body === undefined ? {} : { 'content-type': body.type }),
    };
    const answer = await this.send(method, url, headers, body?.content);
    return parseJson(answer.bytes, describeRequest(method, url));
  }

  /**
   * Any request; the token goes along if it is to the endpoint and the headers have no credentials
   * of their own. The answer is a success, or RequestFailure is thrown.
   */
  async send(method: string, url: string, headers: HeaderList, body?: RequestBody): Promise<HubAnswer> {
    const { token } = this.settings;
    const all = new Headers(headers);
    const isOurs = token !== undefined && new URL(url).origin === this.origin;
    if (isOurs && !all.has('authorization')) all.set('authorization', `Bearer ${token}`);
    return this.sendSigned(method, url, all, body);
  }

  /**
   * A request to a signed URL, wherever it leads: with the headers given and no token, which
   * storage would refuse.
   */
  async sendSigned(method: string, url: string, headers: HeaderList, body?: RequestBody): Promise<HubAnswer> {
    const { network, signal } = this.settings;
    const all = new Headers(headers);
    if (!all.has('user-agent')) all.set('user-agent', 'aircher-models');
    return exchange(
      url,
      {
        method,
        headers: all,
        body,
        network,
        signal,
      },
      async (answer) => {
        const bytes = await readAnswer(answer, maxAnswerBytes);
        if (answer.status < 200 || answer.status >= 300) {
          throw answerFailure(describeRequest(method, url), answer.status, answer.headers, bytes.toString());
        }
        // A portal's or proxy's page with status 200 must not pass for something done. Some servers
        // label an empty answer so.
        const isPage = /^text\/html\b/i.test(answer.headers.get('content-type') ?? '') && bytes.length > 0;
        if (isPage) throw malformed(describeRequest(method, url));
        return { status: answer.status, headers: answer.headers, bytes };
      },
    );
  }

  /** What the Hub package calls as `fetch`: the same requests, failures and deadlines. */
  readonly fetch: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const method = init?.method ?? 'GET';
    const body = init?.body;
    const answer = await this.send(
      method,
      url,
      new Headers(init?.headers),
      typeof body === 'string' ? body : undefined,
    );
    const isEmpty = [204, 205].includes(answer.status);
    // A proxy's page with status 200, or a body that broke off, must not pass for a list.
    if (method === 'GET') parseJson(answer.bytes, describeRequest(method, url));
    return new Response(isEmpty ? null : new Uint8Array(answer.bytes), {
      status: answer.status,
      headers: answer.headers,
    });
  };
}

function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw malformed(what, error);
  }
}
