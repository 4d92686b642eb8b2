import { isHiddenByLag } from '../faults.ts';
import { jsonReply, textReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { requireWrite } from './accounts.ts';
import { type Call, findRepository } from './context.ts';
import { allRefs, type Ref, resolveCommit } from './git-objects.ts';
import { pagedReply } from './paging.ts';
import { notFound, refusal } from './refusals.ts';
import { readFields } from './request-fields.ts';
import { repositoryPath, timestamp } from './shapes.ts';
import { objectId, type StoredRepository } from './store.ts';

/** REST: what a release pipeline asks of commits, branches, tags and refs. */
export const gitRoutes: readonly Route<Call>[] = [
  route('GET /repos/:owner/:repo/git/ref/:ref*', (call, { owner, repo, ref }) => {
    const repository = findRepository(call, owner, repo);
    const found = visibleRefs(call, repository).find(({ name }) => name === `refs/${ref}`);
    if (found === undefined) throw notFound();
    return jsonReply(200, refShape(call, repository, found));
  }),
  route('GET /repos/:owner/:repo/git/matching-refs/:ref*', (call, { owner, repo, ref }) => {
    const repository = findRepository(call, owner, repo);
    const found = visibleRefs(call, repository).filter(({ name }) => name.startsWith(`refs/${ref}`));
    return jsonReply(
      200,
      found.map((one) => refShape(call, repository, one)),
    );
  }),
  route('POST /repos/:owner/:repo/git/refs', async (call, { owner, repo }) => {
    const repository = findRepository(call, owner, repo);
    requireWrite(call.caller.account, repository);
    const { ref = '', sha = '' } = await readFields(call.exchange, { ref: 'string', sha: 'string' });
    const [, kind, name = ''] = /^refs\/(heads|tags)\/(.+)$/.exec(ref) ?? [];
    if (kind === undefined) throw refusal(422, "Reference name must start with 'refs/'.");
    if (!Object.hasOwn(repository.commits, sha)) throw refusal(422, 'Object does not exist');
    if (allRefs(repository).some((one) => one.name === ref)) throw refusal(422, 'Reference already exists');
    if (repository.retiredTags.includes(name))
      throw refusal(422, 'Cannot create ref due to creations being restricted.');
    if (kind === 'heads') repository.branches[name] = sha;
    else repository.tags[name] = { commit: sha, tagObject: null, madeAt: Date.now() };
    call.context.store.save();
    return jsonReply(201, refShape(call, repository, { name: ref, sha, peeled: undefined, madeAt: 0 }));
  }),
  route('DELETE /repos/:owner/:repo/git/refs/:ref*', (call, { owner, repo, ref }) => {
    const repository = findRepository(call, owner, repo);
    requireWrite(call.caller.account, repository);
    const [, kind, name = ''] = /^(heads|tags)\/(.+)$/.exec(ref) ?? [];
    const known: Record<string, unknown> = kind === 'heads' ? repository.branches : repository.tags;
    if (kind === undefined || !Object.hasOwn(known, name)) throw refusal(422, 'Reference does not exist');
    if (kind === 'tags' && repository.releases.some(({ immutable, tagName }) => immutable && tagName === name)) {
      throw refusal(422, 'Cannot delete this tag: it belongs to an immutable release.');
    }
    delete known[name];
    call.context.store.save();
    return { status: 204 };
  }),
  route('GET /repos/:owner/:repo/git/tags/:sha', (call, { owner, repo, sha }) => {
    const repository = findRepository(call, owner, repo);
    const [name, tag] = Object.entries(repository.tags).find(([, { tagObject }]) => tagObject === sha) ?? [];
    if (tag === undefined) throw notFound();
    const object = {
      sha: tag.commit,
      type: 'commit',
      url: `${call.context.urls.api}${repositoryPath(repository)}/git/commits/${tag.commit}`,
    };
    return jsonReply(200, {
      node_id: `TA_${sha}`,
      tag: name,
      sha,
      message: name,
      object,
      url: `${call.context.urls.api}${call.url.pathname}`,
    });
  }),
  route('GET /repos/:owner/:repo/commits/:ref*', (call, { owner, repo, ref }) => {
    const repository = findRepository(call, owner, repo);
    const sha = resolveCommit(repository, ref);
    if (sha === undefined) throw refusal(422, `No commit found for SHA: ${ref}`);
    if (call.exchange.headers.accept?.includes('github.sha')) return textReply(200, sha);
    return jsonReply(200, commitShape(call, repository, sha));
  }),
  route('GET /repos/:owner/:repo/branches/:branch*', (call, { owner, repo, branch }) => {
    const repository = findRepository(call, owner, repo);
    const sha = Object.hasOwn(repository.branches, branch) ? repository.branches[branch] : undefined;
    if (sha === undefined) throw refusal(404, 'Branch not found');
    return jsonReply(200, { name: branch, commit: commitShape(call, repository, sha), protected: false });
  }),
  route('GET /repos/:owner/:repo/tags', (call, { owner, repo }) => {
    const repository = findRepository(call, owner, repo);
    const api = `${call.context.urls.api}${repositoryPath(repository)}`;
    const tags = Object.entries(repository.tags).filter(
      ([, { madeAt }]) => !isHiddenByLag(call.exchange.faults, madeAt),
    );
    tags.sort(([a], [b]) => (a < b ? 1 : -1));
    return pagedReply(call, tags, ([name, { commit }]) => ({
      name,
      zipball_url: `${api}/zipball/refs/tags/${name}`,
      tarball_url: `${api}/tarball/refs/tags/${name}`,
      commit: { sha: commit, url: `${api}/commits/${commit}` },
      node_id: `REF_${objectId(name)}`,
    }));
  }),
];

function visibleRefs({ exchange }: Call, repository: StoredRepository): Ref[] {
  return allRefs(repository).filter(({ madeAt }) => !isHiddenByLag(exchange.faults, madeAt));
}

function refShape({ context }: Call, repository: StoredRepository, ref: Ref) {
  const api = `${context.urls.api}${repositoryPath(repository)}/git`;
  const type = ref.peeled === undefined ? 'commit' : 'tag';
  return {
    ref: ref.name,
    node_id: `REF_${objectId(ref.name)}`,
    url: `${api}/${ref.name}`,
    object: { sha: ref.sha, type, url: `${api}/${type}s/${ref.sha}` },
  };
}

function commitShape({ context }: Call, repository: StoredRepository, sha: string) {
  const api = `${context.urls.api}${repositoryPath(repository)}`;
  const commit = repository.commits[sha];
  const person = {
    name: repository.owner,
    email: `${repository.owner}@users.noreply.github.com`,
    date: timestamp(commit?.date ?? 0),
  };
  return {
    sha,
    node_id: `C_${sha}`,
    commit: {
      author: person,
      committer: person,
      message: commit?.message ?? '',
      tree: { sha: objectId('tree', sha), url: `${api}/git/trees/${objectId('tree', sha)}` },
      url: `${api}/git/commits/${sha}`,
      comment_count: 0,
    },
    url: `${api}/commits/${sha}`,
    html_url: `${context.urls.web}/${repository.owner}/${repository.name}/commit/${sha}`,
    parents: commit?.parent ? [{ sha: commit.parent, url: `${api}/commits/${commit.parent}` }] : [],
  };
}
