import { jsonReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, openForWrite, readJson } from './access.ts';
import { encodeCommit, encodeTag, type ObjectId } from './git-objects.ts';
import { HubError, revisionNotFound } from './hub-error.ts';
import { isRefName } from './refs.ts';
import { emailOf, type Repository, resolveRevision } from './repositories.ts';
import { writeTrees } from './snapshot.ts';

/** Branches and tags: made and deleted. */
export function refRoutes(context: HubContext): readonly Route[] {
  const base = '/api/models/:owner/:name' as const;
  return [
    route(`POST ${base}/branch/:branch`, async (exchange, params) => {
      const { repository, account } = openForWrite(context, exchange, params);
      const { startingPoint, emptyBranch, overwrite } = await readJson(exchange);
      const ref = `refs/heads/${params.branch}`;
      const existing = repository.refs.get(ref);
      // Overwriting without saying by what leaves an existing branch as it is.
      const isNothing =
        existing !== undefined && overwrite === true && startingPoint === undefined && emptyBranch !== true;
      if (isNothing) return jsonReply(200, {});
      checkFree(repository, ref, overwrite === true);
      const commit =
        emptyBranch === true
          ? await writeEmptyCommit(repository, account.user)
          : await resolveRevision(repository, typeof startingPoint === 'string' ? startingPoint : 'main');
      await repository.refs.set(ref, { oid: commit, commit });
      return jsonReply(201, {});
    }),
    route(`DELETE ${base}/branch/:branch`, async (exchange, params) => {
      const { repository } = openForWrite(context, exchange, params);
      if (params.branch === 'main') throw new HubError(400, "The default branch can't be deleted.");
      return deleteRef(repository, 'refs/heads/', params.branch);
    }),
    route(`POST ${base}/tag/:revision`, async (exchange, params) => {
      const { repository, account } = openForWrite(context, exchange, params);
      const { tag, message } = await readJson(exchange);
      if (typeof tag !== 'string') throw new HubError(400, '"tag" is required');
      const ref = `refs/tags/${tag}`;
      const commit = await resolveRevision(repository, params.revision);
      checkFree(repository, ref, false);
      const oid =
        typeof message === 'string' && message !== ''
          ? await repository.objects.write(
              'tag',
              encodeTag({ target: commit, name: tag, message, ...taggerOf(account.user) }),
            )
          : commit;
      await repository.refs.set(ref, { oid, commit });
      return jsonReply(201, {});
    }),
    route(`DELETE ${base}/tag/:tag`, async (exchange, params) => {
      const { repository } = openForWrite(context, exchange, params);
      return deleteRef(repository, 'refs/tags/', params.tag);
    }),
  ];
}

/**
 * HubError 400 for a name git refuses, 409 where the ref, or one that its file name would clash
 * with, is there.
 */
function checkFree(repository: Repository, ref: string, mayExist: boolean): void {
  if (!isRefName(ref.split('/').slice(2).join('/'))) throw new HubError(400, `Invalid reference name: ${ref}`);
  const clash = repository.refs
    .list()
    .find(({ name }) => (name === ref && !mayExist) || name.startsWith(`${ref}/`) || ref.startsWith(`${name}/`));
  if (clash !== undefined) throw new HubError(409, `Reference already exists: ${clash.name}`);
}

async function deleteRef(repository: Repository, prefix: string, name: string): Promise<ReturnType<typeof jsonReply>> {
  if (repository.refs.get(prefix + name) === undefined) throw revisionNotFound(name);
  await repository.refs.set(prefix + name, undefined);
  return jsonReply(200, {});
}

function taggerOf(user: string): { readonly tagger: string; readonly email: string; readonly time: number } {
  return { tagger: user, email: emailOf(user), time: Math.floor(Date.now() / 1000) };
}

async function writeEmptyCommit(repository: Repository, user: string): Promise<ObjectId> {
  const { time } = taggerOf(user);
  const tree = await writeTrees(repository.objects, new Map());
  const commit = encodeCommit({
    tree,
    parents: [],
    author: user,
    email: emailOf(user),
    time,
    message: 'initial commit',
  });
  return repository.objects.write('commit', commit);
}
