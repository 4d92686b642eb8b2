import type { Exchange, Handler } from '../http.ts';
import { Refusal, type Reply, redirectReply, textReply } from '../reply.ts';
import { route, routed } from '../routes.ts';
import { callerOf, canRead } from './accounts.ts';
import { type GitHubContext, repositoryNamed } from './context.ts';
import { advertiseRefs, answerUploadPack } from './git-http.ts';
import type { Account } from './options.ts';
import { latestRelease, releaseByTag } from './releases.ts';
import { signedUrl } from './signed-urls.ts';
import type { StoredRelease, StoredRepository } from './store.ts';

/**
 * github.com itself: the public download paths (a token counts for nothing there; private
 * repositories don't exist), and git over HTTP. An Enterprise server has its API under /api on the
 * same host; `api` and `uploads` answer that.
 */
export function createWeb(context: GitHubContext, api: Handler, uploads: Handler): Handler {
  const find = (owner: string, repo: string): StoredRepository | undefined =>
    repositoryNamed(context, owner, repo.replace(/\.git$/, ''));
  const findPublic = (owner: string, repo: string): StoredRepository => {
    const found = find(owner, repo);
    if (found === undefined || found.private) throw new Refusal(pageNotFound);
    return found;
  };
  const latest = (repository: StoredRepository): StoredRelease => {
    const release = latestRelease(repository);
    if (release === undefined) throw new Refusal(pageNotFound);
    return release;
  };
  const linkTo = ({ owner, name }: StoredRepository, path: string): string =>
    `${context.urls.web}/${owner}/${name}/${path}`;

  const page = routed(
    [
      route('GET /:owner/:repo/info/refs', (exchange, { owner, repo }) => {
        if (exchange.url.searchParams.get('service') !== 'git-upload-pack') throw new Refusal(needsLogin);
        return advertiseRefs(exchange, gitRepository(exchange, context, find(owner, repo)));
      }),
      route('POST /:owner/:repo/git-upload-pack', (exchange, { owner, repo }) =>
        answerUploadPack(exchange, gitRepository(exchange, context, find(owner, repo))),
      ),
      route('GET /:owner/:repo/releases/latest', (_, { owner, repo }) => {
        const repository = findPublic(owner, repo);
        return redirectReply(linkTo(repository, `releases/tag/${encodeTag(latest(repository).tagName)}`));
      }),
      route('GET /:owner/:repo/releases/latest/download/:name', (_, { owner, repo, name }) => {
        const repository = findPublic(owner, repo);
        const tag = encodeTag(latest(repository).tagName);
        return redirectReply(linkTo(repository, `releases/download/${tag}/${encodeURIComponent(name)}`));
      }),
      route('GET /:owner/:repo/releases/tag/:tag*', (exchange, { owner, repo, tag }) => {
        const release = releaseByTag({ exchange }, findPublic(owner, repo), tag);
        return release === undefined ? pageNotFound : htmlPage(200, release.tagName);
      }),
      route('GET /:owner/:repo/releases/download/:path*', (exchange, { owner, repo, path }) =>
        download(context, exchange, findPublic(owner, repo), path),
      ),
      route('GET /:owner/:repo', (_, { owner, repo }) => htmlPage(200, findPublic(owner, repo).name)),
    ],
    () => pageNotFound,
  );
  return (exchange) => {
    const { pathname } = exchange.url;
    if (pathname.startsWith('/api/uploads/')) return uploads(exchange);
    if (pathname.startsWith('/api/v3') || pathname === '/api/graphql') return api(exchange);
    const [, owner = '', repo = '', ...rest] = pathname.split('/');
    const renamed = find(owner, repo)
      ? undefined
      : repositoryNamed(context, owner, repo.replace(/\.git$/, ''), 'former');
    if (renamed && !renamed.private) {
      return redirectReply(linkTo(renamed, `${rest.join('/')}${exchange.url.search}`), 301);
    }
    return page(exchange);
  };
}

function download(context: GitHubContext, exchange: Exchange, repository: StoredRepository, path: string): Reply {
  const cut = path.lastIndexOf('/');
  const release = releaseByTag({ exchange }, repository, path.slice(0, Math.max(0, cut)));
  const name = path.slice(cut + 1);
  const asset = release?.assets.find((one) => one.name === name && one.state === 'uploaded');
  if (asset === undefined) return textReply(404, 'Not Found');
  if (exchange.method === 'GET') asset.downloadCount++;
  return redirectReply(signedUrl(context, repository, asset, exchange.faults), 302, { 'cache-control': 'no-cache' });
}

/**
 * What git may see of a repository: a private or missing one asks for credentials first, then isn't
 * found.
 */
function gitRepository(
  exchange: Exchange,
  context: GitHubContext,
  found: StoredRepository | undefined,
): StoredRepository {
  if (exchange.headers.authorization === undefined) {
    if (found === undefined || found.private) throw new Refusal(needsLogin);
    return found;
  }
  const account = gitAccount(exchange, context);
  if (found === undefined || !canRead(account, found)) throw new Refusal(textReply(404, 'Repository not found.'));
  return found;
}

function gitAccount(exchange: Exchange, context: GitHubContext): Account | undefined {
  try {
    return callerOf(exchange, context.options.tokens).account;
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(needsLogin) : error;
  }
}

const needsLogin = textReply(
  401,
  'Invalid username or token. Password authentication is not supported for Git operations.',
  {
    'www-authenticate': 'Basic realm="GitHub"',
  },
);

const encodeTag = (tag: string): string => tag.split('/').map(encodeURIComponent).join('/');

const pageNotFound = htmlPage(404, 'Page not found');

function htmlPage(status: number, title: string): Reply {
  const safe = title.replace(/[<>&]/g, '');
  return textReply(status, `<!DOCTYPE html>\n<html><title>${safe} · GitHub</title><body>${safe}</body></html>\n`, {
    'content-type': 'text/html; charset=utf-8',
  });
}
