import { mapConcurrently } from '../../core/concurrency.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { readContent } from '../file-content.ts';
import { persist } from '../remote.ts';
import { hasStatus, malformed, RequestFailure } from '../request-failure.ts';
import type { ReleaseFile } from '../target.ts';
import { type UploadProgress, uploadProgress } from '../upload-progress.ts';
import type { HubApi } from './hub-api.ts';
import type { BatchObject, UploadAction } from './hub-shapes.ts';

const lfsJson = 'application/vnd.git-lfs+json';
/** What the Hub's own clients ask for at once. */
const objectsPerBatch = 100;
/** Parts of one object sent at once; with `parallel` objects that bounds connections and memory. */
const partsAtOnce = 2;

/** Puts files into large file storage, each content once, and none that is there already. */
export async function uploadObjects(api: HubApi, branch: string, files: readonly ReleaseFile[]): Promise<void> {
  const byDigest = new Map<Sha256, ReleaseFile[]>();
  for (const file of files) byDigest.set(file.sha256, [...(byDigest.get(file.sha256) ?? []), file]);
  const objects = [...byDigest.values()];
  for (let start = 0; start < objects.length; start += objectsPerBatch) {
    const slice = objects.slice(start, start + objectsPerBatch);
    const answers = await api.lfsBatch(
      branch,
      slice.map(([file]) => pointerOf(file!)),
    );
    const byOid = new Map(answers.map((answer) => [answer.oid, answer]));
    await mapConcurrently(slice, api.settings.patience.parallel, ([file, ...twins]) =>
      settleObject(api, branch, file!, twins, byOid.get(file!.sha256)),
    );
  }
}

function pointerOf(file: ReleaseFile): { readonly oid: string; readonly size: number } {
  return { oid: file.sha256, size: file.sizeBytes };
}

/** Sends one object; after a failure asks again whether it is there, and for a fresh URL. */
async function settleObject(
  api: HubApi,
  branch: string,
  file: ReleaseFile,
  twins: readonly ReleaseFile[],
  first: BatchObject | undefined,
): Promise<void> {
  const progress = uploadProgress(file, 'huggingface', api.context);
  let sent = false;
  await persist(`uploading ${file.name}`, api.settings.patience, api.context, async (attempt) => {
    const answer = attempt === 1 && first ? first : (await api.lfsBatch(branch, [pointerOf(file)]))[0];
    if (answer === undefined || answer.oid !== file.sha256) throw malformed('large file storage');
    if (answer.error !== undefined) throw refused(file, answer.error);
    const { upload, verify } = answer.actions ?? {};
    if (upload === undefined) return;
    const chunkBytes = Number(actionHeaders(upload, {}).get('chunk_size'));
    await withFreshActions(file, [upload, verify], async () => {
      if (chunkBytes > 0) await sendParts(api, file, upload, chunkBytes, progress);
      else await sendWhole(api, file, answer, upload, progress);
      if (verify !== undefined) await confirm(api, file, verify);
    });
    sent = true;
  });
  progress.done(sent ? undefined : 'already there');
  for (const twin of twins) {
    uploadProgress(twin, 'huggingface', api.context).done(`the same content as ${file.name}`);
  }
}

function refused(file: ReleaseFile, error: { readonly code: number; readonly message: string }): RequestFailure {
  return new RequestFailure(`${file.name}: ${error.code} ${error.message}`, {
    status: error.code,
    retryable: error.code >= 500 || error.code === 429,
  });
}

/**
 * Objects that aren't said to be `authenticated` need the credentials of the server that gave the
 * address. [git-lfs, docs/api/batch.md]
 */
async function sendWhole(
  api: HubApi,
  file: ReleaseFile,
  { authenticated }: BatchObject,
  upload: UploadAction,
  progress: UploadProgress,
): Promise<void> {
  const body = { sizeBytes: file.sizeBytes, open: () => readContent(file), onSent: progress.sent };
  const headers = actionHeaders(upload, { 'content-type': 'application/octet-stream' });
  if (authenticated) await api.http.sendSigned('PUT', upload.href, headers, body);
  else await api.http.send('PUT', upload.href, headers, body);
}

/**
 * What the connection says of itself and of the body; some servers name these among an action's
 * headers.
 */
const connectionHeaders = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The headers of an action's request: the action's own win, however their names are written. */
function actionHeaders({ header }: UploadAction, ours: Readonly<Record<string, string>>): Headers {
  const headers = new Headers(ours);
  for (const [name, value] of Object.entries(header ?? {})) {
    if (connectionHeaders.has(name.toLowerCase())) continue;
    try {
      headers.set(name, value);
    } catch (error) {
      throw malformed('large file storage', error);
    }
  }
  return headers;
}

async function sendParts(
  api: HubApi,
  file: ReleaseFile,
  upload: UploadAction,
  chunkBytes: number,
  progress: UploadProgress,
): Promise<void> {
  const urls = Object.entries(upload.header ?? {})
    .filter(([key]) => /^\d+$/.test(key))
    .map(([key, url]) => ({ number: Number(key), url }))
    .sort((a, b) => a.number - b.number);
  if (urls.length !== Math.ceil(file.sizeBytes / chunkBytes)) throw malformed('large file storage');
  const sentOf = new Array<number>(urls.length).fill(0);
  const parts = await mapConcurrently(urls, partsAtOnce, async ({ number, url }, index) => {
    const start = (number - 1) * chunkBytes;
    const end = Math.min(start + chunkBytes, file.sizeBytes);
    const body = {
      sizeBytes: end - start,
      open: () => readContent(file, { start, end }),
      onSent: (bytes: number) => {
        sentOf[index] = bytes;
        progress.sent(sentOf.reduce((sum, part) => sum + part, 0));
      },
    };
    // A part that fails is sent again alone: a fresh upload would begin with no part.
    const answer = await persist(`part ${number} of ${file.name}`, api.settings.patience, api.context, () =>
      api.http.sendSigned('PUT', url, {}, body),
    );
    const etag = answer.headers.get('etag');
    if (etag === null) throw malformed('large file storage');
    return { partNumber: number, etag };
  });
  const content = JSON.stringify({ oid: file.sha256, parts });
  await api.http.sendSigned('POST', upload.href, { accept: lfsJson, 'content-type': lfsJson }, content);
}

/**
 * A signed URL or an action's credentials that expired, or bytes that aren't those they are for:
 * fresh ones may do.
 */
async function withFreshActions<T>(
  file: ReleaseFile,
  actions: readonly (UploadAction | undefined)[],
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send();
  } catch (error) {
    const hasOwn = actions.some((action) => action && actionHeaders(action, {}).has('authorization'));
    if (!hasStatus(error, 400, 403, 404, 422, ...(hasOwn ? [401] : []))) throw error;
    throw new RequestFailure(`${file.name}: ${error.message}`, { status: error.status, retryable: true, cause: error });
  }
}

/** git-lfs's own question after an upload; its no means that the object is sent again. */
async function confirm(api: HubApi, file: ReleaseFile, verify: UploadAction): Promise<void> {
  const headers = actionHeaders(verify, { accept: lfsJson, 'content-type': lfsJson });
  await api.http.send('POST', verify.href, headers, JSON.stringify(pointerOf(file)));
}
