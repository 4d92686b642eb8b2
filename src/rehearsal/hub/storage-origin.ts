import { createHash } from 'node:crypto';
import { serveContent } from '../content.ts';
import type { Exchange, Handler } from '../http.ts';
import { noContent, type Reply } from '../reply.ts';
import { route, routed } from '../routes.ts';
import { HubError } from './hub-error.ts';
import type { LfsStore } from './lfs-store.ts';
import type { Repositories } from './repositories.ts';
import { storageRefusal, type UrlSigner } from './signed-urls.ts';

export interface StorageOptions {
  readonly repositories: Repositories;
  readonly signer: UrlSigner;
  /** Whether downloads carry an ETag (one that is no digest of the content), or none. */
  readonly etag: 'opaque' | 'none';
}

/**
 * The origin that large files are sent to and come from: signed URLs only, as S3 and a CDN before
 * it.
 */
export function storageHandler(options: StorageOptions): Handler {
  const { repositories, signer } = options;
  const path = '/repos/:owner/:name/:oid' as const;
  const notThere = storageRefusal(404, 'NoSuchKey', 'The specified key does not exist.').reply;

  const lfsOf = (params: { readonly owner: string; readonly name: string }): LfsStore | undefined =>
    repositories.get(`${params.owner}/${params.name}`)?.lfs;

  const download = async (exchange: Exchange, lfs: LfsStore, oid: string): Promise<Reply> => {
    const size = await lfs.sizeOf(oid);
    if (size === undefined) return notThere;
    return serveContent(exchange, {
      body: { file: lfs.pathOf(oid), start: 0, end: size },
      ...(options.etag === 'opaque' && { etag: `"${opaqueTag(oid)}"` }),
      headers: { 'content-disposition': exchange.url.searchParams.get('response-content-disposition') ?? undefined },
      manyRanges: 'whole',
    });
  };

  const upload = async (exchange: Exchange, lfs: LfsStore, oid: string): Promise<Reply> => {
    const { searchParams } = exchange.url;
    if (exchange.headers['content-length'] === undefined) {
      throw storageRefusal(
        501,
        'NotImplemented',
        'A header you provided implies functionality that is not implemented: Transfer-Encoding',
      );
    }
    const uploadId = searchParams.get('uploadId');
    if (uploadId === null) {
      await lfs.put({ oid, size: Number(searchParams.get('Size')) }, exchange.body());
      return { ...noContent, headers: { ...noContent.headers, etag: `"${opaqueTag(oid)}"` } };
    }
    const etag = await lfs.putPart(uploadId, Number(searchParams.get('partNumber')), exchange.body());
    return { status: 200, headers: { etag: `"${etag}"` } };
  };

  const guarded =
    (work: (exchange: Exchange, lfs: LfsStore, oid: string) => Promise<Reply>) =>
    async (
      exchange: Exchange,
      params: { readonly owner: string; readonly name: string; readonly oid: string },
    ): Promise<Reply> => {
      signer.check(exchange);
      const lfs = lfsOf(params);
      if (lfs === undefined) return notThere;
      try {
        return await work(exchange, lfs, params.oid);
      } catch (error) {
        if (!(error instanceof HubError)) throw error;
        const [code = '', message = ''] = error.message.split(/: (.*)/);
        throw storageRefusal(error.status, code, message);
      }
    };

  return routed([route(`GET ${path}`, guarded(download)), route(`PUT ${path}`, guarded(upload))], () => notThere);
}

function opaqueTag(oid: string): string {
  return createHash('md5').update(`stored ${oid}`).digest('hex');
}
