import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { deflate, inflate } from 'node:zlib';
import { exists, readFileIfThere } from '../../core/read-files.ts';

const deflateAsync = promisify(deflate);
const inflateAsync = promisify(inflate);

export type ObjectType = 'blob' | 'tree' | 'commit' | 'tag';
/** A git object id: sha1, 40 lower-case hex digits. */
export type ObjectId = string;

export interface GitObject {
  readonly type: ObjectType;
  readonly body: Buffer;
}

export interface TreeEntry {
  readonly mode: '100644' | '40000';
  readonly name: string;
  readonly oid: ObjectId;
}

export interface Commit {
  readonly tree: ObjectId;
  readonly parents: readonly ObjectId[];
  readonly author: string;
  readonly email: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly message: string;
}

/**
 * Loose objects below `<directory>/objects`, in the layout of git itself: any git program can read
 * and check them.
 */
export interface ObjectStore {
  write(type: ObjectType, body: Buffer): Promise<ObjectId>;
  /** Throws where there is no such object. */
  read(oid: ObjectId): Promise<GitObject>;
}

export function createObjectStore(directory: string): ObjectStore {
  const pathOf = (oid: ObjectId): string => join(directory, 'objects', oid.slice(0, 2), oid.slice(2));
  return {
    write: async (type, body) => {
      const oid = objectId(type, body);
      const path = pathOf(oid);
      if (await exists(path)) return oid;
      await mkdir(dirname(path), { recursive: true });
      const temporary = join(directory, 'objects', `tmp_obj_${randomBytes(8).toString('hex')}`);
      await writeFile(temporary, await deflateAsync(Buffer.concat([header(type, body), body]), { level: 1 }));
      await rename(temporary, path);
      return oid;
    },
    read: async (oid) => {
      const packed = await readFileIfThere(pathOf(oid));
      if (packed === undefined) throw new Error(`git object ${oid} is missing from the state directory`);
      const whole = await inflateAsync(packed);
      const end = whole.indexOf(0);
      const type = whole.toString('latin1', 0, whole.indexOf(0x20)) as ObjectType;
      return { type, body: whole.subarray(end + 1) };
    },
  };
}

function objectId(type: ObjectType, body: Uint8Array): ObjectId {
  return createHash('sha1').update(header(type, body)).update(body).digest('hex');
}

function header(type: ObjectType, body: Uint8Array): Buffer {
  return Buffer.from(`${type} ${body.length}\0`);
}

/** A tree's bytes. Git's order: by the name's bytes, a folder as if its name ended in `/`. */
export function encodeTree(entries: readonly TreeEntry[]): Buffer {
  const key = (entry: TreeEntry): Buffer => Buffer.from(entry.mode === '40000' ? `${entry.name}/` : entry.name);
  const sorted = [...entries].sort((a, b) => Buffer.compare(key(a), key(b)));
  return Buffer.concat(
    sorted.flatMap((entry) => [Buffer.from(`${entry.mode} ${entry.name}\0`), Buffer.from(entry.oid, 'hex')]),
  );
}

export function decodeTree(body: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const end = body.indexOf(0, space);
    entries.push({
      mode: body.toString('latin1', at, space) as TreeEntry['mode'],
      name: body.toString('utf8', space + 1, end),
      oid: body.toString('hex', end + 1, end + 21),
    });
    at = end + 21;
  }
  return entries;
}

export function encodeCommit(commit: Commit): Buffer {
  const person = `${commit.author} <${commit.email}> ${commit.time} +0000`;
  const lines = [
    `tree ${commit.tree}`,
    ...commit.parents.map((parent) => `parent ${parent}`),
    `author ${person}`,
    `committer ${person}`,
    '',
    commit.message,
  ];
  return Buffer.from(lines.join('\n'));
}

export function decodeCommit(body: Buffer): Commit {
  const text = body.toString('utf8');
  const split = text.indexOf('\n\n');
  const lines = text.slice(0, split).split('\n');
  const values = (name: string): string[] =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const [, author = '', email = '', time = '0'] = /^(.*) <(.*)> (\d+) /.exec(values('author')[0] ?? '') ?? [];
  return {
    tree: values('tree')[0] ?? '',
    parents: values('parent'),
    author,
    email,
    time: Number(time),
    message: text.slice(split + 2),
  };
}

/** An annotated tag's bytes. */
export function encodeTag(tag: {
  readonly target: ObjectId;
  readonly name: string;
  readonly tagger: string;
  readonly email: string;
  readonly time: number;
  readonly message: string;
}): Buffer {
  const person = `${tag.tagger} <${tag.email}> ${tag.time} +0000`;
  const text = `object ${tag.target}\ntype commit\ntag ${tag.name}\ntagger ${person}\n\n${tag.message}\n`;
  return Buffer.from(text);
}

/** The object an annotated tag points to. */
export function targetOfTag(body: Buffer): ObjectId {
  return body.toString('latin1', 'object '.length, 'object '.length + 40);
}
