import type { StoredRepository, StoredTag } from './store.ts';

/** One ref, as git's advertisement lists it. */
export interface Ref {
  readonly name: string;
  /** The commit, or the tag object of an annotated tag. */
  readonly sha: string;
  /** The commit that an annotated tag names. */
  readonly peeled: string | undefined;
  readonly madeAt: number;
}

/** All branches and tags, sorted by full name as git sorts them. */
export function allRefs(repository: StoredRepository): Ref[] {
  const heads = Object.entries(repository.branches).map(
    ([name, sha]): Ref => ({ name: `refs/heads/${name}`, sha, peeled: undefined, madeAt: 0 }),
  );
  const tags = Object.entries(repository.tags).map(
    ([name, { commit, tagObject, madeAt }]): Ref => ({
      name: `refs/tags/${name}`,
      sha: tagObject ?? commit,
      peeled: tagObject === null ? undefined : commit,
      madeAt,
    }),
  );
  return [...heads, ...tags].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

export function findTag(repository: StoredRepository, name: string): StoredTag | undefined {
  return Object.hasOwn(repository.tags, name) ? repository.tags[name] : undefined;
}

/** The commit that a branch, tag, full ref, or (unique beginning of an) id names. */
export function resolveCommit(repository: StoredRepository, commitish: string): string | undefined {
  const name = commitish.replace(/^(refs\/)?(heads|tags)\//, '');
  if (Object.hasOwn(repository.branches, name)) return repository.branches[name];
  const tag = findTag(repository, name);
  if (tag !== undefined) return tag.commit;
  if (!/^[0-9a-f]{7,40}$/.test(commitish)) return undefined;
  const found = Object.keys(repository.commits).filter((sha) => sha.startsWith(commitish));
  return found.length === 1 ? found[0] : undefined;
}
