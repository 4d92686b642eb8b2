import { setTimeout as delay } from 'node:timers/promises';
import type { Exchange } from '../http.ts';
import { jsonReply, type Reply, textReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, hiddenFrom, openForWrite, type RepositoryParams, readJson } from './access.ts';
import { applyCommit, prepareCommit } from './commit.ts';
import { HubError, revisionNotFound } from './hub-error.ts';
import { readRevision } from './repositories.ts';
import { decideUploads } from './upload-mode.ts';

/** How files are to be sent, and the commit that makes them visible. */
export function commitRoutes(context: HubContext): readonly Route[] {
  const base = '/api/models/:owner/:name' as const;
  return [
    route(`POST ${base}/preupload/:revision`, async (exchange, params) => {
      const { repository } = openForWrite(context, exchange, params);
      const { snapshot } = await readRevision(repository, params.revision, hiddenFrom(exchange));
      return jsonReply(200, { files: await decideUploads(repository, snapshot, await readJson(exchange)) });
    }),
    route(`POST ${base}/commit/:branch`, (exchange, params) => answerCommit(context, exchange, params)),
  ];
}

async function answerCommit(
  context: HubContext,
  exchange: Exchange,
  params: RepositoryParams & { readonly branch: string },
): Promise<Reply> {
  const { repository, account } = openForWrite(context, exchange, params);
  const { branch } = params;
  if (!exchange.headers['content-type']?.startsWith('application/x-ndjson')) {
    throw new HubError(415, 'a commit is application/x-ndjson');
  }
  if (exchange.url.searchParams.get('create_pr') === '1') {
    throw new HubError(400, 'this stand-in has no pull requests');
  }
  if (repository.refs.get(`refs/heads/${branch}`) === undefined) throw revisionNotFound(branch);
  context.limiter.countCommit(repository.name);
  const prepared = await prepareCommit(repository, exchange.body());
  const release = repository.tryLock();
  if (release === undefined) {
    throw new HubError(409, 'Another commit operation is in progress for this repository. Please try again later.');
  }
  const work = async (): Promise<Reply> => {
    try {
      await delay(prepared.changes.length * context.commits.msPerFile);
      const oid = await applyCommit(repository, branch, prepared, account);
      const commitUrl = `${exchange.baseUrl}/${repository.name}/commit/${oid}`;
      return jsonReply(200, { success: true, commitOid: oid, commitUrl, hookOutput: '' });
    } finally {
      release();
    }
  };
  return withTimeout(context, work());
}

/**
 * The Hub's gateway gives up on a commit that takes too long; the commit itself goes on, and
 * happens.
 */
async function withTimeout(context: HubContext, work: Promise<Reply>): Promise<Reply> {
  const settled = work.catch(() => {});
  context.background.add(settled);
  void settled.finally(() => context.background.delete(settled));
  const timer = new AbortController();
  const timeout = delay(context.commits.timeoutMs, textReply(504, '504 Gateway Time-out'), { signal: timer.signal });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    timer.abort();
    timeout.catch(() => {});
  }
}
