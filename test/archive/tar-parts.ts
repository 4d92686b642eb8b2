import { Header, type HeaderData } from 'tar/header';

/** Pieces of tar archives, good and bad ones. */

/** A header as the `tar` package writes it, and a body. */
export function entry(data: HeaderData, body = ''): Buffer {
  const header = new Header({ mode: 0o644, uid: 0, gid: 0, size: body.length, type: 'File', ...data });
  header.encode();
  return Buffer.concat([header.block as Buffer, padded(Buffer.from(body))]);
}

/** Filled up to the next block. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A pax header of these records, for the entry behind it. */
export function pax(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    const digits = Buffer.byteLength(rest) + 2;
    return `${digits}${rest}`;
  });
  return rawEntry(type, lines.join(''));
}

/** An entry of any type flag. */
export function rawEntry(type: string, body: string | Buffer, name = 'PaxHeader'): Buffer {
  const bytes = Buffer.from(body as string);
  const header = new Header({ path: name, mode: 0o644, size: bytes.length, type: 'File' });
  header.encode();
  const block = header.block as Buffer;
  block[156] = type.charCodeAt(0);
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, padded(bytes)]);
}

/** The end of an archive. */
export const end = Buffer.alloc(1024);
