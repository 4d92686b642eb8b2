import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { limits } from '../../contract/limits.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import { isWritable, namesIn } from '../../core/read-files.ts';
import { makeReadable, makeReadableDirectory, writeReadable } from '../../core/readable-by-all.ts';
import type { InspectedFile, ReleaseFile, TargetRelease } from '../target.ts';
import { uploadProgress } from '../upload-progress.ts';
import { isDirectory, isTaken, readOrdinary, sizeOf, strangers } from './directory.ts';
import type { MirrorStorage } from './storage.ts';

/** A directory that some web server publishes. */
export function directoryStorage(root: string): MirrorStorage {
  const at = (path: string): string => join(root, path);
  return {
    place: root,
    at,
    correction: 'Correct "mirror.directory" in release.json, or mount it.',
    directories: async (prefix) => {
      const found: string[] = [];
      for (const name of await namesIn(root))
        if (name.startsWith(prefix) && (await isDirectory(at(name)))) found.push(name);
      return found;
    },
    list: (directory, context) => list(at(directory), context),
    exists: async (path) => (await sizeInside(root, path)) !== undefined,
    read: async (path, maxBytes) => {
      const isThere = (await sizeInside(root, path)) !== undefined;
      if (isThere) return { bytes: await readOrdinary(at(path), maxBytes) };
      return (await isTaken(at(path))) ? { bytes: undefined } : undefined;
    },
    replace: async (path, bytes, before) => {
      if (before?.bytes?.equals(bytes)) await makeReadable(at(path));
      else await writeReadable(at(path), (handle) => handle.writeFile(bytes));
    },
    missing: (tag, files, context) => missingIn(at(tag), files, context),
    send: (tag, files, context) => send(at(tag), files, context),
    problems: (release, names) => problems(root, release, names),
  };
}

/** Of a file in a directory of the root; one behind a link to a directory is none. */
async function sizeInside(root: string, path: string): Promise<number | undefined> {
  const directory = dirname(path);
  if (directory !== '.' && !(await isDirectory(join(root, directory)))) return undefined;
  return sizeOf(join(root, path));
}

async function list(directory: string, context: RunContext): Promise<readonly InspectedFile[]> {
  const files: InspectedFile[] = [];
  const names = (await isDirectory(directory)) ? await namesIn(directory) : [];
  for (const name of [...names].sort()) {
    const path = join(directory, name);
    const sizeBytes = await sizeOf(path);
    if (sizeBytes === undefined) continue;
    const unfinished = name.startsWith('.tmp-');
    files.push({
      name,
      sizeBytes,
      digest: unfinished
        ? undefined
        : { algorithm: 'sha256', hex: (await hashFile(path, { signal: context.signal })).sha256 },
      state: unfinished ? 'unfinished' : 'whole',
      downloads: undefined,
    });
  }
  return files;
}

async function problems(root: string, release: TargetRelease, names: readonly string[]): Promise<readonly Problem[]> {
  const files = release.files.map(({ name }) => name);
  const found = [...(await strangers(root, release.tag, files, names))];
  const place = await nearestExisting(root);
  if (!(await stat(place)).isDirectory()) {
    found.push({
      level: 'error',
      code: 'machine',
      file: root,
      message: `${place} is no directory`,
      hint: 'Correct "mirror.directory" in release.json.',
    });
  } else if (!(await isWritable(place))) {
    found.push({
      level: 'error',
      code: 'machine',
      file: root,
      message: `the mirror directory can't be written (${place} is read-only for this user)`,
      hint: 'Check who owns it and its permissions.',
    });
  }
  return found;
}

async function nearestExisting(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    if ((await stat(place).catch(() => undefined)) !== undefined) return place;
  }
}

async function missingIn(
  directory: string,
  files: readonly ReleaseFile[],
  context: RunContext,
): Promise<readonly ReleaseFile[]> {
  const missing: ReleaseFile[] = [];
  for (const file of files) if (!(await holds(join(directory, file.name), file, context))) missing.push(file);
  return missing;
}

async function holds(path: string, file: ReleaseFile, context: RunContext): Promise<boolean> {
  const size = await sizeOf(path);
  if (size === undefined) return false;
  if (size === file.sizeBytes && (await hashFile(path, { signal: context.signal })).sha256 === file.sha256) return true;
  return file.accepts !== undefined && size <= limits.manifestBytes && (await file.accepts(await readFile(path)));
}

async function send(directory: string, files: readonly ReleaseFile[], context: RunContext): Promise<void> {
  await makeReadableDirectory(directory);
  const missing = new Set(await missingIn(directory, files, context));
  for (const file of files) {
    const path = join(directory, file.name);
    const progress = uploadProgress(file, 'mirror', context);
    if (missing.has(file)) await copyFile(file, path, progress.sent, context);
    else await makeReadable(path);
    progress.done(missing.has(file) ? undefined : 'already there');
  }
}

async function copyFile(
  file: ReleaseFile,
  destination: string,
  onSent: (bytes: number) => void,
  context: RunContext,
): Promise<void> {
  if (file.content.kind !== 'file') throw new AircherError('unexpected', `${file.name} has no file to copy`);
  const source = file.content.path;
  const hash = createHash('sha256');
  let done = 0;
  await writeReadable(destination, async (handle) => {
    for await (const piece of createReadStream(source, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      context.signal?.throwIfAborted();
      hash.update(piece);
      // Unlike `write`, this writes all of it, or fails.
      await handle.writeFile(piece);
      done += piece.length;
      onSent(done);
    }
    const found = hash.digest('hex');
    if (found !== file.sha256) {
      throw new AircherError('integrity', `${source} is not what was packed`, {
        hint: 'Run `aircher-models pack` again.',
        details: { expected: file.sha256, found },
      });
    }
  });
}
