/** Bytes `start` to `end` (exclusive) of a file; they are streamed. */
export interface FileSlice {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

export type ReplyBody = string | Uint8Array | FileSlice;

/**
 * What a handler answers. Content-Length follows from the body. For HEAD the body is left out when
 * it is sent.
 */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body?: ReplyBody;
}

/** Thrown by a handler, or anything it calls, to answer at once. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(`refused with ${reply.status}`);
    this.reply = reply;
  }
}

export function jsonReply(status: number, value: unknown, headers: Reply['headers'] = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  };
}

export function textReply(status: number, text: string, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: text };
}

/** 200 and no body, which some servers label as a page all the same. */
export const noContent: Reply = { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } };

export function redirectReply(location: string, status = 302, headers: Reply['headers'] = {}): Reply {
  return { status, headers: { location, 'content-type': 'text/html; charset=utf-8', ...headers }, body: '' };
}

export function bodyLength(body: ReplyBody | undefined): number {
  if (body === undefined) return 0;
  if (typeof body === 'string') return Buffer.byteLength(body);
  return 'file' in body ? body.end - body.start : body.length;
}
