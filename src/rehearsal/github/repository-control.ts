import type { GitHubContext } from './context.ts';
import { type ReleaseShape, releaseShape } from './shapes.ts';
import { objectId } from './store.ts';

/** What people do in a repository by other ways than the API's: `git push`, the settings page. */
export interface RepositoryControl {
  /** Pushes a new commit to the branch (the default one) and answers its id. */
  push(options?: { readonly branch?: string; readonly message?: string; readonly date?: string }): string;
  /** Pushes a tag; annotated, where the id of a tag object is given. */
  tag(name: string, commit: string, tagObject?: string): void;
  /** Gives it another name; the old one redirects. */
  rename(name: string): void;
  set(settings: {
    readonly private?: boolean;
    readonly archived?: boolean;
    readonly immutableReleases?: boolean;
  }): void;
  /** Head of the default branch. */
  readonly head: string;
  /** All releases, drafts too, as the API gives them; counts as no request. */
  readonly releases: readonly ReleaseShape[];
}

export function repositoryControl({ store, urls }: GitHubContext, fullName: string): RepositoryControl {
  const repository = store.repositories.find(({ owner, name }) => `${owner}/${name}` === fullName);
  if (repository === undefined) throw new RangeError(`the stand-in has no repository ${fullName}`);
  const headOf = (branch: string): string | null => repository.branches[branch] ?? null;
  return {
    push: ({ branch = repository.defaultBranch, message = 'Work', date } = {}) => {
      const parent = headOf(branch) ?? headOf(repository.defaultBranch);
      const sha = objectId('commit', parent ?? '', message, String(store.newId()));
      repository.commits[sha] = { date: date === undefined ? Date.now() : Date.parse(date), message, parent };
      repository.branches[branch] = sha;
      store.save();
      return sha;
    },
    tag: (name, commit, tagObject) => {
      repository.tags[name] = { commit, tagObject: tagObject ?? null, madeAt: Date.now() };
      store.save();
    },
    rename: (name) => {
      repository.formerNames.push(repository.name);
      repository.name = name;
      store.save();
    },
    set: (settings) => {
      repository.private = settings.private ?? repository.private;
      repository.archived = settings.archived ?? repository.archived;
      repository.immutableReleases = settings.immutableReleases ?? repository.immutableReleases;
      store.save();
    },
    get head() {
      return headOf(repository.defaultBranch) ?? '';
    },
    get releases() {
      return repository.releases.map((release) => releaseShape(urls, repository, release));
    },
  };
}
