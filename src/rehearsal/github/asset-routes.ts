import { rm } from 'node:fs/promises';
import { jsonReply, redirectReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { requireWrite } from './accounts.ts';
import { assetNameOf } from './asset-names.ts';
import { type Call, findRepository } from './context.ts';
import { pagedReply } from './paging.ts';
import { notFound, refusal, validationFailed } from './refusals.ts';
import { findRelease, visibleAssets, visibleReleases } from './releases.ts';
import { readFields } from './request-fields.ts';
import { assetShape } from './shapes.ts';
import { signedUrl } from './signed-urls.ts';
import type { StoredAsset, StoredRelease, StoredRepository } from './store.ts';

interface Found {
  readonly repository: StoredRepository;
  readonly release: StoredRelease;
  readonly asset: StoredAsset;
}

/**
 * REST: "Release assets" (docs.github.com/rest/releases/assets), but for the upload, which has an
 * origin of its own.
 */
export const assetRoutes: readonly Route<Call>[] = [
  route('GET /repos/:owner/:repo/releases/:id/assets', (call, { owner, repo, id }) => {
    const repository = findRepository(call, owner, repo);
    const release = findRelease(call, repository, id);
    return pagedReply(call, visibleAssets(call.exchange, release), (asset) =>
      assetShape(call.context.urls, repository, release, asset),
    );
  }),
  route('GET /repos/:owner/:repo/releases/assets/:id', (call, { owner, repo, id }) => {
    const { repository, release, asset } = findAsset(call, owner, repo, id);
    const wantsBytes = call.exchange.headers.accept?.includes('application/octet-stream') ?? false;
    if (!wantsBytes) return jsonReply(200, assetShape(call.context.urls, repository, release, asset));
    if (asset.state !== 'uploaded') throw notFound();
    if (call.method === 'GET') asset.downloadCount++;
    return redirectReply(signedUrl(call.context, repository, asset, call.exchange.faults));
  }),
  route('PATCH /repos/:owner/:repo/releases/assets/:id', async (call, { owner, repo, id }) => {
    requireWrite(call.caller.account, findRepository(call, owner, repo));
    const fields = await readFields(call.exchange, { name: 'string', label: 'string' });
    const { repository, release, asset } = findAsset(call, owner, repo, id);
    if (release.immutable) throw refusal(422, 'Cannot update assets of an immutable release.');
    const name = fields.name === undefined ? asset.name : assetNameOf(fields.name);
    if (release.assets.some((other) => other !== asset && other.name === name)) {
      throw validationFailed({ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' });
    }
    asset.name = name;
    asset.label = fields.label ?? asset.label;
    asset.updatedAt = Date.now();
    call.context.store.save();
    return jsonReply(200, assetShape(call.context.urls, repository, release, asset));
  }),
  route('DELETE /repos/:owner/:repo/releases/assets/:id', async (call, { owner, repo, id }) => {
    requireWrite(call.caller.account, findRepository(call, owner, repo));
    const { release, asset } = findAsset(call, owner, repo, id);
    if (release.immutable) throw refusal(422, 'Cannot delete assets from an immutable release.');
    release.assets = release.assets.filter((other) => other !== asset);
    call.context.store.save();
    await rm(call.context.store.assetPath(asset.id), { force: true });
    return { status: 204 };
  }),
];

function findAsset(call: Call, owner: string, repo: string, id: string): Found {
  const repository = findRepository(call, owner, repo);
  for (const release of visibleReleases(call, repository)) {
    const asset = visibleAssets(call.exchange, release).find((one) => String(one.id) === id);
    if (asset !== undefined) return { repository, release, asset };
  }
  throw notFound();
}
