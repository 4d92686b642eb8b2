import type { Sha256 } from '../../core/hashing.ts';

export interface LfsPointer {
  readonly oid: Sha256;
  readonly size: number;
}

const pointerPattern =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]*)\n$/;

/** The small file that git holds in place of one in large file storage (git-lfs, docs/spec.md). */
export function encodePointer(pointer: LfsPointer): Buffer {
  return Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${pointer.oid}\nsize ${pointer.size}\n`);
}

export function decodePointer(body: Buffer): LfsPointer | undefined {
  // The specification keeps pointers below 1024 bytes, so that nothing big is ever looked at.
  if (body.length >= 1024) return undefined;
  const [, oid, size] = pointerPattern.exec(body.toString('latin1')) ?? [];
  return oid === undefined ? undefined : { oid, size: Number(size) };
}
