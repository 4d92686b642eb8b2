import { rm } from 'node:fs/promises';
import { jsonReply, type Reply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { requireWrite } from './accounts.ts';
import { type Call, findRepository } from './context.ts';
import { pagedReply } from './paging.ts';
import { notFound, refusal } from './refusals.ts';
import {
  createRelease,
  deleteRelease,
  findRelease,
  latestRelease,
  releaseByTag,
  updateRelease,
  visibleAssets,
  visibleReleases,
} from './releases.ts';
import { readFields } from './request-fields.ts';
import { releaseShape } from './shapes.ts';
import type { StoredRelease, StoredRepository } from './store.ts';

const releaseFields = {
  tag_name: 'string',
  target_commitish: 'string',
  name: 'string',
  body: 'string',
  draft: 'boolean',
  prerelease: 'boolean',
  make_latest: 'string',
  generate_release_notes: 'boolean',
} as const;

/** REST: "Releases" (docs.github.com/rest/releases/releases). */
export const releaseRoutes: readonly Route<Call>[] = [
  route('GET /repos/:owner/:repo/releases', (call, { owner, repo }) => {
    const repository = findRepository(call, owner, repo);
    return pagedReply(call, visibleReleases(call, repository), (release) => shape(call, repository, release));
  }),
  route('POST /repos/:owner/:repo/releases', async (call, { owner, repo }) => {
    const repository = findRepository(call, owner, repo);
    const { login } = requireWrite(call.caller.account, repository);
    const fields = await readFields(call.exchange, releaseFields);
    if (fields.tag_name === undefined) throw refusal(422, 'Invalid request.\n\n"tag_name" wasn\'t supplied.');
    const release = createRelease(call, repository, login, fields);
    const made = shape(call, repository, release);
    return jsonReply(201, made, { location: String(made.url) });
  }),
  route('POST /repos/:owner/:repo/releases/generate-notes', async (call, { owner, repo }) => {
    requireWrite(call.caller.account, findRepository(call, owner, repo));
    const { tag_name: tag } = await readFields(call.exchange, { tag_name: 'string' });
    return jsonReply(200, { name: tag ?? '', body: '' });
  }),
  route('GET /repos/:owner/:repo/releases/latest', (call, { owner, repo }) => {
    const repository = findRepository(call, owner, repo);
    return found(call, repository, latestRelease(repository));
  }),
  route('GET /repos/:owner/:repo/releases/tags/:tag*', (call, { owner, repo, tag }) => {
    const repository = findRepository(call, owner, repo);
    return found(call, repository, releaseByTag(call, repository, tag));
  }),
  route('GET /repos/:owner/:repo/releases/:id', (call, { owner, repo, id }) => {
    const repository = findRepository(call, owner, repo);
    return found(call, repository, findRelease(call, repository, id));
  }),
  route('PATCH /repos/:owner/:repo/releases/:id', async (call, { owner, repo, id }) => {
    const repository = findRepository(call, owner, repo);
    requireWrite(call.caller.account, repository);
    const fields = await readFields(call.exchange, releaseFields);
    const release = findRelease(call, repository, id);
    updateRelease(call, repository, release, fields);
    return found(call, repository, release);
  }),
  route('DELETE /repos/:owner/:repo/releases/:id', async (call, { owner, repo, id }) => {
    const repository = findRepository(call, owner, repo);
    requireWrite(call.caller.account, repository);
    const release = findRelease(call, repository, id);
    deleteRelease(call, repository, release);
    for (const asset of release.assets.splice(0)) await rm(call.context.store.assetPath(asset.id), { force: true });
    return { status: 204 };
  }),
];

function found(call: Call, repository: StoredRepository, release: StoredRelease | undefined): Reply {
  if (release === undefined) throw notFound();
  return jsonReply(200, shape(call, repository, release));
}

function shape({ context, exchange }: Call, repository: StoredRepository, release: StoredRelease) {
  return releaseShape(context.urls, repository, release, visibleAssets(exchange, release));
}
