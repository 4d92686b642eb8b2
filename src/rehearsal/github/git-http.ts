import { gunzipSync } from 'node:zlib';
import { isHiddenByLag } from '../faults.ts';
import { type Exchange, readBytes } from '../http.ts';
import { type Reply, textReply } from '../reply.ts';
import { allRefs, type Ref } from './git-objects.ts';
import type { StoredRepository } from './store.ts';

const capabilities = 'multi_ack thin-pack side-band side-band-64k ofs-delta shallow no-progress include-tag';
const agent = 'agent=git/github-stand-in';

/**
 * Git's smart HTTP, as far as refs go (gitprotocol-http, gitprotocol-v2): the advertisement, in
 * version 2 where the client asks for it, and version 2's ls-refs. There are no objects behind the
 * refs: a fetch is answered with git's own error packet.
 */
export function advertiseRefs(exchange: Exchange, repository: StoredRepository): Reply {
  const asked = exchange.headers['git-protocol']?.toString() ?? '';
  const greeting = [packet('# service=git-upload-pack\n'), flush];
  const lines = asked.split(':').includes('version=2')
    ? ['version 2', agent, 'ls-refs=unborn', 'fetch=shallow', 'server-option', 'object-format=sha1'].map((line) =>
        packet(`${line}\n`),
      )
    : versionZero(exchange, repository);
  return gitReply('advertisement', [...greeting, ...lines, flush]);
}

export async function answerUploadPack(exchange: Exchange, repository: StoredRepository): Promise<Reply> {
  const raw = await readBytes(exchange);
  const lines = parsePackets(exchange.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw);
  if (!lines.includes('command=ls-refs'))
    return gitReply('result', [packet('ERR this repository has refs only\n'), flush]);
  const prefixes = lines.filter((line) => line.startsWith('ref-prefix ')).map((line) => line.slice(11));
  const isWanted = (name: string): boolean =>
    prefixes.length === 0 || prefixes.some((prefix) => name.startsWith(prefix));
  const head = repository.branches[repository.defaultBranch];
  const target = lines.includes('symrefs') ? ` symref-target:refs/heads/${repository.defaultBranch}` : '';
  const refs = visibleRefs(exchange, repository).filter(({ name }) => isWanted(name));
  return gitReply('result', [
    ...(head !== undefined && isWanted('HEAD') ? [packet(`${head} HEAD${target}\n`)] : []),
    ...refs.map(({ name, sha, peeled }) =>
      packet(`${sha} ${name}${peeled !== undefined && lines.includes('peel') ? ` peeled:${peeled}` : ''}\n`),
    ),
    flush,
  ]);
}

function versionZero(exchange: Exchange, repository: StoredRepository): string[] {
  const head = repository.branches[repository.defaultBranch];
  const symref = head === undefined ? '' : ` symref=HEAD:refs/heads/${repository.defaultBranch}`;
  const refs = visibleRefs(exchange, repository).flatMap(({ name, sha, peeled }) => [
    `${sha} ${name}`,
    ...(peeled === undefined ? [] : [`${peeled} ${name}^{}`]),
  ]);
  const lines = [...(head === undefined ? [] : [`${head} HEAD`]), ...refs];
  const [first = `${'0'.repeat(40)} capabilities^{}`, ...others] = lines;
  return [
    packet(`${first}\0${capabilities}${symref} object-format=sha1 ${agent}\n`),
    ...others.map((line) => packet(`${line}\n`)),
  ];
}

function visibleRefs({ faults }: Exchange, repository: StoredRepository): Ref[] {
  return allRefs(repository).filter(({ madeAt }) => !isHiddenByLag(faults, madeAt));
}

const flush = '0000';

function packet(line: string): string {
  return (Buffer.byteLength(line) + 4).toString(16).padStart(4, '0') + line;
}

function parsePackets(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = Number.parseInt(bytes.toString('latin1', at, at + 4), 16);
    if (Number.isNaN(length)) break;
    if (length > 4) lines.push(bytes.toString('utf8', at + 4, at + length).replace(/\n$/, ''));
    at += Math.max(4, length);
  }
  return lines;
}

function gitReply(kind: 'advertisement' | 'result', lines: readonly string[]): Reply {
  const headers = {
    'content-type': `application/x-git-upload-pack-${kind}`,
    'cache-control': 'no-cache, max-age=0, must-revalidate',
  };
  return { ...textReply(200, lines.join('')), headers };
}
