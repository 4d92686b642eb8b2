import semver from 'semver';
import { limits } from '../../contract/limits.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import type { Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import { sha256 } from '../../core/hashing.ts';
import { problemError } from '../preflight-problems.ts';
import { versionOf } from '../published-tags.ts';
import { createPatience, type RemoteTuning } from '../remote.ts';
import { targetError } from '../request-failure.ts';
import type { ListedRelease, Pointer, ReleaseFile, Target, TargetInspection, TargetRelease } from '../target.ts';
import { movePointers, ownNames } from './move-pointers.ts';
import { awaitPublicFiles, releaseIn, requireServed } from './served-address.ts';
import type { MirrorStorage } from './storage.ts';

export interface MirrorOptions {
  readonly storage: MirrorStorage;
  readonly tagPrefix: string;
  /**
   * Public addresses, which are asked before pointers move; undefined where they can't be reached
   * from here.
   */
  readonly addresses?: { readonly root: string; readonly of: (tag: string, name: string) => string } | undefined;
  readonly tuning?: RemoteTuning;
}

/**
 * A storage that is published as it is: `<tag>/…`, and at its root the manifest of the newest
 * release, its client and its catalogue. A tag is public once its manifest.json stands there: that
 * is written when it goes public, after everything else was found at its address.
 */
export function createMirrorTarget(options: MirrorOptions): Target {
  const { storage, tagPrefix, addresses } = options;
  const patience = createPatience(options.tuning ?? {});
  const run = async <T>(context: RunContext, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw targetError(error, storage.place, 'the credentials', context);
    }
  };
  const send = async (release: TargetRelease, files: readonly ReleaseFile[], context: RunContext): Promise<void> => {
    // Somebody may have come first.
    const [conflict] = await preflight(storage, release, context);
    if (conflict) throw problemError(conflict);
    await storage.send(release.tag, files, context);
  };
  return {
    kind: 'mirror',
    place: storage.place,
    published: (context) =>
      run(context, async () => {
        const releases = (await listReleases(storage, tagPrefix, context)).filter(({ state }) => state === 'public');
        if (addresses) await requireServed(storage, addresses.root, tagPrefix, releases, patience, context);
        return releases;
      }),
    list: (context) => run(context, () => listReleases(storage, tagPrefix, context)),
    pointer: (context) => run(context, () => readPointer(storage, context)),
    downloads: async () => ({ total: undefined, counted: "not counted here; the web server's log knows" }),
    readDocument: (tag, name, context, { maxBytes = limits.manifestBytes } = {}) =>
      run(context, async () => (await storage.read(`${tag}/${name}`, maxBytes, context))?.bytes),
    preflight: (release, context) => run(context, () => preflight(storage, release, context)),
    missing: (release, context) =>
      run(context, () => storage.missing(release.tag, apart(release.files).others, context)),
    upload: (release, context) => run(context, () => send(release, apart(release.files).others, context)),
    makePublic: (release, context) =>
      run(context, async () => {
        const { manifest, others } = apart(release.files);
        const found = async (files: readonly ReleaseFile[]): Promise<void> => {
          if (addresses) await awaitPublicFiles(storage, release.tag, files, addresses.of, patience, context);
        };
        await found(others);
        // Part of no upload, and so of none that is told.
        await send(release, manifest, { signal: context.signal });
        await found(manifest);
      }),
    movePointers: (release, context) => run(context, () => movePointers(storage, release, patience, context)),
    inspect: (tag, context) => run(context, () => inspect(storage, tag, context)),
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

async function listReleases(
  storage: MirrorStorage,
  tagPrefix: string,
  context: RunContext,
): Promise<readonly ListedRelease[]> {
  const tags = (await storage.directories(tagPrefix, context)).flatMap((tag) => {
    const version = versionOf(tag, tagPrefix);
    return version === undefined ? [] : [{ tag, version }];
  });
  const found = await mapConcurrently(tags, 8, async ({ tag, version }): Promise<ListedRelease> => {
    const whole = await storage.exists(`${tag}/manifest.json`, context);
    return { tag, version, state: whole ? 'public' : 'draft' };
  });
  return found.sort((a, b) => semver.rcompare(a.version, b.version));
}

async function readPointer(storage: MirrorStorage, context: RunContext): Promise<Pointer> {
  const bytes = (await storage.read('manifest.json', limits.manifestBytes, context))?.bytes;
  return { name: 'manifest.json at its root', tag: bytes && releaseIn(bytes, storage.at('manifest.json')) };
}

async function preflight(
  storage: MirrorStorage,
  release: TargetRelease,
  context: RunContext,
): Promise<readonly Problem[]> {
  const problems = [...(await storage.problems(release, ownNames, context))];
  const path = `${release.tag}/manifest.json`;
  const found = problems.length > 0 ? undefined : (await storage.read(path, limits.manifestBytes, context))?.bytes;
  const ours = release.files.find((file) => file.name === 'manifest.json');
  if (found !== undefined && ours !== undefined && sha256(found) !== ours.sha256) {
    problems.push({
      level: 'error',
      code: 'conflict',
      file: storage.at(path),
      message: `${release.tag} is published on the mirror with other content`,
      hint: 'A published release never changes: raise "release" in release.json and run `aircher-models release` again.',
    });
  }
  return problems;
}

async function inspect(storage: MirrorStorage, tag: string, context: RunContext): Promise<TargetInspection> {
  const files = await storage.list(tag, context);
  const [pointer, own] = await Promise.all(
    ['manifest.json', `${tag}/manifest.json`].map((path) => storage.read(path, limits.manifestBytes, context)),
  );
  const isNewest = own?.bytes !== undefined && pointer?.bytes?.equals(own.bytes);
  return {
    state: own?.bytes !== undefined ? 'public' : files.length > 0 ? 'draft' : 'absent',
    files,
    revision: undefined,
    remarks: isNewest ? ['newest: the mirror root names it'] : [],
  };
}
