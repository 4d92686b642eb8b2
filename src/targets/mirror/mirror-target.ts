import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import semver from 'semver';
import { limits } from '../../contract/limits.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { hashFile } from '../../core/hashing.ts';
import { isWritable } from '../../core/read-files.ts';
import { versionOf } from '../published-tags.ts';
import { createPatience, type RemoteTuning } from '../remote.ts';
import type {
  InspectedFile,
  ListedRelease,
  Pointer,
  ReleaseFile,
  Target,
  TargetInspection,
  TargetRelease,
} from '../target.ts';
import { uploadProgress } from '../upload-progress.ts';
import {
  isDirectory,
  makeReadable,
  makeReadableDirectory,
  namesIn,
  readOrdinary,
  sizeOf,
  strangers,
  writeReadable,
} from './directory.ts';
import { movePointers, pointers } from './move-pointers.ts';
import { awaitPublicFiles, releaseIn, requireServed } from './served-address.ts';

export interface MirrorOptions {
  /** The directory that a web server serves as `base_url`. */
  readonly directory: string;
  readonly tagPrefix: string;
  /**
   * Public addresses, which are asked before pointers move; undefined where they can't be reached
   * from here.
   */
  readonly addresses?: { readonly root: string; readonly of: (tag: string, name: string) => string } | undefined;
  readonly tuning?: RemoteTuning;
}

/**
 * A directory that some web server publishes: `<tag>/…`, and at its root the manifest of the newest
 * release, its client and its catalogue. A tag is public once its manifest.json stands there: that
 * is written when it goes public, after everything else was found at its address.
 */
export function createMirrorTarget(options: MirrorOptions): Target {
  const { directory, tagPrefix, addresses } = options;
  const patience = createPatience(options.tuning ?? {});
  return {
    kind: 'mirror',
    place: directory,
    published: async (context) => {
      const releases = (await listReleases(directory, tagPrefix)).filter(({ state }) => state === 'public');
      if (addresses) await requireServed(directory, addresses.root, tagPrefix, releases, patience, context);
      return releases;
    },
    list: () => listReleases(directory, tagPrefix),
    pointer: () => readPointer(directory),
    downloads: async () => ({ total: undefined, counted: "not counted here; the web server's log knows" }),
    readDocument: (tag, name, _context, { maxBytes } = {}) => readDocument(directory, tag, name, maxBytes),
    preflight: (release) => preflight(directory, release),
    missing: (release, context) => missingFiles(directory, release.tag, apart(release.files).others, context),
    upload: (release, context) => writeFiles(directory, release, apart(release.files).others, context),
    makePublic: async (release, context) => {
      const { manifest, others } = apart(release.files);
      const found = async (files: readonly ReleaseFile[]): Promise<void> => {
        if (addresses) await awaitPublicFiles(directory, release.tag, files, addresses.of, patience, context);
      };
      await found(others);
      // Part of no upload, and so of none that is told.
      await writeFiles(directory, release, manifest, { signal: context.signal });
      await found(manifest);
    },
    movePointers: (release, context) => movePointers(directory, release, context),
    inspect: (tag, context) => inspect(directory, tag, context),
  };
}

/** A release's manifest, which makes it public, and its other files. */
function apart(files: readonly ReleaseFile[]): {
  readonly manifest: readonly ReleaseFile[];
  readonly others: readonly ReleaseFile[];
} {
  const isManifest = ({ name }: ReleaseFile): boolean => name === 'manifest.json';
  return { manifest: files.filter(isManifest), others: files.filter((file) => !isManifest(file)) };
}

async function listReleases(directory: string, tagPrefix: string): Promise<readonly ListedRelease[]> {
  const found: ListedRelease[] = [];
  for (const tag of await namesIn(directory)) {
    const version = versionOf(tag, tagPrefix);
    if (version === undefined || !(await isDirectory(join(directory, tag)))) continue;
    const whole = (await sizeOf(join(directory, tag, 'manifest.json'))) !== undefined;
    found.push({ tag, version, state: whole ? 'public' : 'draft' });
  }
  return found.sort((a, b) => semver.rcompare(a.version, b.version));
}

async function readDocument(
  directory: string,
  tag: string,
  name: string,
  maxBytes: number = limits.manifestBytes,
): Promise<Buffer | undefined> {
  const root = join(directory, tag);
  return (await isDirectory(root)) ? readOrdinary(join(root, name), maxBytes) : undefined;
}

async function readPointer(directory: string): Promise<Pointer> {
  const file = join(directory, 'manifest.json');
  const bytes = await readOrdinary(file, limits.manifestBytes);
  return { name: 'manifest.json at its root', tag: bytes && releaseIn(bytes, file) };
}

async function preflight(directory: string, release: TargetRelease): Promise<readonly Problem[]> {
  const names = release.files.map(({ name }) => name);
  const problems = [...(await strangers(directory, release.tag, names, ['aircher.mjs', ...pointers]))];
  const found = await readDocument(directory, release.tag, 'manifest.json');
  const ours = release.files.find((file) => file.name === 'manifest.json');
  if (found !== undefined && ours !== undefined && createHash('sha256').update(found).digest('hex') !== ours.sha256) {
    problems.push(otherContent(directory, release.tag));
  }
  const place = await nearestExisting(directory);
  if (!(await stat(place)).isDirectory()) {
    problems.push({
      level: 'error',
      code: 'machine',
      file: directory,
      message: `${place} is no directory`,
      hint: 'Correct "mirror.directory" in release.json.',
    });
  } else if (!(await isWritable(place))) {
    problems.push({
      level: 'error',
      code: 'machine',
      file: directory,
      message: `the mirror directory can't be written (${place} is read-only for this user)`,
      hint: 'Check who owns it and its permissions.',
    });
  }
  return problems;
}

function otherContent(directory: string, tag: string): Problem {
  return {
    level: 'error',
    code: 'conflict',
    file: join(directory, tag, 'manifest.json'),
    message: `${tag} is published on the mirror with other content`,
    hint: 'A published release never changes: raise "release" in release.json and run `aircher-models release` again.',
  };
}

async function nearestExisting(path: string): Promise<string> {
  for (let place = path; ; place = dirname(place)) {
    if ((await stat(place).catch(() => undefined)) !== undefined) return place;
  }
}

/** Everything that isn't there with the planned bytes. */
async function missingFiles(
  directory: string,
  tag: string,
  files: readonly ReleaseFile[],
  context: RunContext,
): Promise<readonly ReleaseFile[]> {
  const missing: ReleaseFile[] = [];
  for (const file of files) {
    const path = join(directory, tag, file.name);
    if (!(await holds(path, file, context))) missing.push(file);
  }
  return missing;
}

async function holds(path: string, file: ReleaseFile, context: RunContext): Promise<boolean> {
  const size = await sizeOf(path);
  if (size === undefined) return false;
  if (size === file.sizeBytes && (await hashFile(path, { signal: context.signal })).sha256 === file.sha256) return true;
  return file.accepts !== undefined && size <= limits.manifestBytes && (await file.accepts(await readFile(path)));
}

/**
 * Writes those of the release's files that are missing. Throws what `preflight` finds: somebody may
 * have come first.
 */
async function writeFiles(
  directory: string,
  release: TargetRelease,
  files: readonly ReleaseFile[],
  context: RunContext,
): Promise<void> {
  const [conflict] = await preflight(directory, release);
  if (conflict) {
    throw new AircherError(conflict.code ?? 'conflict', `${conflict.file}: ${conflict.message}`, {
      ...(conflict.hint ? { hint: conflict.hint } : {}),
    });
  }
  const { tag } = release;
  await makeReadableDirectory(join(directory, tag));
  const missing = new Set(await missingFiles(directory, tag, files, context));
  for (const file of files) {
    const path = join(directory, tag, file.name);
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

async function inspect(directory: string, tag: string, context: RunContext): Promise<TargetInspection> {
  const root = join(directory, tag);
  const files: InspectedFile[] = [];
  const names = (await isDirectory(root)) ? await namesIn(root) : [];
  for (const name of [...names].sort()) {
    const path = join(root, name);
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
  const pointer = await readOrdinary(join(directory, 'manifest.json'), limits.manifestBytes);
  const own = await readDocument(directory, tag, 'manifest.json');
  return {
    state: own !== undefined ? 'public' : files.length > 0 ? 'draft' : 'absent',
    files,
    revision: undefined,
    remarks: own !== undefined && pointer?.equals(own) ? ['newest: the mirror root names it'] : [],
  };
}
