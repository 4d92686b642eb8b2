import { isObject } from '../../contract/json-values.ts';
import { sha256Pattern } from '../../core/hashing.ts';
import { HubError } from './hub-error.ts';

/**
 * A commit request, line by line, as `POST api/models/…/commit/<branch>` takes it
 * (application/x-ndjson).
 */
export type CommitLine =
  | { readonly kind: 'header'; readonly summary: string; readonly description: string; readonly parentCommit?: string }
  | { readonly kind: 'file'; readonly path: string; readonly content: Buffer }
  | { readonly kind: 'lfsFile'; readonly path: string; readonly oid: string; readonly size?: number }
  | { readonly kind: 'rename'; readonly path: string; readonly oldPath: string }
  | { readonly kind: 'deletedFile' | 'deletedFolder'; readonly path: string };

/** A line holds at most one ordinary file (10 MiB, in base64). */
const longestLine = 16 << 20;

/** Reads the lines as they arrive. HubError 400 for what isn't such a request. */
export async function* readCommitLines(body: AsyncIterable<Buffer>): AsyncGenerator<CommitLine> {
  let first = true;
  for await (const line of splitLines(body)) {
    const parsed = parseLine(line);
    if (first !== (parsed.kind === 'header'))
      throw new HubError(400, 'the first line, and no other, must be the header');
    first = false;
    yield parsed;
  }
  if (first) throw new HubError(400, 'the commit has no header');
}

async function* splitLines(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    let from = 0;
    for (let end = piece.indexOf(10); end !== -1; end = piece.indexOf(10, from)) {
      yield Buffer.concat([...held, piece.subarray(from, end)]).toString('utf8');
      held = [];
      length = 0;
      from = end + 1;
    }
    held.push(piece.subarray(from));
    length += piece.length - from;
    if (length > longestLine) throw new HubError(413, 'Payload Too Large: a line of the commit is over the limit');
  }
  const last = Buffer.concat(held).toString('utf8');
  if (last !== '') yield last;
}

function parseLine(line: string): CommitLine {
  let whole: unknown;
  try {
    whole = JSON.parse(line);
  } catch {
    throw new HubError(400, 'a line of the commit is no JSON');
  }
  const { key, value } = isObject(whole) ? whole : {};
  if (!isObject(value)) throw new HubError(400, 'a line of the commit has no value');
  if (key === 'header') {
    const { parentCommit } = value;
    if (typeof value.summary !== 'string' || value.summary === '') throw new HubError(400, 'the commit has no summary');
    return {
      kind: 'header',
      summary: value.summary,
      description: typeof value.description === 'string' ? value.description : '',
      ...(typeof parentCommit === 'string' && { parentCommit }),
    };
  }
  const path = checkedPath(value.path);
  if (key === 'deletedFile') return { kind: key, path };
  if (key === 'deletedFolder') return { kind: key, path };
  if (key !== 'file' && key !== 'lfsFile') throw new HubError(400, `unknown operation "${String(key)}"`);
  if (value.oldPath !== undefined) return { kind: 'rename', path, oldPath: checkedPath(value.oldPath) };
  return key === 'file' ? parseFile(path, value) : parseLfsFile(path, value);
}

function parseFile(path: string, value: Readonly<Record<string, unknown>>): CommitLine {
  const { content, encoding = 'utf-8' } = value;
  if (typeof content !== 'string') throw new HubError(400, `"${path}" has no content`);
  if (encoding !== 'base64' && encoding !== 'utf-8') throw new HubError(400, `"${path}" has an unknown encoding`);
  return { kind: 'file', path, content: Buffer.from(content, encoding) };
}

function parseLfsFile(path: string, value: Readonly<Record<string, unknown>>): CommitLine {
  const { oid, size, algo = 'sha256' } = value;
  if (algo !== 'sha256' || typeof oid !== 'string' || !sha256Pattern.test(oid)) {
    throw new HubError(400, `"${path}" needs a sha256 as its oid`);
  }
  return { kind: 'lfsFile', path, oid, ...(typeof size === 'number' && { size }) };
}

/** A path of the repository; a folder's final `/` is dropped. */
function checkedPath(value: unknown): string {
  const path = typeof value === 'string' ? value.replace(/\/$/, '') : '';
  const parts = path.split('/');
  const isBad = (part: string): boolean => ['', '.', '..'].includes(part) || part.toLowerCase() === '.git';
  if (parts.some(isBad) || path.includes('\0') || Buffer.byteLength(path) > 4096) {
    throw new HubError(400, `"${path}" is no path a repository can hold`);
  }
  return path;
}
