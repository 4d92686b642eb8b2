import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { builtins } from '../core/builtins.ts';
import { ifThere } from '../core/read-files.ts';
import type { HttpRequest, HttpResponse } from './http-client.ts';

/**
 * A file of a directory that the user named as a source, as a host that knows ranges would send it:
 * so what is read from a disk is judged and checked like everything else.
 */
export async function fileAnswer(url: URL, { headers = {}, signal }: HttpRequest): Promise<HttpResponse> {
  const path = fileURLToPath(url);
  const found = await ifThere(stat(path));
  const size = found?.isFile() ? found.size : undefined;
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
  const start = Number(first ?? 0);
  const end = Math.min(Number(last ?? Number.POSITIVE_INFINITY) + 1, size ?? 0);
  const status = size === undefined ? 404 : first === undefined ? 200 : start < end ? 206 : 416;
  const content =
    start < end ? createReadStream(path, { start, end: end - 1, signal }) : builtins.stream.Readable.from([]);
  const body = Object.assign(content, {
    complete: false,
    headers: {
      'content-length': String(Math.max(0, end - start)),
      ...(status === 206 && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
  });
  body.once('end', () => (body.complete = true));
  // Whoever reads it gets its errors; until then nobody does.
  body.on('error', () => {});
  return {
    status,
    headers: body.headers,
    url: url.href,
    hops: [url.href],
    body,
    local: true,
    through: undefined,
    refusedToken: undefined,
  };
}
