import type { Exchange } from '../http.ts';
import { jsonReply, type Reply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, hiddenFrom, openForRead, type RepositoryParams } from './access.ts';
import { idOf, ownerOf } from './accounts.ts';
import { readMetadata } from './card-metadata.ts';
import { type HistoryEntry, walkHistory } from './history.ts';
import { entryNotFound } from './hub-error.ts';
import { answerPathsInfo, answerTree } from './listing.ts';
import { nextPage } from './paging.ts';
import { type Repository, readRevision, resolveRevision } from './repositories.ts';
import type { FileEntry } from './snapshot.ts';

/** Everything that tells of a repository and changes nothing. */
export function infoRoutes(context: HubContext): readonly Route[] {
  const base = '/api/models/:owner/:name' as const;
  const open = (exchange: Exchange, params: RepositoryParams): Repository =>
    openForRead(context, exchange, params, 'metadata').repository;
  const list = async (
    exchange: Exchange,
    params: RepositoryParams & { readonly revision: string; readonly path?: string },
  ): Promise<Reply> => {
    const repository = open(exchange, params);
    const revision = await readRevision(repository, params.revision, hiddenFrom(exchange));
    const folder = params.path?.replace(/\/$/, '') ?? '';
    if (folder !== '' && !revision.snapshot.folders.has(folder)) throw entryNotFound(folder, params.revision);
    return answerTree(exchange, repository, revision, folder);
  };
  return [
    route(`GET ${base}`, (exchange, params) => describeModel(exchange, open(exchange, params), 'main')),
    route(`GET ${base}/revision/:revision`, (exchange, params) =>
      describeModel(exchange, open(exchange, params), params.revision),
    ),
    route(`GET ${base}/tree/:revision`, list),
    route(`GET ${base}/tree/:revision/:path*`, list),
    route(`POST ${base}/paths-info/:revision`, async (exchange, params) => {
      const repository = open(exchange, params);
      const revision = await readRevision(repository, params.revision, hiddenFrom(exchange));
      return answerPathsInfo(exchange, repository, revision);
    }),
    route(`GET ${base}/refs`, (exchange, params) => describeRefs(exchange, open(exchange, params))),
    route(`GET ${base}/commits/:revision`, (exchange, params) =>
      listCommits(exchange, open(exchange, params), params.revision),
    ),
    route(`GET ${base}/auth-check`, (exchange, params) => {
      openForRead(context, exchange, params, 'content');
      return jsonReply(200, {});
    }),
  ];
}

async function describeModel(exchange: Exchange, repository: Repository, name: string): Promise<Reply> {
  const { commit, snapshot } = await readRevision(repository, name, hiddenFrom(exchange));
  const { searchParams } = exchange.url;
  const withBlobs = searchParams.get('blobs') === 'true' || searchParams.get('blobs') === '1';
  const readme = snapshot.files.get('README.md');
  const text = readme === undefined ? '' : (await repository.objects.read(readme.oid)).body.toString('utf8');
  const cardData = readMetadata(text);
  const { value: newest } = await walkHistory(repository, commit).next();
  const all: Record<string, unknown> = {
    _id: idOf(repository.name),
    id: repository.name,
    modelId: repository.name,
    author: ownerOf(repository.name),
    sha: commit,
    lastModified: newest?.date,
    createdAt: repository.settings.createdAt,
    private: repository.settings.private,
    gated: repository.settings.gated,
    disabled: false,
    downloads: repository.downloads.count,
    likes: 0,
    tags: Array.isArray(cardData?.tags) ? cardData.tags : [],
    ...(cardData?.pipeline_tag !== undefined && { pipeline_tag: cardData.pipeline_tag }),
    ...(cardData?.library_name !== undefined && { library_name: cardData.library_name }),
    ...(cardData !== undefined && { cardData }),
    siblings: [...snapshot.files.values()].map((file) => describeSibling(file, withBlobs)),
    spaces: [],
    usedStorage: [...snapshot.files.values()].reduce((sum, { size }) => sum + size, 0),
  };
  const wanted = [...searchParams.getAll('expand'), ...searchParams.getAll('expand[]')];
  if (wanted.length === 0) return jsonReply(200, all);
  const chosen = Object.entries(all).filter(([key]) => ['_id', 'id', 'modelId', ...wanted].includes(key));
  return jsonReply(200, Object.fromEntries(chosen));
}

function describeSibling(file: FileEntry, withBlobs: boolean): Record<string, unknown> {
  if (!withBlobs) return { rfilename: file.path };
  const lfs = file.lfs && { sha256: file.lfs.oid, size: file.lfs.size, pointerSize: file.blobSize };
  return { rfilename: file.path, blobId: file.oid, size: file.size, ...(lfs && { lfs }) };
}

function describeRefs(exchange: Exchange, repository: Repository): Reply {
  const refs = repository.refs.list(hiddenFrom(exchange));
  const below = (prefix: string): Record<string, unknown>[] =>
    refs
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, commit }) => ({ name: name.slice(prefix.length), ref: name, targetCommit: commit }));
  const withPullRequests = exchange.url.searchParams.get('include_prs') === '1';
  return jsonReply(200, {
    tags: below('refs/tags/'),
    branches: below('refs/heads/'),
    converts: [],
    ...(withPullRequests && { pullRequests: [] }),
  });
}

async function listCommits(exchange: Exchange, repository: Repository, name: string): Promise<Reply> {
  const head = await resolveRevision(repository, name, hiddenFrom(exchange));
  const commits: HistoryEntry[] = [];
  for await (const entry of walkHistory(repository, head)) commits.push(entry);
  const { searchParams } = exchange.url;
  const limit = Math.min(Math.max(Number(searchParams.get('limit') ?? 50) || 50, 1), 1000);
  const page = Math.max(Number(searchParams.get('p') ?? 0) || 0, 0);
  const isLast = (page + 1) * limit >= commits.length;
  const list = commits.slice(page * limit, (page + 1) * limit).map(({ author, ...commit }) => ({
    ...commit,
    authors: [{ user: author, avatar: `${exchange.baseUrl}/avatars/${idOf(author)}.svg` }],
  }));
  return jsonReply(200, list, {
    'x-total-count': String(commits.length),
    ...(!isLast && nextPage(exchange, 'p', String(page + 1))),
  });
}
