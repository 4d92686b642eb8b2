import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import { limits } from '../contract/limits.ts';
import { parseManifest } from '../contract/manifest.ts';
import { AircherError, type Problem, systemErrorCode } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import { isWritable, readFileIfThere, writeAtomically, writeFileAtomically } from '../core/files.ts';
import { hashFile } from '../core/hashing.ts';
import { versionOf } from './published-tags.ts';
import type {
  InspectedFile,
  ListedRelease,
  Pointer,
  ReleaseFile,
  Target,
  TargetInspection,
  TargetRelease,
} from './target.ts';

export interface MirrorOptions {
  /** The directory that a web server serves as `base_url`. */
  readonly directory: string;
  readonly tagPrefix: string;
}

const pointers = ['manifest.json.minisig', 'manifest.json.asc', 'manifest.json'] as const;

/**
 * A directory that some web server publishes: `<tag>/…`, and at its root the manifest of the newest release. A tag is public
 * once its manifest.json stands there, which is written last.
 */
export function createMirrorTarget(options: MirrorOptions): Target {
  const { directory, tagPrefix } = options;
  return {
    kind: 'mirror',
    place: directory,
    published: async () => (await listReleases(directory, tagPrefix)).filter(({ state }) => state === 'public'),
    list: () => listReleases(directory, tagPrefix),
    pointer: () => readPointer(directory),
    readDocument: (tag, name) => readFileIfThere(join(directory, tag, name)),
    preflight: (release) => preflight(directory, release),
    missing: (release, context) => missingFiles(directory, release, context),
    upload: (release, context) => upload(directory, release, context),
    makePublic: async () => {},
    movePointers: (release) => movePointers(directory, release),
    inspect: (tag, context) => inspect(directory, tag, context),
  };
}

async function listReleases(directory: string, tagPrefix: string): Promise<readonly ListedRelease[]> {
  const found: ListedRelease[] = [];
  for (const tag of await namesIn(directory)) {
    const version = versionOf(tag, tagPrefix);
    if (version === undefined || !(await stat(join(directory, tag))).isDirectory()) continue;
    const whole = (await sizeOf(join(directory, tag, 'manifest.json'))) !== undefined;
    found.push({ tag, version, state: whole ? 'public' : 'draft' });
  }
  return found.sort((a, b) => semver.rcompare(a.version, b.version));
}

async function readPointer(directory: string): Promise<Pointer> {
  const file = join(directory, 'manifest.json');
  const bytes = await readFileIfThere(file);
  return { name: 'manifest.json at its root', tag: bytes && parseManifest(bytes, file).release };
}

async function preflight(directory: string, release: TargetRelease): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const found = await readFileIfThere(join(directory, release.tag, 'manifest.json'));
  const ours = release.files.find((file) => file.name === 'manifest.json');
  if (found !== undefined && ours !== undefined && createHash('sha256').update(found).digest('hex') !== ours.sha256) {
    problems.push(otherContent(directory, release.tag));
  }
  const place = await nearestExisting(directory);
  if (!(await isWritable(place))) {
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
  for (let place = path; ; place = join(place, '..')) {
    if ((await stat(place).catch(() => undefined)) !== undefined) return place;
  }
}

/** Everything that isn't there with the planned bytes. */
async function missingFiles(
  directory: string,
  release: TargetRelease,
  context: RunContext,
): Promise<readonly ReleaseFile[]> {
  const missing: ReleaseFile[] = [];
  for (const file of release.files) {
    const path = join(directory, release.tag, file.name);
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

async function upload(directory: string, release: TargetRelease, context: RunContext): Promise<void> {
  const problems = await preflight(directory, release);
  const [conflict] = problems;
  if (conflict)
    throw new AircherError(conflict.code ?? 'conflict', conflict.message, {
      ...(conflict.hint ? { hint: conflict.hint } : {}),
    });
  const missing = await missingFiles(directory, release, context);
  if (missing.length === 0) return;
  await mkdir(join(directory, release.tag), { recursive: true });
  // The manifest makes the tag public, so it comes last.
  const last = (file: ReleaseFile): number => (file.name === 'manifest.json' ? 1 : 0);
  for (const file of [...missing].sort((a, b) => last(a) - last(b))) {
    await copyFile(file, join(directory, release.tag, file.name), context);
  }
}

async function copyFile(file: ReleaseFile, destination: string, context: RunContext): Promise<void> {
  if (file.content.kind !== 'file') throw new AircherError('unexpected', `${file.name} has no file to copy`);
  const source = file.content.path;
  const hash = createHash('sha256');
  let done = 0;
  await writeAtomically(destination, async (handle) => {
    for await (const piece of createReadStream(source, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
      context.signal?.throwIfAborted();
      hash.update(piece);
      // Unlike `write`, this writes all of it, or fails.
      await handle.writeFile(piece);
      done += piece.length;
      context.onEvent?.({
        type: 'progress',
        task: 'upload',
        subject: file.name,
        via: 'mirror',
        done,
        total: file.sizeBytes,
      });
    }
    const found = hash.digest('hex');
    if (found !== file.sha256) {
      throw new AircherError('integrity', `${source} is not what was packed`, {
        hint: 'Run `aircher-models pack` again.',
        details: { expected: file.sha256, found },
      });
    }
  });
  context.onEvent?.({ type: 'done', task: 'upload', subject: file.name, via: 'mirror' });
}

async function movePointers(directory: string, release: TargetRelease): Promise<void> {
  if (release.prerelease || (await namesNewer(directory, release))) return;
  for (const name of pointers) {
    const bytes = await readFileIfThere(join(directory, release.tag, name));
    const before = await readFileIfThere(join(directory, name));
    if (bytes === undefined || before?.equals(bytes)) continue;
    await writeFileAtomically(join(directory, name), bytes);
  }
}

/** Publishing an old release again leaves the pointer to a newer one alone. */
async function namesNewer(directory: string, release: TargetRelease): Promise<boolean> {
  const path = join(directory, 'manifest.json');
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) return false;
  const tag = parseManifest(bytes, path).release ?? '';
  const version = tag.slice(release.tag.length - release.version.length);
  return semver.valid(version) !== null && semver.gt(version, release.version);
}

async function inspect(directory: string, tag: string, context: RunContext): Promise<TargetInspection> {
  const root = join(directory, tag);
  const files: InspectedFile[] = [];
  for (const name of (await namesIn(root)).sort()) {
    const path = join(root, name);
    const found = await stat(path);
    if (!found.isFile()) continue;
    const unfinished = name.startsWith('.tmp-');
    files.push({
      name,
      sizeBytes: found.size,
      digest: unfinished
        ? undefined
        : { algorithm: 'sha256', hex: (await hashFile(path, { signal: context.signal })).sha256 },
      state: unfinished ? 'unfinished' : 'whole',
      downloads: undefined,
    });
  }
  const pointer = await readFileIfThere(join(directory, 'manifest.json'));
  const own = await readFileIfThere(join(root, 'manifest.json'));
  return {
    state: own !== undefined ? 'public' : files.length > 0 ? 'draft' : 'absent',
    files,
    revision: undefined,
    remarks: own !== undefined && pointer?.equals(own) ? ['newest: the mirror root names it'] : [],
  };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return [];
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}
