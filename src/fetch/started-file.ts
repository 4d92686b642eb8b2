import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** How the client's own file begins, built or not. */
export const banner = '#!/usr/bin/env node\n// aircher, the client of embedding model releases';

/**
 * Whether the client's module (`moduleUrl`: its `import.meta.url`) is the file that Node was
 * started with (`started`: its `process.argv[1]`, which may be a link in `node_modules/.bin`), and
 * is itself the client. A program that a bundler made of an app and the client is the started file
 * too, but begins otherwise; in one of CommonJS there is no `import.meta.url`.
 */
export function isStartedFile(moduleUrl: string | undefined, started: string | undefined): boolean {
  if (!moduleUrl?.startsWith('file:') || started === undefined) return false;
  try {
    const file = realpathSync(fileURLToPath(moduleUrl));
    return file === realpathSync(started) && readStart(file, banner.length) === banner;
  } catch {
    return false;
  }
}

/**
 * Where the client's one file is that runs as the command: what Node was started with, unless that
 * is a checkout's source.
 */
export function runningClient(started: string | undefined): string | undefined {
  if (started === undefined) return undefined;
  const file = realpathSync(started);
  return file.endsWith('.mjs') && readStart(file, banner.length) === banner ? file : undefined;
}

function readStart(file: string, length: number): string {
  const bytes = Buffer.alloc(length);
  const descriptor = openSync(file, 'r');
  try {
    return bytes.toString('latin1', 0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}
