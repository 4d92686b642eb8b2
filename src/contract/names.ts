import { quoted, steeringCharacter } from '../core/printable.ts';
import { limits } from './limits.ts';

/** Device names that Windows reserves in every directory, with any ending. */
const windowsDevice = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?$/iu;

/** Endings of the release's own artifacts, which no model's name may have. */
const reservedEndings = [
  ...['.tar', '.gz', '.zst', '.planes', '.patch', '.safetensors'],
  ...['.json', '.md', '.sha256', '.mjs', '.minisig', '.asc', '.lock'],
];

/** What is wrong with a model's name, or undefined. */
export function modelNameFault(name: string): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$/.test(name)) {
    return 'is not a model name: 1 to 96 of A-Z a-z 0-9 . _ -, the first a letter or digit';
  }
  if (!/[A-Za-z]/.test(name)) return 'has no letter';
  if (name.endsWith('.')) return 'ends with a dot';
  if (windowsDevice.test(name)) return 'is a device name on Windows';
  if (name.toLowerCase() === 'cachedir.tag') return 'is the name of a file that marks caches';
  const ending = reservedEndings.find((candidate) => name.toLowerCase().endsWith(candidate));
  return ending === undefined ? undefined : `ends like an artifact (${ending})`;
}

/** Names at the top of an installed version that are the client's own. */
const clientFiles = new Set(['.version', '.aircher-copy']);

/**
 * What is wrong with the path of a file in a model, or undefined. Paths are relative, separated by
 * `/`.
 */
export function filePathFault(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > limits.pathBytes) return `is longer than ${limits.pathBytes} bytes`;
  if (!path.isWellFormed()) return 'is not valid Unicode';
  if (path !== path.normalize('NFC')) return 'is not in Unicode normal form NFC';
  if (path.startsWith('/')) return 'is absolute';
  for (const part of path.split('/')) {
    const fault = pathPartFault(part);
    if (fault !== undefined) return fault;
  }
  const [top = ''] = path.split('/');
  return clientFiles.has(clashKey(top)) ? 'is a name that clients use for the installed version' : undefined;
}

function pathPartFault(part: string): string | undefined {
  if (part === '') return 'has an empty part';
  if (part === '.' || part === '..') return `has the part ${JSON.stringify(part)}`;
  if (Buffer.byteLength(part) > limits.pathPartBytes) return `has a part longer than ${limits.pathPartBytes} bytes`;
  const forbidden = /[\u0000-\u001f\u007f<>:"|?*\\]/u.exec(part);
  if (forbidden) return `has the character ${JSON.stringify(forbidden[0])}, which Windows can't hold`;
  const steering = steeringCharacter(part);
  if (steering) return `has the character ${quoted(steering)}, which isn't seen but changes what is`;
  if (/[. ]$/.test(part)) return 'has a part that ends with a dot or a space, which Windows drops';
  if (windowsDevice.test(part)) return `has the part ${JSON.stringify(part)}, a device name on Windows`;
  return undefined;
}

/**
 * What two paths have in common when a case-insensitive or normalising file system can't tell them
 * apart.
 */
export function clashKey(path: string): string {
  // Upper then lower case folds what one of the two alone leaves apart (ß/SS, ſ/s, final sigma).
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * Paths of one model, of which no file system may take two for one, nor find a file where another
 * path has a directory.
 */
export class PathSet {
  /** As they came, by clash key; directories, also those that only lead to a file, end in `/`. */
  readonly #paths = new Map<string, string>();

  get size(): number {
    return this.#paths.size;
  }

  /**
   * Adds a file, or a directory (ends in `/`, and may come again). Gives what it clashes with, or
   * undefined.
   */
  add(path: string): string | undefined {
    for (const { index } of path.matchAll(/\/|[^/]$/g)) {
      const part = path.slice(0, index + 1);
      const directory = part.endsWith('/');
      const key = clashKey(directory ? path.slice(0, index) : part);
      const other = this.#paths.get(key);
      if (other === undefined) this.#paths.set(key, part);
      else if (other !== part || !directory) return other;
    }
    return undefined;
  }
}

/**
 * The pairs of files that clash; in the place of the first, the directory where it is that which
 * clashes.
 */
export function pathClashes(paths: readonly string[]): readonly (readonly [string, string])[] {
  const seen = new PathSet();
  return paths.flatMap((path) => {
    const other = seen.add(path);
    return other === undefined ? [] : [[other, path] as const];
  });
}

/** The order of every list and map in our formats: by UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A path as part of a URL: every part percent-encoded. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
