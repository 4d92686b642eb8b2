import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import type { TestContext } from 'node:test';
import { type PackedArchive, packArchive, type SourceFile } from '../../src/archive/pack-archive.ts';
import type { ArchiveFormat } from '../../src/contract/chunk-index.ts';

export const formats: readonly ArchiveFormat[] = ['tar.gz', 'tar.zst', 'tar'];

/** A directory that goes with the test. */
export async function temporaryDirectory(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-test-'));
  context.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Bytes that don't compress, the same for one seed on every machine. */
export function noise(bytes: number, seed: number): Buffer {
  const buffer = Buffer.allocUnsafe(bytes);
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let index = 0; index < bytes; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    buffer[index] = state & 0xff;
  }
  return buffer;
}

export interface TestTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** A safetensors file of these tensors, one behind the other. */
export function safetensors(tensors: readonly TestTensor[], metadata?: Readonly<Record<string, string>>): Buffer {
  const header: Record<string, unknown> = metadata === undefined ? {} : { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  return Buffer.concat([withLength(JSON.stringify(header)), ...tensors.map(({ data }) => data)]);
}

function withLength(json: string | Buffer): Buffer {
  const bytes = Buffer.from(json as string);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([length, bytes]);
}

export type Tree = Readonly<Record<string, Uint8Array | string>>;

/** Files of every kind that the format treats apart, 4 MB in all. */
export function sampleTree(): Tree {
  const mebibyte = 1024 * 1024;
  return {
    'model.safetensors': safetensors(
      [
        { name: 'a.big', dtype: 'F32', shape: [1.5 * 262144], data: noise(1.5 * mebibyte, 1) },
        { name: 'b.small', dtype: 'F16', shape: [5], data: noise(10, 2) },
        { name: 'c.small', dtype: 'U8', shape: [1000], data: noise(1000, 3) },
        { name: 'd.empty', dtype: 'F32', shape: [0, 7], data: noise(0, 0) },
        { name: 'e.even', dtype: 'I8', shape: [mebibyte], data: Buffer.alloc(mebibyte) },
      ],
      { format: 'pt' },
    ),
    'config.json': '{ "hidden_size": 384 }\n',
    'one-mebibyte.bin': noise(mebibyte, 4),
    'empty.txt': '',
    'one-byte.txt': 'x',
    'block.txt': 'b'.repeat(512),
    'a-b/file.txt': 'sorted before a/\n',
    'a/b.txt': 'sorted behind a-b/\n',
    'übung/größe.txt': 'not ASCII\n',
    [`${'long-directory-name/'.repeat(7)}${'long-file-name'.repeat(9)}.txt`]: 'needs a pax header\n',
  };
}

export async function writeTree(directory: string, tree: Tree): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [path, content] of Object.entries(tree)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

/** The regular files below a directory, in whatever order it lists them. */
export async function sourceFiles(directory: string): Promise<SourceFile[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const absolutePath = join(entry.parentPath, entry.name);
        const path = relative(directory, absolutePath).split(sep).join('/');
        return { path, absolutePath, sizeBytes: (await stat(absolutePath)).size };
      }),
  );
}

export async function packTree(
  directory: string,
  format: ArchiveFormat,
  output: string,
  model = 'sample',
): Promise<PackedArchive> {
  const files = await sourceFiles(directory);
  return packArchive({ model, files, format, output, mtimeSeconds: 499162500 });
}

/** Whether a program is installed; skips the test with a message where it isn't. */
export function hasProgram(context: TestContext, program: string, args: readonly string[] = ['--version']): boolean {
  if (spawnSync(program, args, { stdio: 'ignore' }).error === undefined) return true;
  context.skip(`${program} is not installed`);
  return false;
}

export async function* pieces(bytes: Uint8Array, length = 65536): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += length) yield bytes.subarray(start, start + length);
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
}
