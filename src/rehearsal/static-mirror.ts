import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { readFully } from '../core/read-files.ts';
import { serveContent } from './content.ts';
import { createFaults, type Faults } from './faults.ts';
import { type Exchange, startOrigin } from './http.ts';
import type { Limits } from './pacing.ts';
import { type Reply, type ReplyBody, textReply } from './reply.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';

export interface StaticMirrorOptions {
  /** Served as it is at each request, so that a publisher may go on writing into it. */
  readonly directory: string;
  readonly faults?: Faults;
  readonly limits?: Limits;
  readonly log?: RequestLog;
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly host?: string;
  readonly port?: number;
  /** Path under which the directory is served, such as `/aircher`. */
  readonly prefix?: string;
}

export interface StaticMirror {
  /** Base URL of the directory, without a final slash. */
  readonly url: string;
  readonly faults: Faults;
  readonly log: RequestLog;
  close(): Promise<void>;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.md': 'text/markdown; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.gz': 'application/gzip',
  '.zst': 'application/zstd',
};

/**
 * A plain static file server: ranges, ETag, conditional requests; GET and HEAD only, no listings,
 * nothing outside the directory.
 */
export async function startStaticMirror(options: StaticMirrorOptions): Promise<StaticMirror> {
  const { directory, prefix = '' } = options;
  const faults = options.faults ?? createFaults();
  const log = options.log ?? createRequestLog();
  const origin = await startOrigin({
    ...options,
    name: 'mirror',
    faults,
    log,
    handler: (exchange) => serveFile(exchange, directory, prefix),
  });
  return { url: `${origin.url}${prefix}`, faults, log, close: origin.close };
}

async function serveFile(exchange: Exchange, directory: string, prefix: string): Promise<Reply> {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
    return textReply(405, 'Method Not Allowed', { allow: 'GET, HEAD' });
  }
  const notFound = textReply(404, 'Not Found');
  const { pathname } = exchange.url;
  if (!pathname.startsWith(`${prefix}/`)) return notFound;
  const segments = decodePath(pathname.slice(prefix.length + 1));
  if (segments === undefined) return notFound;
  const path = join(directory, ...segments);
  const opened = await openFile(path);
  if (opened === undefined) return notFound;
  const { found, body } = opened;
  return serveContent(exchange, {
    body,
    etag: `"${found.size.toString(16)}-${Math.round(found.mtimeMs).toString(16)}"`,
    lastModified: found.mtime,
    headers: { 'content-type': contentTypes[extname(path)] ?? 'application/octet-stream' },
    manyRanges: 'whole',
  });
}

/**
 * Files up to this size may be replaced at any moment: they are read at once, so that size and
 * bytes are of one file.
 */
const wholeBytes = 1024 * 1024;

async function openFile(path: string): Promise<{ readonly found: Stats; readonly body: ReplyBody } | undefined> {
  // A named pipe would otherwise keep this waiting for whoever writes to it.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    if (!found.isFile()) return undefined;
    if (found.size > wholeBytes) return { found, body: { file: path, start: 0, end: found.size } };
    return { found, body: await readFully(handle, found.size, 0) };
  } finally {
    await handle.close();
  }
}

/** Path segments below the directory; undefined where one of them could lead out of it. */
function decodePath(path: string): readonly string[] | undefined {
  try {
    const segments = path.split('/').map(decodeURIComponent);
    const bad = segments.some(
      (part) =>
        part === '' || part === '.' || part === '..' || part.includes('/') || part.includes(sep) || part.includes('\0'),
    );
    return bad ? undefined : segments;
  } catch {
    return undefined;
  }
}
