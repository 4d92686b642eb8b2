import { createHash } from 'node:crypto';
import type { Exchange } from './http.ts';
import { bodyLength, type Reply, type ReplyBody, textReply } from './reply.ts';

export interface Content {
  readonly body: ReplyBody;
  /** With its quotes. */
  readonly etag?: string | undefined;
  readonly lastModified?: Date | undefined;
  readonly headers?: Reply['headers'];
  /**
   * Several ranges in one request: 501, as GitHub's hosts answer, or the whole content with 200.
   */
  readonly manyRanges?: 'not-implemented' | 'whole';
}

/**
 * Answers GET and HEAD for some content: conditional requests and single ranges as RFC 9110 has
 * them.
 */
export function serveContent({ headers: asked }: Exchange, content: Content): Reply {
  const { body, etag, lastModified } = content;
  const size = bodyLength(body);
  const headers = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
    'last-modified': lastModified?.toUTCString(),
    ...content.headers,
  };
  if (isNotModified(asked, etag, lastModified)) return { status: 304, headers };
  const ranges = isRangeMeant(asked, etag, lastModified) ? parseRanges(asked.range, size) : undefined;
  if (ranges === undefined || (ranges.length > 1 && content.manyRanges === 'whole'))
    return { status: 200, headers, body };
  if (ranges.length > 1) return textReply(501, 'Not Implemented: several ranges in one request');
  const [range] = ranges;
  if (range === undefined) {
    return { ...textReply(416, 'Requested Range Not Satisfiable'), headers: { 'content-range': `bytes */${size}` } };
  }
  const contentRange = `bytes ${range.start}-${range.end - 1}/${size}`;
  return { status: 206, headers: { ...headers, 'content-range': contentRange }, body: sliceOf(body, range) };
}

/** A strong ETag of some bytes. */
export function etagOf(bytes: Uint8Array | string): string {
  return `"${createHash('sha256').update(bytes).digest('hex').slice(0, 40)}"`;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * The satisfiable ranges asked for; undefined where there is no (well-formed) Range, which then
 * counts as absent.
 */
function parseRanges(header: string | undefined, size: number): readonly Range[] | undefined {
  const list = header === undefined ? undefined : /^bytes=(.+)$/i.exec(header.trim())?.[1];
  if (list === undefined) return undefined;
  const ranges: Range[] = [];
  for (const part of list.split(',')) {
    const [, first = '', last = ''] = /^\s*(\d*)-(\d*)\s*$/.exec(part) ?? [];
    if (first === '' && last === '') return undefined;
    if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
    const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
    if (start < end) ranges.push({ start, end });
  }
  return ranges;
}

function sliceOf(body: ReplyBody, { start, end }: Range): ReplyBody {
  if (typeof body === 'string') return Buffer.from(body).subarray(start, end);
  return 'file' in body
    ? { file: body.file, start: body.start + start, end: body.start + end }
    : body.subarray(start, end);
}

function isNotModified(asked: Exchange['headers'], etag: string | undefined, lastModified: Date | undefined): boolean {
  const tags = asked['if-none-match'];
  if (tags !== undefined) {
    const weak = (tag: string): string => tag.trim().replace(/^W\//, '');
    return tags.trim() === '*' || (etag !== undefined && tags.split(',').map(weak).includes(weak(etag)));
  }
  const since = Date.parse(asked['if-modified-since'] ?? '');
  return lastModified !== undefined && Math.floor(lastModified.getTime() / 1000) * 1000 <= since;
}

/** Whether If-Range, where there is one, still names this content. */
function isRangeMeant(asked: Exchange['headers'], etag: string | undefined, lastModified: Date | undefined): boolean {
  const condition = asked['if-range']?.toString();
  if (condition === undefined) return true;
  if (condition.startsWith('"')) return condition === etag;
  return lastModified !== undefined && condition === lastModified.toUTCString();
}
