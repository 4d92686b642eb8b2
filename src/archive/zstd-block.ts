import { integrityError } from '../core/errors.ts';

/**
 * Decoding of zstd blocks, for Node versions whose zlib has no zstd (before 22.15). Source of every rule and table: RFC 8878, by the
 * sections named below. What is damaged is refused, or gives other bytes, which digests tell; nothing is read or written
 * out of bounds.
 */

/** Largest content of a block (3.1.1.2.3). */
const maxContent = 128 * 1024;
/** Largest accuracy of FSE tables: literal lengths, offsets, match lengths; of Huffman weights (3.1.1.3.2.1.1, 4.2.1.2). */
const maxAccuracy = [9, 8, 9] as const;
const maxWeightAccuracy = 6;
/** Longest Huffman code (4.2.1). */
const maxCodeBits = 11;

/** A state machine (4.1): for each state its symbol, the bits to read, and what these are added to for the next one. */
interface StateTable {
  readonly accuracy: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

interface CodeTable {
  readonly bits: number;
  /** For each value of the next `bits` bits: the symbol · 16 + how many of them it takes. */
  readonly entries: Uint16Array;
}

/** Numbers of extra bits of length codes (3.1.1.3.2.1.1), after so many codes without any. */
const literalLengths = lengthCodes(0, 16, '1111223346789abcdefg');
const matchLengths = lengthCodes(3, 32, '11112233445789abcdefg');

/** 3.1.1.3.2.2: the distributions where a block brings none; in the order literal lengths, offsets, match lengths. */
const predefined = [
  stateTable([4, 3, ...times(11, 2), 1, 1, 1, ...times(9, 2), 3, 2, ...times(5, 1), ...times(4, -1)], 6),
  stateTable([...times(6, 1), 2, 2, 2, ...times(15, 1), ...times(5, -1)], 5),
  stateTable([1, 4, 3, ...times(6, 2), ...times(37, 1), ...times(7, -1)], 6),
] as const;

/** Decodes the blocks of one frame, one after the other. `window` is how far back, in bytes, a block may copy from. */
export function blockDecoder(window: number): (type: number, block: Uint8Array, size: number) => Uint8Array {
  const history = new Uint8Array(window + Math.min(Math.max(window, maxContent), 4 << 20));
  const recent = [1, 4, 8];
  const tables: (StateTable | undefined)[] = [];
  let codes: CodeTable | undefined;
  let end = 0;

  return (type, block, size) => {
    if (end + maxContent > history.length) {
      history.copyWithin(0, end - window, end);
      end = window;
    }
    const start = end;
    if (type < 2) {
      if (size > maxContent) throw damaged();
      if (type === 0) history.set(block, end);
      else history.fill(block[0] ?? 0, end, end + size);
      end += size;
    } else {
      const literals = readLiterals(block);
      readSequences(block.subarray(literals.next), literals.bytes, start);
    }
    return history.slice(start, end);
  };

  /** 3.1.1.3.1 */
  function readLiterals(block: Uint8Array): { readonly bytes: Uint8Array; readonly next: number } {
    const number = littleEndian(block.subarray(0, 5));
    const kind = number & 3;
    const form = (number >> 2) & 3;
    if (kind < 2) {
      const header = form === 3 ? 3 : form === 1 ? 2 : 1;
      const size = Math.floor((number % 2 ** (8 * header)) / (form & 1 ? 16 : 8));
      const next = header + (kind === 0 ? size : 1);
      if (size > maxContent || next > block.length) throw damaged();
      const raw = block.subarray(header, next);
      return { bytes: kind === 0 ? raw : new Uint8Array(size).fill(raw[0] ?? 0), next };
    }
    const width = form < 2 ? 10 : form * 4 + 6;
    const header = form < 2 ? 3 : form + 2;
    const size = Math.floor(number / 16) % 2 ** width;
    const next = header + (Math.floor(number / 2 ** (4 + width)) % 2 ** width);
    if (size > maxContent || next > block.length) throw damaged();
    let coded = block.subarray(header, next);
    if (kind === 2) {
      const tree = readCodes(coded);
      codes = tree.table;
      coded = coded.subarray(tree.next);
    }
    if (codes === undefined) throw damaged();
    const bytes = new Uint8Array(size);
    if (form === 0) decodeStream(coded, codes, bytes);
    else {
      // Four streams, of which the first three have their lengths before them.
      const part = (size + 3) >> 2;
      let from = 6;
      for (let at = 0; at < 4; at++) {
        const to = at < 3 ? from + littleEndian(coded.subarray(2 * at, 2 * at + 2)) : coded.length;
        if (to > coded.length) throw damaged();
        decodeStream(coded.subarray(from, to), codes, bytes.subarray(at * part, at < 3 ? (at + 1) * part : size));
        from = to;
      }
    }
    return { bytes, next };
  }

  /** 3.1.1.3.2, and the copying that sequences ask for (3.1.1.4). */
  function readSequences(block: Uint8Array, literals: Uint8Array, start: number): void {
    const [first = 0, second = 0, third = 0] = block;
    let at = first === 0 ? 1 : first < 128 ? 1 : first < 255 ? 2 : 3;
    const count = first < 128 ? first : first < 255 ? ((first - 128) << 8) + second : second + (third << 8) + 0x7f00;
    let literal = 0;
    const copyLiterals = (length: number): void => {
      if (literal + length > literals.length || end + length - start > maxContent) throw damaged();
      history.set(literals.subarray(literal, literal + length), end);
      literal += length;
      end += length;
    };
    if (count > 0) {
      const modes = block[at++] ?? 0;
      for (const place of [0, 1, 2] as const) {
        const mode = (modes >> (6 - 2 * place)) & 3;
        if (mode === 0) tables[place] = predefined[place];
        else if (mode === 1)
          tables[place] = {
            accuracy: 0,
            symbols: block.subarray(at, ++at),
            bits: new Uint8Array(1),
            bases: new Uint16Array(1),
          };
        else if (mode === 2) {
          const described = readStates(block.subarray(at), maxAccuracy[place]);
          tables[place] = described.table;
          at += described.next;
        }
      }
      const [lengthTable, offsetTable, matchTable] = tables;
      if (lengthTable === undefined || offsetTable === undefined || matchTable === undefined) throw damaged();
      const read = backwards(block.subarray(at));
      let length = read(lengthTable.accuracy);
      let offset = read(offsetTable.accuracy);
      let match = read(matchTable.accuracy);
      for (let left = count; left > 0; left--) {
        const offsetCode = offsetTable.symbols[offset] ?? 0;
        const matchCode = matchTable.symbols[match] ?? 0;
        const lengthCode = lengthTable.symbols[length] ?? 0;
        if (offsetCode > 31 || matchCode > 52 || lengthCode > 35) throw damaged();
        const value = 2 ** offsetCode + read(offsetCode);
        const matched = matchLengths.bases[matchCode]! + read(matchLengths.bits[matchCode]!);
        const copied = literalLengths.bases[lengthCode]! + read(literalLengths.bits[lengthCode]!);
        if (left > 1) {
          length = lengthTable.bases[length]! + read(lengthTable.bits[length]!);
          match = matchTable.bases[match]! + read(matchTable.bits[match]!);
          offset = offsetTable.bases[offset]! + read(offsetTable.bits[offset]!);
        }
        copyLiterals(copied);
        copyMatch(distanceOf(value, copied === 0), matched, start);
      }
    }
    copyLiterals(literals.length - literal);
  }

  /** 3.1.1.5: small values mean one of the last three distances. */
  function distanceOf(value: number, noLiterals: boolean): number {
    const place = value > 3 ? 3 : value - 1 + Number(noLiterals);
    const distance = value > 3 ? value - 3 : place === 3 ? recent[0]! - 1 : recent[place]!;
    if (place > 0) {
      if (place > 1) recent[2] = recent[1]!;
      recent[1] = recent[0]!;
      recent[0] = distance;
    }
    return distance;
  }

  function copyMatch(distance: number, length: number, start: number): void {
    if (distance < 1 || distance > end || end + length - start > maxContent) throw damaged();
    if (distance >= length) history.copyWithin(end, end - distance, end - distance + length);
    else for (let at = end; at < end + length; at++) history[at] = history[at - distance]!;
    end += length;
  }
}

/** 4.2.1: the Huffman tree before the literals. */
function readCodes(bytes: Uint8Array): { readonly table: CodeTable; readonly next: number } {
  const [header = 0] = bytes;
  const weights: number[] = [];
  let next = header + 1;
  if (header < 128) {
    if (next > bytes.length) throw damaged();
    const { table, next: from } = readStates(bytes.subarray(1, next), maxWeightAccuracy);
    const { symbols, bits, bases } = table;
    const read = backwards(bytes.subarray(1 + from, next));
    // Two states take turns until the bits are used up.
    const states = [read(table.accuracy), read(table.accuracy)];
    for (let turn = 0; weights.length < 255; turn ^= 1) {
      const state = states[turn]!;
      weights.push(symbols[state]!);
      if (read.left() < bits[state]!) {
        weights.push(symbols[states[turn ^ 1]!]!);
        break;
      }
      states[turn] = bases[state]! + read(bits[state]!);
    }
  } else {
    next = 1 + ((header - 126) >> 1);
    if (next > bytes.length) throw damaged();
    for (let at = 0; at < header - 127; at++) weights.push((bytes[1 + (at >> 1)]! >> (at & 1 ? 0 : 4)) & 15);
  }
  return { table: codeTable(weights), next };
}

function codeTable(weights: number[]): CodeTable {
  if (weights.some((weight) => weight > maxCodeBits)) throw damaged();
  const sum = weights.reduce((total, weight) => total + (weight > 0 ? 2 ** (weight - 1) : 0), 0);
  const bits = 32 - Math.clz32(sum);
  const rest = 2 ** bits - sum;
  // The last weight isn't written: it fills the table.
  weights.push(32 - Math.clz32(rest));
  if (bits > maxCodeBits || sum === 0 || (rest & (rest - 1)) !== 0 || weights.length > 256) throw damaged();
  const entries = new Uint16Array(2 ** bits);
  let at = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue;
      const next = at + 2 ** (weight - 1);
      entries.fill(symbol * 16 + bits + 1 - weight, at, next);
      at = next;
    }
  }
  return { bits, entries };
}

/** 4.2.2: one stream of Huffman codes, which must give exactly `output`. The loop that takes all the time: no call in it. */
function decodeStream(bytes: Uint8Array, { bits, entries }: CodeTable, output: Uint8Array): void {
  let left = backwards(bytes).left();
  // Zeros before the first bit, so that the last code can be looked up by `bits` bits too; and nothing is read behind the end.
  const padded = new Uint8Array(bytes.length + 4);
  padded.set(bytes, 2);
  const mask = 2 ** bits - 1;
  for (let at = 0; at < output.length; at++) {
    const from = left - bits + 16;
    const place = from >> 3;
    const value = padded[place]! | (padded[place + 1]! << 8) | (padded[place + 2]! << 16);
    const entry = entries[(value >> (from & 7)) & mask]!;
    output[at] = entry >> 4;
    left -= entry & 15;
    if (left < 0) throw damaged();
  }
  if (left !== 0) throw damaged();
}

/** 4.1.1: the description of a state machine. */
function readStates(bytes: Uint8Array, most: number): { readonly table: StateTable; readonly next: number } {
  let at = 0;
  const peek = (count: number): number =>
    (littleEndian(bytes.subarray(at >> 3, (at >> 3) + 4)) / 2 ** (at & 7)) % 2 ** count;
  const accuracy = Math.floor(peek(4)) + 5;
  at = 4;
  if (accuracy > most) throw damaged();
  const shares: number[] = [];
  for (let left = 2 ** accuracy; left > 0; ) {
    const bits = 32 - Math.clz32(left + 1);
    // The smallest values need one bit less.
    const short = 2 ** bits - 2 - left;
    const low = Math.floor(peek(bits - 1));
    const high = Math.floor(peek(bits));
    const value = low < short ? low : high < 2 ** (bits - 1) ? high : high - short;
    at += low < short ? bits - 1 : bits;
    const share = value - 1;
    left -= Math.abs(share);
    shares.push(share);
    if (share === 0) {
      for (let more = 3; more === 3; at += 2) {
        more = Math.floor(peek(2));
        shares.push(...times(more, 0));
      }
    }
    if (left < 0 || shares.length > 256 || at > 8 * bytes.length) throw damaged();
  }
  return { table: stateTable(shares, accuracy), next: (at + 7) >> 3 };
}

/** 4.1.1: states from the symbols' shares; -1 stands for less than one. */
function stateTable(shares: readonly number[], accuracy: number): StateTable {
  const size = 2 ** accuracy;
  const symbols = new Uint8Array(size);
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  let high = size;
  for (const [symbol, share] of shares.entries()) if (share === -1) symbols[--high] = symbol;
  let at = 0;
  for (const [symbol, share] of shares.entries()) {
    for (let count = 0; count < share; count++) {
      symbols[at] = symbol;
      do at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1);
      while (at >= high);
    }
  }
  const next = shares.map(Math.abs);
  for (const [state, symbol] of symbols.entries()) {
    const number = next[symbol]!++;
    bits[state] = accuracy - (31 - Math.clz32(number));
    bases[state] = (number << bits[state]!) - size;
  }
  return { accuracy, symbols, bits, bases };
}

interface BitReader {
  (count: number): number;
  /** Bits not yet taken. */
  left(): number;
}

/** Reads bits from the end to the beginning; above the first one stands a set bit (4.1). */
function backwards(bytes: Uint8Array): BitReader {
  const last = bytes.at(-1) ?? 0;
  if (last === 0) throw damaged();
  let left = 8 * bytes.length - 1 - (Math.clz32(last) - 24);
  const read = (count: number): number => {
    if (count > 16) return read(16) * 2 ** (count - 16) + read(count - 16);
    left -= count;
    if (left < 0) throw damaged();
    const place = left >> 3;
    const value = bytes[place]! | (bytes[place + 1]! << 8) | (bytes[place + 2]! << 16);
    return (value >> (left & 7)) & (2 ** count - 1);
  };
  return Object.assign(read, { left: () => left });
}

function lengthCodes(
  least: number,
  direct: number,
  extra: string,
): { readonly bits: number[]; readonly bases: number[] } {
  const bits = [...times(direct, 0), ...[...extra].map((digit) => Number.parseInt(digit, 17))];
  let base = least;
  const bases = bits.map((count) => {
    const own = base;
    base += 2 ** count;
    return own;
  });
  return { bits, bases };
}

function times(count: number, value: number): number[] {
  return Array.from<number>({ length: count }).fill(value);
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function damaged(): Error {
  return integrityError('the zstd data is damaged');
}
