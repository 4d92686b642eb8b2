import { jsonReply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { hasPushRole, requireWrite } from './accounts.ts';
import { type Call, findRepository } from './context.ts';
import type { RateLimits } from './rate-limits.ts';
import { notFound, refusal } from './refusals.ts';
import { repositoryShape, userShape } from './shapes.ts';

/** REST: who asks, what is left of their requests, and what a repository is. */
export function accountRoutes(rateLimits: RateLimits): readonly Route<Call>[] {
  return [
    route('GET /', ({ context: { urls } }) =>
      jsonReply(200, {
        current_user_url: `${urls.api}/user`,
        rate_limit_url: `${urls.api}/rate_limit`,
        repository_url: `${urls.api}/repos/{owner}/{repo}`,
        user_url: `${urls.api}/users/{user}`,
      }),
    ),
    route('GET /rate_limit', ({ caller }) => {
      const core = { ...rateLimits.peek(caller), resource: 'core' };
      return jsonReply(200, { resources: { core }, rate: core });
    }),
    route('GET /user', ({ context, caller: { account } }) => {
      if (account === undefined) throw refusal(401, 'Requires authentication');
      if (account.kind === 'actions') throw refusal(403, 'Resource not accessible by integration');
      return jsonReply(200, userShape(context.urls, account.login));
    }),
    route('GET /installation/repositories', ({ context, caller: { account } }) => {
      if (account === undefined) throw refusal(401, 'Requires authentication');
      if (account.kind !== 'actions') {
        throw refusal(
          403,
          'You must authenticate with an installation access token in order to list repositories for an installation.',
        );
      }
      const reached = context.store.repositories.filter((one) => hasPushRole(account, one));
      const repositories = reached.map((one) => repositoryShape(context.urls, one, account));
      return jsonReply(200, { total_count: repositories.length, repositories });
    }),
    route('GET /repos/:owner/:repo', (call, { owner, repo }) => {
      const repository = findRepository(call, owner, repo);
      return jsonReply(200, repositoryShape(call.context.urls, repository, call.caller.account));
    }),
    route('GET /repos/:owner/:repo/immutable-releases', (call, { owner, repo }) => {
      const repository = findRepository(call, owner, repo);
      requireWrite(call.caller.account, repository);
      if (!repository.immutableReleases) throw notFound();
      return jsonReply(200, { enabled: true, enforced_by_owner: false });
    }),
  ];
}
