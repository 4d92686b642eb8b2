import { isObject } from '../../contract/json-values.ts';
import { sha256Pattern } from '../../core/hashing.ts';
import { findFault } from '../faults.ts';
import type { Exchange } from '../http.ts';
import { jsonReply, noContent, type Reply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, openForRead, openForWrite, type RepositoryParams, readJson } from './access.ts';
import { HubError, revisionNotFound } from './hub-error.ts';
import type { LfsPointer } from './lfs-pointer.ts';
import type { Repository } from './repositories.ts';

/** A single PUT to S3 ends at 5 GB. */
const largestSinglePut = 5_000_000_000;
/** Objects that one batch request may name. */
const mostObjects = 1000;

interface BatchObject extends LfsPointer {
  readonly authenticated?: boolean;
  readonly actions?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

const lfsJson = { 'content-type': 'application/vnd.git-lfs+json; charset=utf-8' };

/** git-lfs's batch API (git-lfs, docs/api/batch.md) with the Hub's own `multipart` transfer. */
export function lfsRoutes(context: HubContext): readonly Route[] {
  return [
    route('POST /:owner/:name/info/lfs/objects/batch', (exchange, params) => answerBatch(context, exchange, params)),
    route('POST /:owner/:name/info/lfs/objects/verify', (exchange, params) => answerVerify(context, exchange, params)),
    route('POST /api/complete_multipart/:owner/:name', async (exchange, { owner, name }) => {
      context.signer.check(exchange);
      const repository = context.repositories.get(`${owner}/${name}`);
      if (repository === undefined) throw new HubError(404, 'Repository not found', { code: 'RepoNotFound' });
      const { parts } = await readJson(exchange);
      if (!Array.isArray(parts)) throw new HubError(400, '"parts" is required');
      await repository.lfs.complete(exchange.url.searchParams.get('uploadId') ?? '', parts.flatMap(parsePart));
      return jsonReply(200, { success: true });
    }),
  ];
}

/**
 * Takes the credentials that the action came with, or a token: the Hub's Python client sends its
 * own, and JSON as just that, whatever the action says.
 */
async function answerVerify(context: HubContext, exchange: Exchange, params: RepositoryParams): Promise<Reply> {
  const pointer = parsePointer(await readJson(exchange));
  const isByAction = exchange.headers.authorization === verifyCredentials(context, pointer?.oid ?? '');
  if (isByAction) checkHeaders(exchange);
  else if (findFault(exchange.faults, 'lfs-header')) throw new HubError(401, 'Invalid username or password.');
  const repository = isByAction
    ? context.repositories.get(`${params.owner}/${params.name.replace(/\.git$/, '')}`)
    : openForWrite(context, exchange, params).repository;
  if (pointer === undefined || (await repository?.lfs.sizeOf(pointer.oid)) !== pointer.size) {
    throw new HubError(404, 'The object is not stored, or has another size.');
  }
  return noContent;
}

function verifyCredentials({ signer }: HubContext, oid: string): string {
  return signer.credentials(`verify ${oid}`);
}

/**
 * "All Batch API requests … require the following HTTP headers" (git-lfs, docs/api/batch.md);
 * verify's are the same.
 */
function checkHeaders({ headers }: Exchange): void {
  const type = 'application/vnd.git-lfs+json';
  if (!headers.accept?.includes(type)) throw new HubError(406, `The Accept header needs to be ${type}.`);
  if (!headers['content-type']?.startsWith(type)) throw new HubError(415, `The Content-Type needs to be ${type}.`);
}

async function answerBatch(context: HubContext, exchange: Exchange, params: RepositoryParams): Promise<Reply> {
  checkHeaders(exchange);
  const request = await readJson(exchange);
  const { operation, objects, transfers, hash_algo: algorithm = 'sha256' } = request;
  if (operation !== 'upload' && operation !== 'download') throw new HubError(422, 'unknown operation');
  if (!Array.isArray(objects)) throw new HubError(422, '"objects" is required');
  if (objects.length > mostObjects) throw new HubError(413, 'Payload Too Large: too many objects');
  // Both spellings are sent by the Hub's own clients.
  if (algorithm !== 'sha256' && algorithm !== 'sha_256') throw new HubError(409, 'only sha256 is supported');
  const { repository } =
    operation === 'upload'
      ? openForWrite(context, exchange, params)
      : openForRead(context, exchange, params, 'content');
  checkRef(repository, request.ref);
  const mayUseParts = Array.isArray(transfers) && transfers.includes('multipart');
  const isInParts = (size: number): boolean => mayUseParts && size > context.multipart.thresholdBytes;
  const answers = await Promise.all(
    objects.map(async (object: unknown): Promise<BatchObject> => {
      const pointer = parsePointer(object);
      if (pointer === undefined) return { oid: '', size: 0, error: { code: 422, message: 'invalid object' } };
      return operation === 'upload'
        ? answerUpload(context, exchange, repository, pointer, isInParts(pointer.size))
        : answerDownload(context, exchange, repository, pointer);
    }),
  );
  const usesParts = answers.some(({ size, actions }) => actions !== undefined && isInParts(size));
  return jsonReply(
    200,
    { transfer: usesParts ? 'multipart' : 'basic', objects: answers, hash_algo: 'sha256' },
    lfsJson,
  );
}

/** A branch that is there, fully qualified; the Hub's own clients send its bare name. */
function checkRef(repository: Repository, ref: unknown): void {
  if (!isObject(ref)) return;
  const name = String(ref.name).replace(/^refs\/heads\//, '');
  if (repository.refs.get(`refs/heads/${name}`) === undefined) throw revisionNotFound(name);
}

async function answerUpload(
  context: HubContext,
  exchange: Exchange,
  repository: Repository,
  { oid, size }: LfsPointer,
  inParts: boolean,
): Promise<BatchObject> {
  const stored = await repository.lfs.sizeOf(oid);
  if (stored === size) return { oid, size };
  if (stored !== undefined) return { oid, size, error: { code: 422, message: 'stored with another size' } };
  const { partBytes } = context.multipart;
  const base = `${context.cdnUrl}/repos/${repository.name}/${oid}`;
  const verify = {
    href: `${exchange.baseUrl}/${repository.name}.git/info/lfs/objects/verify`,
    header: { Authorization: verifyCredentials(context, oid) },
  };
  if (!inParts) {
    if (size > largestSinglePut) return { oid, size, error: { code: 422, message: 'needs the multipart transfer' } };
    const href = context.signer.sign(exchange, 'PUT', base, { Size: String(size) });
    const upload = { href, expires_in: context.signer.seconds };
    return { oid, size, authenticated: true, actions: { upload, verify } };
  }
  const uploadId = await repository.lfs.begin({ oid, size }, partBytes);
  const header: Record<string, string> = { chunk_size: String(partBytes) };
  for (let part = 1; part <= Math.ceil(size / partBytes); part++) {
    const partParams = { uploadId, partNumber: String(part) };
    header[String(part).padStart(5, '0')] = context.signer.sign(exchange, 'PUT', base, partParams);
  }
  const complete = `${exchange.baseUrl}/api/complete_multipart/${repository.name}`;
  const href = context.signer.sign(exchange, 'POST', complete, { uploadId });
  const upload = { href, header, expires_in: context.signer.seconds };
  return { oid, size, authenticated: true, actions: { upload, verify } };
}

async function answerDownload(
  context: HubContext,
  exchange: Exchange,
  repository: Repository,
  { oid, size }: LfsPointer,
): Promise<BatchObject> {
  const stored = await repository.lfs.sizeOf(oid);
  if (stored !== size) return { oid, size, error: { code: 404, message: 'Object does not exist on the server' } };
  const href = context.signer.sign(exchange, 'GET', `${context.cdnUrl}/repos/${repository.name}/${oid}`);
  return { oid, size, authenticated: true, actions: { download: { href, expires_in: context.signer.seconds } } };
}

function parsePointer(value: unknown): LfsPointer | undefined {
  const { oid, size } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isGood = typeof oid === 'string' && sha256Pattern.test(oid) && Number.isSafeInteger(size) && Number(size) >= 0;
  return isGood ? { oid, size: Number(size) } : undefined;
}

function parsePart(value: unknown): { readonly partNumber: number; readonly etag: string }[] {
  const { partNumber, etag } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof partNumber === 'number' && typeof etag === 'string' ? [{ partNumber, etag }] : [];
}
