import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, gunzip } from 'node:zlib';
import { type Exchange, readBytes } from '../http.ts';
import type { Reply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, hiddenFrom, openForRead, type RepositoryParams } from './access.ts';
import { decodeCommit, decodeTree, type ObjectId, type ObjectType, targetOfTag } from './git-objects.ts';
import { HubError } from './hub-error.ts';
import type { IsHidden } from './refs.ts';
import type { Repository } from './repositories.ts';

const deflateAsync = promisify(deflate);
const gunzipAsync = promisify(gunzip);

/**
 * What `git ls-remote` and `git clone` need: git's smart HTTP protocol, version 0, reading only
 * (git, Documentation/gitprotocol-http). A fetch is always answered with everything reachable;
 * pushes are refused.
 */
export function gitRoutes(context: HubContext): readonly Route[] {
  const open = (exchange: Exchange, params: RepositoryParams): Repository =>
    openForRead(context, exchange, params, 'content').repository;
  return [
    route('GET /:owner/:name/info/refs', (exchange, params) => {
      if (exchange.url.searchParams.get('service') !== 'git-upload-pack') {
        throw new HubError(403, 'this stand-in takes commits through its API only');
      }
      return gitReply('advertisement', advertise(open(exchange, params), hiddenFrom(exchange)));
    }),
    route('POST /:owner/:name/git-upload-pack', async (exchange, params) => {
      const repository = open(exchange, params);
      const sent = await readBytes(exchange);
      const request = exchange.headers['content-encoding'] === 'gzip' ? await gunzipAsync(sent) : sent;
      return gitReply('result', await answerFetch(repository, request.toString('latin1')));
    }),
  ];
}

function gitReply(kind: 'advertisement' | 'result', body: Buffer): Reply {
  const headers = { 'content-type': `application/x-git-upload-pack-${kind}`, 'cache-control': 'no-cache' };
  return { status: 200, headers, body };
}

function advertise(repository: Repository, isHidden: IsHidden): Buffer {
  const refs = repository.refs.list(isHidden);
  const main = refs.find(({ name }) => name === 'refs/heads/main');
  const lines = [
    ...(main === undefined ? [] : [`${main.oid} HEAD`]),
    ...refs.flatMap(({ name, oid, commit }) => [`${oid} ${name}`, ...(oid === commit ? [] : [`${commit} ${name}^{}`])]),
  ];
  const capabilities = 'symref=HEAD:refs/heads/main agent=git/hub-stand-in';
  return Buffer.concat([
    packetLine('# service=git-upload-pack\n'),
    flush,
    ...lines.map((line, index) => packetLine(index === 0 ? `${line}\0${capabilities}\n` : `${line}\n`)),
    flush,
  ]);
}

async function answerFetch(repository: Repository, request: string): Promise<Buffer> {
  const wants = [...request.matchAll(/want ([0-9a-f]{40})/g)].map(([, oid]) => oid ?? '');
  const offered = new Set(repository.refs.list().map(({ oid }) => oid));
  const stranger = wants.find((oid) => !offered.has(oid));
  if (stranger !== undefined) return packetLine(`ERR upload-pack: not our ref ${stranger}`);
  // Without multi_ack, "no common commit so far" is always a right answer until the client is done.
  if (!/0009done\n?$/.test(request)) return packetLine('NAK\n');
  return Buffer.concat([packetLine('NAK\n'), await packOf(repository, wants)]);
}

const flush = Buffer.from('0000');

function packetLine(text: string): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, '0')), body]);
}

const packTypes: Readonly<Record<ObjectType, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

/** A pack (git, Documentation/gitformat-pack) of all that can be reached, without deltas. */
async function packOf(repository: Repository, wants: readonly ObjectId[]): Promise<Buffer> {
  const seen = new Set<ObjectId>();
  const pieces: Buffer[] = [];
  const open = [...wants];
  for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
    if (seen.has(oid)) continue;
    seen.add(oid);
    const { type, body } = await repository.objects.read(oid);
    pieces.push(packHeader(packTypes[type], body.length), await deflateAsync(body, { level: 1 }));
    if (type === 'tag') open.push(targetOfTag(body));
    if (type === 'tree') open.push(...decodeTree(body).map((entry) => entry.oid));
    if (type === 'commit') {
      const { tree, parents } = decodeCommit(body);
      open.push(tree, ...parents);
    }
  }
  const start = Buffer.alloc(12);
  start.write('PACK');
  start.writeUInt32BE(2, 4);
  start.writeUInt32BE(seen.size, 8);
  const pack = Buffer.concat([start, ...pieces]);
  return Buffer.concat([pack, createHash('sha1').update(pack).digest()]);
}

/** Type and size: four bits of size in the first byte, seven in each that follows. */
function packHeader(type: number, size: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.floor(size / 16);
  let byte = (type << 4) | (size % 16);
  while (rest > 0) {
    bytes.push(byte | 0x80);
    byte = rest % 128;
    rest = Math.floor(rest / 128);
  }
  bytes.push(byte);
  return Buffer.from(bytes);
}
