import { serveContent } from '../content.ts';
import type { Exchange } from '../http.ts';
import { type Reply, redirectReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, hiddenFrom, openForRead, type RepositoryParams } from './access.ts';
import type { ObjectId } from './git-objects.ts';
import { HubError } from './hub-error.ts';
import { type Repository, readRevision } from './repositories.ts';
import type { FileEntry } from './snapshot.ts';

type FileParams = RepositoryParams & { readonly revision: string; readonly path: string };

interface OpenedFile {
  readonly repository: Repository;
  readonly commit: ObjectId;
  readonly file: FileEntry;
}

/**
 * A GET or HEAD of one is a download, where no library says otherwise.
 * [huggingface.co/docs/hub/models-download-stats]
 */
const countedFiles = ['config.json', 'config.yaml', 'hyperparams.yaml', 'meta.yaml'];

/**
 * The files themselves: `resolve` (content), `raw` (what git holds), and where ordinary files are
 * cached.
 */
export function fileRoutes(context: HubContext): readonly Route[] {
  const open = async (exchange: Exchange, params: FileParams): Promise<OpenedFile> => {
    const { repository } = openForRead(context, exchange, params, 'content');
    const { commit, snapshot } = await readRevision(repository, params.revision, hiddenFrom(exchange));
    const file = snapshot.files.get(params.path);
    if (file === undefined) throw new HubError(404, 'Entry not found', { code: 'EntryNotFound' });
    return { repository, commit, file };
  };
  return [
    route('GET /:owner/:name/resolve/:revision/:path*', async (exchange, params) => {
      const opened = await open(exchange, params);
      if (countedFiles.includes(params.path)) opened.repository.downloads.count++;
      return opened.file.lfs === undefined
        ? resolveRegular(exchange, opened)
        : resolveLarge(context, exchange, opened, opened.file.lfs);
    }),
    route('GET /api/resolve-cache/models/:owner/:name/:revision/:path*', async (exchange, params) =>
      serveBlob(exchange, await open(exchange, params)),
    ),
    route('GET /:owner/:name/raw/:revision/:path*', async (exchange, params) =>
      serveBlob(exchange, await open(exchange, params)),
    ),
  ];
}

/**
 * Large files: a redirect to a signed URL of the storage origin. The sha256 stands in
 * `X-Linked-Etag`.
 */
function resolveLarge(
  context: HubContext,
  exchange: Exchange,
  { repository, commit, file }: OpenedFile,
  lfs: { readonly oid: string; readonly size: number },
): Reply {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1);
  const kind = exchange.url.searchParams.get('download') === 'true' ? 'attachment' : 'inline';
  const location = context.signer.sign(exchange, 'GET', `${context.cdnUrl}/repos/${repository.name}/${lfs.oid}`, {
    'response-content-disposition': `${kind}; filename*=UTF-8''${encodeURIComponent(name)}`,
  });
  return redirectReply(location, 302, {
    'x-repo-commit': commit,
    'x-linked-size': String(lfs.size),
    'x-linked-etag': `"${lfs.oid}"`,
    'accept-ranges': 'bytes',
  });
}

/**
 * Ordinary files of public repositories: a relative redirect to where a commit's files are cached.
 * Others come at once.
 */
async function resolveRegular(exchange: Exchange, opened: OpenedFile): Promise<Reply> {
  const { repository, commit, file } = opened;
  const isCached = !repository.settings.private && repository.settings.gated === false;
  if (!isCached || exchange.headers['if-none-match'] !== undefined) {
    const reply = await serveBlob(exchange, opened);
    if (!isCached || reply.status === 304) return reply;
  }
  const query = new URLSearchParams([
    [exchange.url.pathname, ''],
    ['etag', `"${file.oid}"`],
  ]);
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  return redirectReply(`/api/resolve-cache/models/${repository.name}/${commit}/${path}?${query}`, 307, {
    ...blobHeaders(commit, file),
    etag: `"${file.oid}"`,
  });
}

async function serveBlob(exchange: Exchange, { repository, commit, file }: OpenedFile): Promise<Reply> {
  const { body } = await repository.objects.read(file.oid);
  return serveContent(exchange, {
    body,
    etag: `"${file.oid}"`,
    headers: blobHeaders(commit, file),
    manyRanges: 'whole',
  });
}

function blobHeaders(commit: ObjectId, file: FileEntry): Record<string, string> {
  return {
    'content-type': 'text/plain; charset=utf-8',
    'x-repo-commit': commit,
    'accept-ranges': 'bytes',
    'x-linked-size': String(file.blobSize),
  };
}
