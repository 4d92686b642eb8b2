import { limits } from './limits.ts';

/** Device names that Windows reserves in every directory, with any ending. */
const windowsDevice = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?$/iu;

/** Endings of the release's own artifacts, which no model's name may have. */
const reservedEndings = ['.tar', '.gz', '.zst', '.safetensors', '.json', '.md', '.sha256', '.mjs', '.minisig', '.asc'];

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

/** What is wrong with the path of a file in a model, or undefined. Paths are relative, separated by `/`. */
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
  if (/[. ]$/.test(part)) return 'has a part that ends with a dot or a space, which Windows drops';
  if (windowsDevice.test(part)) return `has the part ${JSON.stringify(part)}, a device name on Windows`;
  return undefined;
}

/** What two paths have in common when a case-insensitive or normalising file system can't tell them apart. */
export function clashKey(path: string): string {
  // Upper then lower case folds what one of the two alone leaves apart (ß/SS, ſ/s, final sigma).
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * The pairs of paths that clash after NFC and case folding, and those where a file stands in the place of another's
 * directory.
 */
export function pathClashes(paths: readonly string[]): readonly (readonly [string, string])[] {
  const seen = new Map<string, string>();
  const clashes: [string, string][] = [];
  for (const path of paths) {
    const key = clashKey(path);
    const other = seen.get(key);
    if (other === undefined) seen.set(key, path);
    else clashes.push([other, path]);
  }
  const directories = new Map<string, string>();
  for (const path of paths) {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      const directory = path.slice(0, end);
      const key = clashKey(directory);
      const file = seen.get(key);
      if (file !== undefined) clashes.push([file, path]);
      const spelled = directories.get(key);
      if (spelled !== undefined && spelled !== directory) clashes.push([`${spelled}/`, path]);
      directories.set(key, spelled ?? directory);
    }
  }
  return clashes;
}

/** The order of every list and map in our formats: by UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A path as part of a URL: every part percent-encoded. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
