import { createHash } from 'node:crypto';
import { limits } from '../../contract/limits.ts';
import { growingBuffer } from '../../core/growing-buffer.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { download } from '../download.ts';
import type { Answer } from '../exchange.ts';
import { persist } from '../remote.ts';
import { RequestFailure } from '../request-failure.ts';
import type { ReleaseFile } from '../target.ts';
import type { GithubApi } from './github-api.ts';
import type { Asset } from './github-shapes.ts';

/** The sha256 that GitHub reports of an asset, if it does. */
export function assetDigest(asset: Asset): Sha256 | undefined {
  return /^sha256:([0-9a-f]{64})$/.exec(asset.digest ?? '')?.[1];
}

/** Digests of assets that GitHub reports none of, by id: each is downloaded once. */
export type DigestCache = Map<number, Sha256>;

/**
 * Whether an asset is that file, whole. Where GitHub has no digest, its bytes are downloaded and
 * hashed.
 */
export async function holds(api: GithubApi, asset: Asset, file: ReleaseFile, cache: DigestCache): Promise<boolean> {
  if (asset.state !== 'uploaded' || asset.name !== file.name) return false;
  if (file.accepts !== undefined && asset.size <= limits.signatureBytes && assetDigest(asset) !== file.sha256) {
    return file.accepts(await readAsset(api, asset, limits.signatureBytes));
  }
  if (asset.size !== file.sizeBytes) return false;
  const digest = assetDigest(asset) ?? cache.get(asset.id) ?? (await hashAsset(api, asset));
  cache.set(asset.id, digest);
  return digest === file.sha256;
}

/** An asset's bytes, checked against the size and digest that GitHub reports of it. */
export async function readAsset(api: GithubApi, asset: Asset, maxBytes: number): Promise<Buffer> {
  let content = growingBuffer(maxBytes);
  await eachPiece(api, asset, maxBytes, () => {
    content = growingBuffer(maxBytes);
    return content.add;
  });
  return content.bytes();
}

async function hashAsset(api: GithubApi, asset: Asset): Promise<Sha256> {
  return eachPiece(api, asset, asset.size, () => () => {});
}

/** Downloads an asset by its id, drafts included. `start` is called at each attempt. */
async function eachPiece(
  api: GithubApi,
  asset: Asset,
  maxBytes: number,
  start: () => (piece: Uint8Array) => unknown,
): Promise<Sha256> {
  const { settings, context } = api;
  const what = `the asset ${asset.name}`;
  return persist(what, settings.patience, context, () =>
    download(
      api.assetUrl(asset.id),
      {
        network: settings.patience,
        signal: context.signal,
        headers: { accept: 'application/octet-stream', 'user-agent': 'aircher-models' },
        authorization: settings.token === undefined ? undefined : `token ${settings.token}`,
        maxBytes,
        expectedBytes: asset.size,
      },
      async (answer: Answer) => {
        const take = start();
        const hash = createHash('sha256');
        let size = 0;
        for await (const piece of answer.body) {
          hash.update(piece);
          size += piece.length;
          take(piece);
        }
        const digest = hash.digest('hex');
        const reported = assetDigest(asset);
        if (size !== asset.size || (reported !== undefined && reported !== digest)) {
          throw new RequestFailure(`${what}: ${size} of ${asset.size} bytes, or other ones, arrived`, {
            retryable: true,
          });
        }
        return digest;
      },
    ),
  );
}
