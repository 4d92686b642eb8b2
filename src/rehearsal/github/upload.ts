import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { findFault } from '../faults.ts';
import { jsonReply, type Reply } from '../reply.ts';
import { requireWrite } from './accounts.ts';
import { assetNameOf } from './asset-names.ts';
import { type Call, findRepository } from './context.ts';
import { refusal, validationFailed } from './refusals.ts';
import { findRelease } from './releases.ts';
import { assetShape } from './shapes.ts';
import type { StoredAsset, StoredRelease } from './store.ts';

const gibibyte = 1 << 30;

/**
 * Takes one asset: POST on the uploads origin, with `name` (and `label`) in the query and an exact
 * Content-Length. The asset exists as a `starter` from the first byte on, and stays one where the
 * upload breaks off. The body goes to disk while it is hashed.
 */
export async function uploadAsset(
  call: Call,
  params: { readonly owner: string; readonly repo: string; readonly id: string },
): Promise<Reply> {
  const { context, exchange, caller, url } = call;
  const repository = findRepository(call, params.owner, params.repo);
  const { login } = requireWrite(caller.account, repository);
  const release = findRelease(call, repository, params.id);
  const length = exchange.headers['content-length'];
  if (length === undefined) throw refusal(400, 'Bad Content-Length: ');
  checkUpload(call, release, Number(length));

  const now = Date.now();
  const asset: StoredAsset = {
    id: context.store.newId(),
    name: assetNameOf(url.searchParams.get('name') ?? ''),
    label: url.searchParams.get('label'),
    contentType: exchange.headers['content-type'] ?? 'application/octet-stream',
    state: 'starter',
    size: 0,
    sha256: null,
    downloadCount: 0,
    uploader: login,
    createdAt: now,
    updatedAt: now,
  };
  release.assets.push(asset);
  context.store.save();
  const { size, sha256 } = await receive(call, asset);
  if (findFault(exchange.faults, 'starter')) throw refusal(502, 'Error saving asset');
  // A release or asset deleted meanwhile takes the upload with it.
  if (!release.assets.includes(asset)) {
    await rm(context.store.assetPath(asset.id), { force: true });
    throw refusal(404, 'Not Found');
  }
  if (release.immutable) throw refusal(422, 'Cannot upload assets to an immutable release.');
  asset.size = size;
  asset.sha256 = context.options.digests === false ? null : sha256;
  asset.state = 'uploaded';
  asset.updatedAt = Date.now();
  context.store.save();
  const shape = assetShape(context.urls, repository, release, asset);
  return jsonReply(201, shape, { location: String(shape.url) });
}

async function receive({ context, exchange }: Call, asset: StoredAsset): Promise<{ size: number; sha256: string }> {
  const path = context.store.assetPath(asset.id);
  const hash = createHash('sha256');
  let size = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of exchange.body()) {
      hash.update(piece);
      size += piece.length;
      yield piece;
    }
  };
  try {
    await pipeline(counted, createWriteStream(path, { highWaterMark: 1 << 20 }));
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
  return { size, sha256: hash.digest('hex') };
}

function checkUpload({ context, url }: Call, release: StoredRelease, length: number): void {
  const { maximumAssetBytes = 2 * gibibyte, maximumAssets = 1000 } = context.options;
  if (release.immutable) throw refusal(422, 'Cannot upload assets to an immutable release.');
  const given = url.searchParams.get('name') ?? '';
  if (given === '') throw validationFailed({ resource: 'ReleaseAsset', code: 'missing_field', field: 'name' });
  const wrong = (field: string, message: string) =>
    validationFailed({ resource: 'ReleaseAsset', code: 'custom', field, message });
  if (length < 1) throw wrong('size', 'size must be greater than or equal to 1');
  if (length > maximumAssetBytes) throw wrong('size', `size must be less than or equal to ${maximumAssetBytes}`);
  if (release.assets.length >= maximumAssets) {
    throw wrong('file_count', `file_count limited to ${maximumAssets} assets`);
  }
  if (release.assets.some(({ name }) => name === assetNameOf(given))) {
    throw validationFailed({ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' });
  }
}
