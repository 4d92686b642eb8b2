import { isUtf8 } from 'node:buffer';
import type { ZlibOptions } from 'node:zlib';
import { builtins } from '../core/builtins.ts';
import { hasSystemCode, invalidError } from '../core/errors.ts';
import { networkError } from './remote-error.ts';

/** What to call the document, and the most bytes that it may have. */
export interface Expected {
  readonly shown: string;
  readonly maxBytes: number;
}

/**
 * A document as its host stores it. Every document of ours is UTF-8 text, and compressed data never
 * is: so its content says whether it was compressed on the way, and not the header, which some
 * hosts write for what they send as it is. Throws `remote` for what is no document: nothing, or a
 * web page; `invalid` for what unpacks to more than it may have.
 */
export function documentContent(bytes: Buffer, label: string, expected: Expected): Buffer {
  const content = isUtf8(bytes) ? bytes : unpacked(bytes, label, expected);
  if (content.length === 0) throw networkError('content', `${expected.shown}: an empty answer`);
  if (/^\s*<(!doctype|html|head|\?xml)/i.test(content.toString('latin1', 0, 200))) {
    throw networkError('content', `${expected.shown}: a web page instead of the document`, {
      hint: 'A proxy or a network that asks for a login may have answered. Open the address in a browser.',
    });
  }
  return content;
}

function unpacked(bytes: Buffer, label: string, { shown, maxBytes }: Expected): Buffer {
  const { zlib } = builtins;
  const limit: ZlibOptions = { maxOutputLength: maxBytes };
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return zlib.gunzipSync(bytes, limit);
    if (label === 'deflate') return zlib.inflateSync(bytes, limit);
    if (label === 'br') return zlib.brotliDecompressSync(bytes, limit);
  } catch (error) {
    if (hasSystemCode(error, 'ERR_BUFFER_TOO_LARGE'))
      throw invalidError(`${shown}: more than the ${maxBytes} bytes expected`);
  }
  // Whoever reads it has words for it.
  return bytes;
}
