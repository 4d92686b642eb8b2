import { type AircherError, integrityError } from '../core/errors.ts';
import type { ByteReader } from './byte-reader.ts';

/** Most memory that a frame may ask for, in bytes: what the `zstd` program allows by default. */
const maxWindowBytes = 128 * 1024 * 1024;

/**
 * Largest block of the format. Source of this and of the layout below: RFC 8878, sections 3.1.1 and
 * 3.1.2.
 */
const maxBlockBytes = 128 * 1024;

const magic = 0xfd2fb528;
/** Skippable frames have any of sixteen magic numbers from this one on. */
const skippableMagic = 0x184d2a50;
const blockTypeRle = 1;
const blockTypeReserved = 3;

/**
 * Skips what holds no data and says whether a frame with data follows. The magic number is read
 * then; `zstdFrame` gives the frame with it.
 */
export async function findZstdFrame(reader: ByteReader): Promise<boolean> {
  while (!(await reader.atEnd())) {
    const number = readUnsigned(await reader.take(4));
    if (number === magic) return true;
    if (number - (number % 16) !== skippableMagic) throw damaged('is no zstd frame');
    for await (const _ of reader.stream(readUnsigned(await reader.take(4)))) {
      // Skippable frames are other programs' notes.
    }
  }
  return false;
}

/**
 * The bytes of one frame, in units: its header, its blocks one by one, its checksum. So a decoder
 * never gets more than one block (128 KiB of content) at a time, and the frame's end is known to
 * decoders that don't say where they stopped.
 */
export async function* zstdFrame(reader: ByteReader): AsyncGenerator<Uint8Array> {
  const descriptor = (await reader.take(1))[0] ?? 0;
  const singleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(singleSegment) : 1 << sizeFlag;
  const rest = await reader.take(Number(!singleSegment) + dictionaryBytes + sizeBytes);
  if ((descriptor & 0x08) !== 0) throw damaged('uses a reserved bit');
  if (dictionaryBytes > 0) throw damaged('needs a dictionary');
  const window = singleSegment ? readUnsigned(rest) + (sizeFlag === 1 ? 256 : 0) : windowBytes(rest[0] ?? 0);
  if (window > maxWindowBytes) throw damaged(`needs ${window} bytes of memory`);
  yield Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, descriptor), rest]);

  for (let last = false; !last; ) {
    const header = await reader.take(3);
    const value = readUnsigned(header);
    last = (value & 1) !== 0;
    const type = (value >> 1) & 3;
    const size = value >> 3;
    if (type === blockTypeReserved) throw damaged('has a block of unknown type');
    if (size > maxBlockBytes) throw damaged(`has a block of ${size} bytes`);
    yield Buffer.concat([header, await reader.take(type === blockTypeRle ? 1 : size)]);
  }
  if (hasChecksum) yield await reader.take(4);
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** Little-endian. */
function readUnsigned(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function damaged(fact: string): AircherError {
  return integrityError(`the zstd data ${fact}`);
}
