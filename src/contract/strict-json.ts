import { invalidError, reasonOf } from '../core/errors.ts';
import { limits } from './limits.ts';

export interface StrictJsonOptions {
  /** What is read, for messages: a file name or URL. */
  readonly file: string;
  readonly maxBytes: number;
  readonly maxDepth?: number;
  /**
   * Most values in all, of every kind: parsed, a value takes many times the two bytes that it may
   * have as text.
   */
  readonly maxValues?: number;
  /** Most members of one object, or items of one list. */
  readonly maxMembers?: number;
}

/**
 * Parses JSON that comes from outside: UTF-8 without faults, bounded in size, depth and number of
 * values, no key twice in one object, no `__proto__` key. Throws AircherError `invalid` with the
 * file and line.
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
  checkStructure(text, options);
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
  const message = reasonOf(error);
  const position = /at position (\d+)/.exec(message)?.[1];
  const fact = message.replace(/,? ?("|\.\.\.).*is not valid JSON$/su, '').replace(/ in JSON at position.*$/su, '');
  if (position !== undefined) return `${fact} at line ${lineOf(text, Number(position))}`;
  return /Unexpected end/.test(message) ? 'it ends too early' : fact;
}

/**
 * One pass over the text that follows strings, brackets, colons and commas only. What it doesn't
 * see (a missing comma, a bad number) JSON.parse does. It runs first, so that depth and number are
 * bounded before anything that allocates looks at the text.
 */
function checkStructure(text: string, options: StrictJsonOptions): void {
  const { maxDepth = limits.jsonDepth, maxValues = Infinity, maxMembers = Infinity } = options;
  /** The objects and lists around the place: keys so far, and commas. */
  const around: { keys?: Set<unknown>; commas: number }[] = [];
  let values = 1;
  let offset = 0;
  /** Where the last string began. */
  let start = 0;
  const refuse = (message: string, at = offset): never => {
    throw invalidError(`${options.file}:${lineOf(text, at)}: ${message}`);
  };
  for (; offset < text.length; offset++) {
    const inside = around.at(-1);
    switch (text[offset]) {
      case '"':
        start = offset;
        offset = stringEnd(text, offset);
        if (offset === -1) refuse('a string does not end', start);
        break;
      case ':': {
        let key: unknown;
        try {
          key = JSON.parse(text.slice(start, offset));
        } catch {
          return; // JSON.parse gets no further than this, and has words for it.
        }
        if (key === '__proto__') refuse('the key "__proto__" is not allowed', start);
        if (inside === undefined) break;
        inside.keys ??= new Set();
        if (inside.keys.has(key)) refuse(`the key ${JSON.stringify(key)} stands twice in one object`, start);
        inside.keys.add(key);
        break;
      }
      case '{':
      case '[':
        values++;
        if (around.push({ commas: 0 }) > maxDepth) refuse(`nested more than ${maxDepth} deep`);
        break;
      case '}':
      case ']':
        around.pop();
        break;
      case ',':
        values++;
        if (inside !== undefined && ++inside.commas >= maxMembers)
          refuse(`a list or object of more than ${maxMembers}`);
    }
    if (values > maxValues) refuse(`more than ${maxValues} values`);
  }
}

/**
 * How deep lists and objects of a JSON text nest, and how many values it has: whatever walks the
 * parsed value needs stack for the one and memory for the other. Nothing is allocated.
 */
export function measureJson(text: string): { readonly depth: number; readonly values: number } {
  let [depth, deepest, values] = [0, 0, 1];
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      const end = stringEnd(text, at);
      // JSON.parse has words for a string without an end.
      if (end === -1) break;
      at = end;
    } else if (character === openBrace || character === openBracket) {
      values++;
      deepest = Math.max(deepest, ++depth);
    } else if (character === closeBrace || character === closeBracket) depth--;
    else if (character === comma) values++;
  }
  return { depth: deepest, values };
}

const [quote, comma, openBrace, closeBrace, openBracket, closeBracket] = [0x22, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d];

/** Offset of the closing quote of the string that begins at `start`, or -1. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return -1;
}
