import { type AircherError, integrityError } from '../core/errors.ts';

/** Bytes of a tar block: every header is one, every body is padded to a multiple of it. */
export const blockBytes = 512;

/**
 * One header block, as far as a reader of files and directories needs it. Layout: POSIX.1-2017 pax,
 * "ustar Interchange Format".
 */
export interface TarHeader {
  readonly name: string;
  readonly mode: number;
  readonly sizeBytes: number;
  /**
   * The type flag: `0` file, `5` directory, `x` pax record, …; the old form of a file, NUL, is `0`
   * too.
   */
  readonly type: string;
}

/**
 * Parses a header block; undefined for a block of zeros, which ends an archive. Throws AircherError
 * `integrity`.
 */
export function parseTarHeader(block: Uint8Array): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  let sum = 0;
  for (const [offset, byte] of block.entries()) sum += offset >= 148 && offset < 156 ? 0x20 : byte;
  if (readNumber(block.subarray(148, 156)) !== sum) throw refused('a tar header has a wrong checksum');
  const prefix = isUstar(block) ? readText(block.subarray(345, 500)) : '';
  const name = readText(block.subarray(0, 100));
  const type = String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: readNumber(block.subarray(100, 108)),
    sizeBytes: readNumber(block.subarray(124, 136)),
    type: type === '\0' ? '0' : type,
  };
}

/** GNU's own variant ("ustar  ") uses the prefix for other things. */
function isUstar(block: Uint8Array): boolean {
  return Buffer.from(block.subarray(257, 263)).toString('latin1') === 'ustar\0';
}

/**
 * Octal digits between spaces and NULs, or a big-endian number whose first byte is 0x80 (sizes from
 * 8 GiB).
 */
function readNumber(field: Uint8Array): number {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
    if (Number.isSafeInteger(value)) return value;
  }
  const text = Buffer.from(field).toString('latin1');
  const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
  if (digits === undefined) throw refused('a tar header has a damaged number');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function readText(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decodeText(end === -1 ? field : field.subarray(0, end));
}

/**
 * The records of a pax header: `length key=value\n`, of which the length counts every byte of the
 * record.
 */
export function parsePax(body: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let start = 0; start < body.length; ) {
    const digits = Buffer.from(body.subarray(start, start + 10)).toString('latin1');
    const end = start + Number.parseInt(digits, 10);
    const record = /^[1-9][0-9]* ([^=]+)=(.*)\n$/s.exec(decodeText(body.subarray(start, end)));
    if (record === null || end > body.length) throw refused('a pax header is damaged');
    const [, key = '', value = ''] = record;
    records.set(key, value);
    start = end;
  }
  return records;
}

/** UTF-8 without faults: two readers must not see two names. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw integrityError('a name in the archive is not UTF-8 text', undefined, { cause: error });
  }
}

export function refused(fact: string): AircherError {
  return integrityError(fact, 'Nothing of the archive was used. Get it from another source.');
}
