import { isHiddenByLag } from '../faults.ts';
import { type Exchange, readBytes } from '../http.ts';
import { jsonReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type Call, findRepository } from './context.ts';
import { allRefs } from './git-objects.ts';
import { type Field, parseQuery } from './graphql-query.ts';
import { refusal } from './refusals.ts';
import { latestRelease, visibleAssets, visibleReleases } from './releases.ts';
import { releaseShape, timestamp } from './shapes.ts';
import type { StoredRelease, StoredRepository } from './store.ts';

/** A GraphQL object: plain values, or functions of the field's arguments. */
type Node = { readonly [field: string]: unknown };

/**
 * GraphQL, as far as release tools such as gh ask: the viewer, a repository's releases and refs.
 * Needs a token.
 */
export const graphqlRoutes: readonly Route<Call>[] = [
  route('POST /graphql', async (call) => {
    if (call.caller.account === undefined) throw refusal(401, 'This endpoint requires you to be authenticated.');
    const { query = '', variables } = await readQuery(call.exchange);
    try {
      return jsonReply(200, { data: select(root(call), parseQuery(query, variables ?? {}), 'Query') });
    } catch (error) {
      if (!(error instanceof Error) || error.name === 'Refusal') {
        return jsonReply(200, {
          data: { repository: null },
          errors: [{ type: 'NOT_FOUND', path: ['repository'], message: 'Could not resolve to a Repository.' }],
        });
      }
      return jsonReply(200, { errors: [{ message: error.message }] });
    }
  }),
];

async function readQuery(exchange: Exchange): Promise<{ query?: string; variables?: Record<string, unknown> }> {
  try {
    return JSON.parse((await readBytes(exchange)).toString()) as {
      query?: string;
      variables?: Record<string, unknown>;
    };
  } catch {
    throw refusal(400, 'Problems parsing JSON');
  }
}

function select(value: unknown, fields: readonly Field[], type: string): unknown {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map((one) => select(one, fields, type));
  if (fields.length === 0 || typeof value !== 'object') return value;
  const node = value as Node;
  const selected: Record<string, unknown> = {};
  for (const { key, name, args, fields: inner } of fields) {
    if (!Object.hasOwn(node, name)) throw new Error(`Field '${name}' doesn't exist on type '${type}'`);
    const found = node[name];
    const resolved: unknown = typeof found === 'function' ? Reflect.apply(found, node, [args]) : found;
    selected[key] = select(resolved, inner, name);
  }
  return selected;
}

function root(call: Call): Node {
  return {
    viewer: () => ({ login: call.caller.account?.login, id: `U_${call.caller.account?.login}` }),
    repository: ({ owner, name }: Node) => repositoryNode(call, findRepository(call, String(owner), String(name))),
    __type: ({ name }: Node) =>
      name === 'Release' ? { name, fields: releaseFieldNames.map((field) => ({ name: field })) } : null,
  };
}

function repositoryNode(call: Call, repository: StoredRepository): Node {
  const { owner, name, id, defaultBranch } = repository;
  return {
    id: `R_${id}`,
    databaseId: id,
    name,
    nameWithOwner: `${owner}/${name}`,
    owner: { login: owner, id: `O_${owner}` },
    isPrivate: repository.private,
    url: `${call.context.urls.web}/${owner}/${name}`,
    defaultBranchRef: { name: defaultBranch },
    latestRelease: () => {
      const latest = latestRelease(repository);
      return latest === undefined ? null : releaseNode(call, repository, latest);
    },
    release: ({ tagName }: Node) => {
      const found = visibleReleases(call, repository).filter((release) => release.tagName === tagName);
      const release = found.find(({ draft }) => !draft) ?? found[0];
      return release === undefined ? null : releaseNode(call, repository, release);
    },
    releases: ({ first, after }: Node) =>
      connection(visibleReleases(call, repository), first, after, (one) => releaseNode(call, repository, one)),
    ref: ({ qualifiedName }: Node) => {
      const ref = allRefs(repository).find(
        (one) => one.name === qualifiedName && !isHiddenByLag(call.exchange.faults, one.madeAt),
      );
      return ref === undefined
        ? null
        : { id: `REF_${ref.name}`, name: ref.name.replace(/^refs\/\w+\//, ''), target: { oid: ref.sha } };
    },
  };
}

const releaseFieldNames = [
  'id',
  'databaseId',
  'name',
  'tagName',
  'description',
  'isDraft',
  'isPrerelease',
  'isLatest',
  'immutable',
  'createdAt',
  'publishedAt',
  'url',
  'author',
  'releaseAssets',
] as const;

function releaseNode(
  call: Call,
  repository: StoredRepository,
  release: StoredRelease,
): Record<(typeof releaseFieldNames)[number], unknown> {
  const shape = releaseShape(call.context.urls, repository, release, visibleAssets(call.exchange, release));
  return {
    id: shape.node_id,
    databaseId: release.id,
    name: release.name,
    tagName: release.tagName,
    description: release.body,
    isDraft: release.draft,
    isPrerelease: release.prerelease,
    isLatest: latestRelease(repository) === release,
    immutable: release.immutable,
    createdAt: timestamp(release.createdAt),
    publishedAt: release.publishedAt === null ? null : timestamp(release.publishedAt),
    url: shape.html_url,
    author: { login: release.author, id: `U_${release.author}` },
    releaseAssets: ({ first, after }: Node) =>
      connection(shape.assets, first, after, (asset) => ({
        id: asset.node_id,
        name: asset.name,
        size: asset.size,
        digest: asset.digest,
        contentType: asset.content_type,
        downloadCount: asset.download_count,
        downloadUrl: asset.browser_download_url,
      })),
  };
}

/** A page of at most 100, with a cursor that is the number of items before the next one. */
function connection<T>(items: readonly T[], first: unknown, after: unknown, node: (item: T) => Node): Node {
  const start =
    after === undefined || after === null ? 0 : Number(Buffer.from(String(after), 'base64').toString()) || 0;
  const end = start + Math.min(100, Number(first) || 100);
  return {
    totalCount: items.length,
    nodes: items.slice(start, end).map(node),
    pageInfo: { hasNextPage: end < items.length, endCursor: Buffer.from(String(end)).toString('base64') },
  };
}
