import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RepositoryOptions } from './options.ts';

/**
 * Times are milliseconds since the epoch. The stand-in changes these objects in place, then calls
 * `save`.
 */
export interface StoredAsset {
  readonly id: number;
  name: string;
  label: string | null;
  readonly contentType: string;
  state: 'starter' | 'uploaded';
  size: number;
  sha256: string | null;
  downloadCount: number;
  readonly uploader: string;
  readonly createdAt: number;
  updatedAt: number;
}

export interface StoredRelease {
  readonly id: number;
  tagName: string;
  targetCommitish: string;
  name: string | null;
  body: string | null;
  draft: boolean;
  prerelease: boolean;
  immutable: boolean;
  readonly author: string;
  /** When the record was made; `createdAt` is the commit's date once there is one. */
  readonly madeAt: number;
  createdAt: number;
  publishedAt: number | null;
  updatedAt: number;
  /** Stands for the tag in a draft's URLs. */
  readonly untagged: string;
  assets: StoredAsset[];
}

export interface StoredCommit {
  readonly date: number;
  readonly message: string;
  readonly parent: string | null;
}

export interface StoredTag {
  readonly commit: string;
  /** Id of the tag object, where the tag is annotated. */
  readonly tagObject: string | null;
  readonly madeAt: number;
}

export interface StoredRepository {
  readonly id: number;
  readonly owner: string;
  name: string;
  /** Names that redirect to it. */
  readonly formerNames: string[];
  private: boolean;
  archived: boolean;
  immutableReleases: boolean;
  readonly defaultBranch: string;
  readonly commits: Record<string, StoredCommit>;
  readonly branches: Record<string, string>;
  readonly tags: Record<string, StoredTag>;
  /** Tags of deleted immutable releases: used up for ever. */
  readonly retiredTags: string[];
  /** The release that was marked as latest by name, where there is one. */
  latestReleaseId: number | null;
  releases: StoredRelease[];
}

interface State {
  nextId: number;
  readonly signingKey: string;
  readonly repositories: StoredRepository[];
}

export interface Store {
  readonly repositories: readonly StoredRepository[];
  readonly signingKey: string;
  newId(): number;
  /** Where the bytes of an asset are. */
  assetPath(id: number): string;
  /** Makes what was changed survive the process. */
  save(): void;
  close(): void;
}

/**
 * Opens the state in `directory`, or starts one; repositories that it doesn't know yet are added.
 */
export function openStore(directory: string | undefined, repositories: readonly RepositoryOptions[]): Store {
  const root = directory ?? mkdtempSync(join(tmpdir(), 'github-stand-in-'));
  const stateFile = join(root, 'state.json');
  mkdirSync(join(root, 'assets'), { recursive: true });
  const state = readState(stateFile);
  const newId = (): number => state.nextId++;
  for (const options of repositories) {
    const known = state.repositories.some(({ owner, name }) => owner === options.owner && name === options.name);
    if (!known) state.repositories.push(newRepository(newId(), options));
  }
  const save = (): void => {
    const temporary = `${stateFile}.tmp`;
    writeFileSync(temporary, JSON.stringify(state));
    renameSync(temporary, stateFile);
  };
  save();
  return {
    repositories: state.repositories,
    signingKey: state.signingKey,
    newId,
    assetPath: (id) => join(root, 'assets', String(id)),
    save,
    close: () => {
      if (directory === undefined) rmSync(root, { recursive: true, force: true });
      else save();
    },
  };
}

/** A made-up object id that is always the same for the same words. */
export function objectId(...words: readonly string[]): string {
  return createHash('sha1').update(words.join('\0')).digest('hex');
}

function readState(path: string): State {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State;
  } catch {
    return { nextId: 100_001, signingKey: randomBytes(32).toString('hex'), repositories: [] };
  }
}

function newRepository(id: number, options: RepositoryOptions): StoredRepository {
  const { owner, name, defaultBranch = 'main' } = options;
  const given = options.commits ?? [{ sha: objectId('commit', owner, name) }];
  const commits: Record<string, StoredCommit> = {};
  let parent: string | null = null;
  for (const { sha, date = '2024-01-01T00:00:00Z', message = 'Work' } of given) {
    commits[sha] = { date: Date.parse(date), message, parent };
    parent = sha;
  }
  const tags: Record<string, StoredTag> = {};
  for (const [tag, target] of Object.entries(options.tags ?? {})) {
    const ids = typeof target === 'string' ? { commit: target, tagObject: null } : target;
    tags[tag] = { ...ids, madeAt: 0 };
  }
  return {
    id,
    owner,
    name,
    formerNames: [],
    private: options.private ?? false,
    archived: options.archived ?? false,
    immutableReleases: options.immutableReleases ?? false,
    defaultBranch,
    commits,
    branches: parent === null ? {} : { [defaultBranch]: parent },
    tags,
    retiredTags: [],
    latestReleaseId: null,
    releases: [],
  };
}
