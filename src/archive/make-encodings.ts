import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { encodingName } from '../contract/artifacts.ts';
import type { ArchiveIdentity } from '../contract/chunk-index.ts';
import { encodingVersion, formatEncodingIndex } from '../contract/encoding-index.ts';
import type { EncodingKind } from '../contract/fields.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import { writeAtomically, writeFileAtomically } from '../core/write-files.ts';
import type { FinishedEncoding, WantedEncoding } from './chunk-encodings.ts';
import { PatchBase, type PatchSource } from './patch-base.ts';

export interface EncodingOptions {
  readonly planes: boolean;
  /** Older versions that a patch is made from. */
  readonly patches: readonly PatchSource[];
}

/** An encoding that lies beside the archive, with its index. */
export interface MadeEncoding {
  readonly kind: EncodingKind;
  readonly name: string;
  readonly from?: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
  readonly index: { readonly size_bytes: number; readonly sha256: Sha256 };
}

/**
 * Makes the encodings of a model in `directory` while `pack` makes its archive, which gets what
 * they are written with and gives them back finished. Of each that saves enough the index is
 * written, and the others' files are removed. Throws AircherError `invalid` where the weights of an
 * older version are broken.
 */
export async function makeEncodings<T extends { readonly archive: ArchiveIdentity }>(
  { planes, patches }: EncodingOptions,
  directory: string,
  model: string,
  pack: (wanted: readonly WantedEncoding[]) => Promise<T & { readonly encodings: readonly FinishedEncoding[] }>,
): Promise<T & { readonly encodings: readonly MadeEncoding[] }> {
  const bases: PatchBase[] = [];
  try {
    for (const source of patches) bases.push(await PatchBase.open(source));
    const wanted = [
      ...(planes ? [{ name: encodingName(model), from: undefined, base: undefined }] : []),
      ...bases.map((base, at) => {
        const { version: from } = patches[at]!;
        return { name: encodingName(model, from), from, base };
      }),
    ];
    const paths = wanted.map(({ name }) => join(directory, name));
    const packed = await writeAllAtomically(paths, (handles) =>
      pack(wanted.map(({ base }, at) => ({ handle: handles[at]!, base }))),
    );
    const made: MadeEncoding[] = [];
    for (const [at, { isWorthIt, ...encoding }] of packed.encodings.entries()) {
      const { name, from } = wanted[at]!;
      const indexPath = `${paths[at]}.index.json`;
      if (!isWorthIt) {
        await rm(paths[at]!);
        await rm(indexPath, { force: true });
        continue;
      }
      const { kind, size_bytes, sha256: digest } = encoding;
      const archive = { name: packed.archive.name, sha256: packed.archive.sha256 };
      const bytes = Buffer.from(formatEncodingIndex({ encoding_version: encodingVersion, archive, ...encoding }));
      await writeFileAtomically(indexPath, bytes);
      const index = { size_bytes: bytes.length, sha256: sha256(bytes) };
      made.push({ kind, name, ...(from === undefined ? {} : { from }), size_bytes, sha256: digest, index });
    }
    return { ...packed, encodings: made };
  } finally {
    for (const base of bases) base.close();
  }
}

/** Several files that are written at the same time; each appears whole or not at all. */
async function writeAllAtomically<T>(
  [first, ...others]: readonly string[],
  write: (handles: readonly FileHandle[]) => Promise<T>,
): Promise<T> {
  if (first === undefined) return await write([]);
  return await writeAtomically(first, (handle) => writeAllAtomically(others, (handles) => write([handle, ...handles])));
}
