import { invalidError } from '../core/errors.ts';
import { limits } from './limits.ts';

export interface StrictJsonOptions {
  /** What is read, for messages: a file name or URL. */
  readonly file: string;
  readonly maxBytes: number;
  readonly maxDepth?: number;
  /** Most values in all, of every kind: parsed, a value takes many times the two bytes that it may have as text. */
  readonly maxValues?: number;
  /** Most members of one object, or items of one list. */
  readonly maxMembers?: number;
}

/**
 * Parses JSON that comes from outside: UTF-8 without faults, bounded in size, depth and number of values, no key twice in one
 * object, no `__proto__` key. Throws AircherError `invalid` with the file and line.
 */
export function parseStrictJson(bytes: Uint8Array, options: StrictJsonOptions): unknown {
  const { file } = options;
  if (bytes.length > options.maxBytes) {
    throw invalidError(`${file}: ${bytes.length} bytes is more than the limit of ${options.maxBytes}`);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalidError(`${file}: not UTF-8 text`, undefined, { cause: error });
  }
  const fault = structureFault(text, options);
  if (fault !== undefined) {
    throw invalidError(`${file}:${lineOf(text, fault.offset)}: ${fault.message}`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidError(
      `${file}: not valid JSON: ${syntaxMessage(text, error)}`,
      'Check for a missing comma, quote or bracket near that place.',
      { cause: error },
    );
  }
}

function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** What JSON.parse found, and the line, without the text that it quotes. */
export function syntaxMessage(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const position = /at position (\d+)/.exec(message)?.[1];
  const fact = message.replace(/,? ?("|\.\.\.).*is not valid JSON$/su, '').replace(/ in JSON at position.*$/su, '');
  if (position !== undefined) return `${fact} at line ${lineOf(text, Number(position))}`;
  return /Unexpected end/.test(message) ? 'it ends too early' : fact;
}

/**
 * One pass over the text that follows strings and brackets only. What it doesn't see (a missing comma, a bad number) JSON.parse
 * does. It runs first, so that depth and number are bounded before anything that recurses or allocates looks at the text.
 */
function structureFault(
  text: string,
  options: Omit<StrictJsonOptions, 'file' | 'maxBytes'>,
): { message: string; offset: number } | undefined {
  const { maxDepth = limits.jsonDepth, maxValues = Number.POSITIVE_INFINITY } = options;
  const { maxMembers = Number.POSITIVE_INFINITY } = options;
  const keys: (Set<string> | undefined)[] = [];
  /** Members so far of each object and list around the place, one less than there are. */
  const members: number[] = [];
  let values = 1;
  let offset = 0;
  let expectKey = false;
  while (offset < text.length) {
    const character = text.charCodeAt(offset);
    if (character === 0x22) {
      const end = stringEnd(text, offset);
      if (end === -1) return { message: 'a string does not end', offset };
      const seen = keys.at(-1);
      if (expectKey && seen !== undefined) {
        const key = decodeKey(text.slice(offset, end));
        if (key === '__proto__') return { message: 'the key "__proto__" is not allowed', offset };
        if (key !== undefined && seen.has(key))
          return { message: `the key ${JSON.stringify(key)} stands twice in one object`, offset };
        if (key !== undefined) seen.add(key);
        expectKey = false;
      }
      offset = end;
      continue;
    }
    if (character === 0x7b || character === 0x5b) {
      keys.push(character === 0x7b ? new Set() : undefined);
      members.push(0);
      values++;
      expectKey = character === 0x7b;
      if (keys.length > maxDepth) return { message: `nested more than ${maxDepth} deep`, offset };
    } else if (character === 0x7d || character === 0x5d) {
      keys.pop();
      members.pop();
      expectKey = false;
    } else if (character === 0x2c) {
      expectKey = keys.at(-1) !== undefined;
      values++;
      const more = (members.pop() ?? 0) + 1;
      if (more >= maxMembers) return { message: `a list or object of more than ${maxMembers}`, offset };
      members.push(more);
    }
    if (values > maxValues) return { message: `more than ${maxValues} values`, offset };
    offset++;
  }
  return undefined;
}

/** Offset behind the closing quote of the string that begins at `start`, or -1. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === 0x5c) at++;
    else if (character === 0x22) return at + 1;
  }
  return -1;
}

function decodeKey(quoted: string): string | undefined {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined; // JSON.parse of the whole text will name the fault.
  }
}
