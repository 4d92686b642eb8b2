import { type FileHandle, open } from 'node:fs/promises';
import { limits } from '../contract/limits.ts';
import { type AircherError, invalidError } from '../core/errors.ts';
import { readFully } from '../core/read-files.ts';
import { lengthBytes, parseHeader, type SafetensorsHeader } from './safetensors-header.ts';

/**
 * Reads and checks the header of a safetensors file. The tensor data are not read. Throws
 * AircherError `invalid` with the path.
 */
export async function readHeader(path: string): Promise<SafetensorsHeader> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    return await readHeaderFrom(handle, size, path);
  } finally {
    await handle.close();
  }
}

async function readHeaderFrom(handle: FileHandle, fileSize: number, file: string): Promise<SafetensorsHeader> {
  const prefix = await readFully(handle, lengthBytes, 0);
  if (prefix.length < lengthBytes) throw damaged(file, `${fileSize} bytes are too few for a safetensors file`);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(limits.headerBytes)) {
    if (/^\s*<[!?a-z]/i.test(prefix.toString('latin1'))) throw damaged(file, 'a web page or the like, not weights');
    throw damaged(file, `a header of ${length} bytes is more than the limit of ${limits.headerBytes}`);
  }
  const headerBytes = lengthBytes + Number(length);
  if (headerBytes > fileSize) throw damaged(file, `the header of ${length} bytes goes beyond the file's ${fileSize}`);
  const json = await readFully(handle, headerBytes - lengthBytes, lengthBytes);
  if (json.length < headerBytes - lengthBytes) throw damaged(file, 'the file ends inside its header');
  return parseHeader(json, fileSize, file);
}

function damaged(file: string, fact: string): AircherError {
  return invalidError(
    `${file}: ${fact}`,
    'The file is damaged, or something else was saved under its name: get it again.',
  );
}
