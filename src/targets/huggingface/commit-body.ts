import type { StreamedBody } from '../../http/http-client.ts';
import { readContentWhole } from '../file-content.ts';
import type { ReleaseFile } from '../target.ts';

export interface CommitHeader {
  readonly summary: string;
  /** The commit is refused where the branch's head is another one. */
  readonly parentCommit: string;
}

/** One line of a commit. Large files are named by digest: their bytes are in storage already. */
export type CommitOperation =
  | { readonly kind: 'lfs'; readonly path: string; readonly sha256: string; readonly sizeBytes: number }
  | { readonly kind: 'file'; readonly path: string; readonly content: ReleaseFile | Buffer }
  | { readonly kind: 'delete'; readonly path: string };

/** Bytes of ordinary content that an operation carries. */
export function operationBytes(operation: CommitOperation): number {
  if (operation.kind !== 'file') return 0;
  return Buffer.isBuffer(operation.content) ? operation.content.length : operation.content.sizeBytes;
}

/**
 * The NDJSON that `POST …/commit/<branch>` takes, streamed: one file's content at a time is in
 * memory.
 */
export function commitBody(header: CommitHeader, operations: readonly CommitOperation[]): StreamedBody {
  const head = line('header', header);
  const lengths = operations.map(lineBytes);
  const sizeBytes = lengths.reduce((sum, length) => sum + length, head.length);
  return {
    sizeBytes,
    async *open() {
      yield head;
      for (const operation of operations) yield await operationLine(operation);
    },
  };
}

async function operationLine(operation: CommitOperation): Promise<Buffer> {
  if (operation.kind !== 'file') return line(...entryOf(operation, ''));
  const { content } = operation;
  const bytes = Buffer.isBuffer(content) ? content : await readContentWhole(content);
  return line(...entryOf(operation, bytes.toString('base64')));
}

function lineBytes(operation: CommitOperation): number {
  const base64Bytes = Math.ceil(operationBytes(operation) / 3) * 4;
  return line(...entryOf(operation, '')).length + base64Bytes;
}

function entryOf(operation: CommitOperation, base64: string): readonly [key: string, value: object] {
  const { path } = operation;
  switch (operation.kind) {
    case 'lfs':
      return ['lfsFile', { path, algo: 'sha256', oid: operation.sha256, size: operation.sizeBytes }];
    case 'file':
      return ['file', { path, encoding: 'base64', content: base64 }];
    case 'delete':
      return ['deletedFile', { path }];
  }
}

function line(key: string, value: object): Buffer {
  return Buffer.from(`${JSON.stringify({ key, value })}\n`);
}
