import { invalidError } from '../core/errors.ts';
import type { Sha256 } from '../core/hashing.ts';
import { compareBytes } from './names.ts';

/** One line of `checksums.sha256`. */
export interface Checksum {
  readonly name: string;
  readonly sha256: Sha256;
}

/**
 * The file's text in the form of `sha256sum -c`: two spaces between digest and name, sorted by
 * name.
 */
export function formatChecksums(checksums: readonly Checksum[]): string {
  return [...checksums]
    .sort((a, b) => compareBytes(a.name, b.name))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
    .join('');
}

/** Reads `checksums.sha256`. Throws `invalid` with the line. */
export function parseChecksums(text: string, file: string): Checksum[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw invalidError(`${file}: the last line does not end`);
  return lines.map((line, index) => {
    const match = /^([0-9a-f]{64})(?: {2}| \*)([^/\\]+)$/.exec(line);
    if (!match?.[1] || !match[2]) {
      throw invalidError(`${file}:${index + 1}: not "<sha256>  <name>"`);
    }
    return { sha256: match[1], name: match[2] };
  });
}
