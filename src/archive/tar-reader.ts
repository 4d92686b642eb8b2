import { limits } from '../contract/limits.ts';
import { filePathFault, PathSet } from '../contract/names.ts';
import { ByteReader } from './byte-reader.ts';
import { blockBytes, decodeText, parsePax, parseTarHeader, refused, type TarHeader } from './tar-header.ts';

/** Largest pax or long-name record. */
const maxRecordBytes = 64 * 1024;

/** setuid, setgid, sticky. */
const specialModes = 0o7000;

export interface TarEntry {
  readonly type: 'file' | 'directory';
  /** Below the top directory, without a final `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /**
   * The file's bytes, to be read before the next entry is asked for; what isn't read is skipped.
   * Empty for a directory.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * Reads a tar stream that may be hostile. Only regular files and directories below `topDirectory`
 * pass, each path once and safe on every system; links, devices, sparse files, special modes, `..`,
 * absolute and clashing paths are refused, and so is an archive that ends early or goes on behind
 * its end. Modes, owners and times are ignored. Throws AircherError `integrity`.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  options: { readonly topDirectory: string },
): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(source, 'the tar archive');
  const paths = new PathSet();
  try {
    for (;;) {
      const header = await nextHeader(reader);
      if (header === undefined) break;
      const bodyEnd = reader.position + header.sizeBytes;
      const path = checkedPath(header, options.topDirectory);
      if (path !== '') {
        const type = header.type === '5' ? 'directory' : 'file';
        const other = paths.add(type === 'directory' ? `${path}/` : path);
        if (other !== undefined) throw refused(`${JSON.stringify(other)} and ${JSON.stringify(path)} clash`);
        if (paths.size > 2 * limits.filesPerModel) throw refused('the archive has too many entries');
        yield { type, path, sizeBytes: header.sizeBytes, body: reader.stream(header.sizeBytes) };
      }
      await drain(reader.stream(bodyEnd - reader.position));
      await skipPadding(reader, header.sizeBytes);
    }
    await checkEnd(reader);
  } finally {
    await reader.close();
  }
}

/**
 * The next header of a file or directory, with what pax and long-name records before it say;
 * undefined at the first zero block.
 */
async function nextHeader(reader: ByteReader): Promise<TarHeader | undefined> {
  let name: string | undefined;
  let sizeBytes: number | undefined;
  for (;;) {
    const header = parseTarHeader(await reader.take(blockBytes));
    if (header === undefined) {
      if (name !== undefined || sizeBytes !== undefined)
        throw refused('the archive ends between two headers of one file');
      return undefined;
    }
    if (header.type === 'x' || header.type === 'g') {
      const records = parsePax(await takeRecord(reader, header));
      checkRecords(records, header.type);
      name = records.get('path') ?? name;
      sizeBytes = readSize(records.get('size')) ?? sizeBytes;
    } else if (header.type === 'L') {
      name = decodeText(await takeRecord(reader, header)).replace(/\0+$/, '');
    } else {
      return { ...header, name: name ?? header.name, sizeBytes: sizeBytes ?? header.sizeBytes };
    }
  }
}

async function takeRecord(reader: ByteReader, header: TarHeader): Promise<Uint8Array> {
  if (header.sizeBytes > maxRecordBytes) throw refused(`a tar record of ${header.sizeBytes} bytes is too large`);
  const record = await reader.take(header.sizeBytes);
  await skipPadding(reader, header.sizeBytes);
  return record;
}

/** Global records may comment; nothing may link, or describe a sparse file. */
function checkRecords(records: ReadonlyMap<string, string>, type: 'x' | 'g'): void {
  for (const key of records.keys()) {
    const global = type === 'g' && (key === 'path' || key === 'size');
    if (global || key === 'linkpath' || key.startsWith('GNU.sparse.'))
      throw refused(`the pax record ${JSON.stringify(key)} is not allowed`);
  }
}

function readSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const size = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(size)) throw refused('a pax header has a damaged size');
  return size;
}

/** The entry's path below the top directory, '' for that directory itself. */
function checkedPath(header: TarHeader, topDirectory: string): string {
  const shown = JSON.stringify(header.name);
  if (header.type !== '0' && header.type !== '5') {
    throw refused(`${shown} is neither a file nor a directory, but of type ${JSON.stringify(header.type)}`);
  }
  if ((header.mode & specialModes) !== 0) throw refused(`${shown} has the mode ${header.mode.toString(8)}`);
  const directory = header.type === '5';
  if (directory && header.sizeBytes > 0) throw refused(`the directory ${shown} has content`);
  const full = directory && header.name.endsWith('/') ? header.name.slice(0, -1) : header.name;
  if (directory && full === topDirectory) return '';
  if (!full.startsWith(`${topDirectory}/`)) throw refused(`${shown} is not below ${topDirectory}/`);
  const path = full.slice(topDirectory.length + 1);
  const fault = filePathFault(path);
  if (fault !== undefined) throw refused(`${shown} ${fault}`);
  return path;
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body) {
    // What the caller left unread is only passed over.
  }
}

async function skipPadding(reader: ByteReader, sizeBytes: number): Promise<void> {
  await reader.take((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** After the first zero block a second one, and then nothing but zeros. */
async function checkEnd(reader: ByteReader): Promise<void> {
  if (parseTarHeader(await reader.take(blockBytes)) !== undefined) throw refused('the archive goes on behind its end');
  for await (const piece of reader.stream(Number.POSITIVE_INFINITY)) {
    if (piece.some((byte) => byte !== 0)) throw refused('the archive goes on behind its end');
  }
}
