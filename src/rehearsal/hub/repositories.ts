import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { defaultGitAttributes } from './git-attributes.ts';
import { createObjectStore, encodeCommit, type ObjectId, type ObjectStore, targetOfTag } from './git-objects.ts';
import { revisionNotFound } from './hub-error.ts';
import { createLfsStore, type LfsStore } from './lfs-store.ts';
import { type IsHidden, openRefs, type Refs } from './refs.ts';
import { createSnapshotReader, type Snapshot, type SnapshotReader, writeTrees } from './snapshot.ts';

export interface RepositorySettings {
  readonly private: boolean;
  readonly gated: false | 'auto' | 'manual';
  readonly createdAt: string;
  /** Its name, where it isn't the one that it was made with. */
  readonly renamedTo?: string;
}

/** A model repository on disk: a bare git repository beside its large file storage. */
export interface Repository {
  /** `owner/name`. */
  readonly name: string;
  readonly settings: RepositorySettings;
  readonly gitDirectory: string;
  readonly objects: ObjectStore;
  readonly refs: Refs;
  readonly snapshots: SnapshotReader;
  readonly lfs: LfsStore;
  /** Since the stand-in was started: the Hub tells those of the last 30 days, about a day late. */
  readonly downloads: { count: number };
  /** Takes the one commit lock and answers its release; undefined while another commit holds it. */
  tryLock(): (() => void) | undefined;
}

/** All repositories below one directory; one process owns it. */
export interface Repositories {
  get(name: string): Repository | undefined;
  /** A new one with its first commit, as the Hub makes it; undefined where the name is taken. */
  create(name: string, settings: Partial<RepositorySettings>, author: string): Promise<Repository | undefined>;
  /** Gives a repository another name; requests under the old one are redirected from then on. */
  rename(name: string, to: string): Promise<void>;
  /** The name by which a repository that was renamed is known now. */
  newNameOf(name: string): string | undefined;
}

export async function openRepositories(directory: string): Promise<Repositories> {
  const repositories = new Map<string, Repository>();
  /** By the name that each was made with, which is its directory's. */
  const renamed = new Map<string, string>();
  const creating = new Set<string>();
  // Names are compared without regard to case, as the Hub does.
  const key = (name: string): string => name.toLowerCase();
  await mkdir(directory, { recursive: true });
  for (const owner of await readdir(directory)) {
    for (const name of await readdir(join(directory, owner))) {
      const path = join(directory, owner, name);
      // Without settings its creation was cut short, and nobody was told of it.
      if (await exists(join(path, 'settings.json'))) {
        const repository = await openRepository(path, `${owner}/${name}`);
        repositories.set(key(repository.name), repository);
        if (repository.settings.renamedTo !== undefined) renamed.set(key(`${owner}/${name}`), repository.name);
      }
    }
  }
  return {
    get: (name) => repositories.get(key(name)),
    create: async (name, settings, author) => {
      if (repositories.has(key(name)) || creating.has(key(name))) return undefined;
      creating.add(key(name));
      try {
        const path = join(directory, name);
        await initialize(path, settings, author);
        const repository = await openRepository(path, name);
        repositories.set(key(name), repository);
        return repository;
      } finally {
        creating.delete(key(name));
      }
    },
    rename: async (name, to) => {
      const repository = repositories.get(key(name));
      if (repository === undefined || repository.settings.renamedTo !== undefined) {
        throw new RangeError(`the stand-in can't rename ${name}`);
      }
      const settings = { ...repository.settings, renamedTo: to };
      await writeSettings(join(directory, repository.name), settings);
      repositories.delete(key(name));
      repositories.set(key(to), { ...repository, name: to, settings });
      renamed.set(key(name), to);
    },
    newNameOf: (name) => renamed.get(key(name)),
  };
}

/**
 * The commit a branch, a tag, `HEAD` or a full commit id names. HubError RevisionNotFound
 * otherwise.
 */
export async function resolveRevision(
  repository: Repository,
  revision: string,
  isHidden?: IsHidden,
): Promise<ObjectId> {
  const name = revision === 'HEAD' ? 'main' : revision;
  const ref =
    repository.refs.get(`refs/heads/${name}`, isHidden) ??
    repository.refs.get(`refs/tags/${name}`, isHidden) ??
    (name.startsWith('refs/') ? repository.refs.get(name, isHidden) : undefined);
  if (ref !== undefined) return ref.commit;
  if (/^[0-9a-f]{40}$/.test(name)) {
    const found = await repository.objects.read(name).catch(() => undefined);
    if (found?.type === 'commit') return name;
  }
  throw revisionNotFound(revision);
}

/** The files of a revision, and its commit. */
export async function readRevision(
  repository: Repository,
  revision: string,
  isHidden?: IsHidden,
): Promise<{ readonly commit: ObjectId; readonly snapshot: Snapshot }> {
  const commit = await resolveRevision(repository, revision, isHidden);
  return { commit, snapshot: await repository.snapshots.ofCommit(commit) };
}

async function openRepository(directory: string, name: string): Promise<Repository> {
  const gitDirectory = join(directory, 'git');
  const settings = JSON.parse(await readFile(join(directory, 'settings.json'), 'utf8')) as RepositorySettings;
  const objects = createObjectStore(gitDirectory);
  const peel = async (oid: ObjectId): Promise<ObjectId> => {
    const object = await objects.read(oid);
    return object.type === 'tag' ? targetOfTag(object.body) : oid;
  };
  let locked = false;
  return {
    name: settings.renamedTo ?? name,
    settings,
    gitDirectory,
    objects,
    refs: await openRefs(gitDirectory, peel),
    snapshots: createSnapshotReader(objects),
    lfs: createLfsStore(join(directory, 'lfs')),
    downloads: { count: 0 },
    tryLock: () => {
      if (locked) return undefined;
      locked = true;
      return () => {
        locked = false;
      };
    },
  };
}

async function initialize(path: string, settings: Partial<RepositorySettings>, author: string): Promise<void> {
  const git = join(path, 'git');
  const objects = createObjectStore(git);
  await mkdir(join(git, 'objects'), { recursive: true });
  await writeFileAtomically(join(git, 'HEAD'), 'ref: refs/heads/main\n');
  await writeFileAtomically(join(git, 'config'), '[core]\n\trepositoryformatversion = 0\n\tbare = true\n');
  const attributes = await objects.write('blob', Buffer.from(defaultGitAttributes));
  const commit = encodeCommit({
    tree: await writeTrees(objects, new Map([['.gitattributes', { oid: attributes }]])),
    parents: [],
    author,
    email: emailOf(author),
    time: Math.floor(Date.now() / 1000),
    message: 'initial commit',
  });
  await writeFileAtomically(join(git, 'refs/heads/main'), `${await objects.write('commit', commit)}\n`);
  const complete: RepositorySettings = {
    private: settings.private ?? false,
    gated: settings.gated ?? false,
    createdAt: settings.createdAt ?? new Date().toISOString(),
  };
  await writeSettings(path, complete);
}

async function writeSettings(path: string, settings: RepositorySettings): Promise<void> {
  await writeFileAtomically(join(path, 'settings.json'), `${JSON.stringify(settings, null, 2)}\n`);
}

/** The address that the Hub signs a user's commits with. */
export function emailOf(user: string): string {
  return `${user}@users.noreply.huggingface.co`;
}
