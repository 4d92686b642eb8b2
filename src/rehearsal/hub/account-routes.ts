import type { Exchange } from '../http.ts';
import { jsonReply, type Reply } from '../reply.ts';
import { type Route, route } from '../routes.ts';
import { type HubContext, readJson } from './access.ts';
import { describeAccount, type HubAccount, identify, idOf, mayWrite } from './accounts.ts';
import { validateCard } from './card-metadata.ts';
import { HubError } from './hub-error.ts';

/** What concerns no existing repository: who am I, a card's metadata, new repositories. */
export function accountRoutes(context: HubContext): readonly Route[] {
  const requireAccount = (exchange: Exchange): HubAccount => {
    const account = identify(exchange.headers.authorization, context.accounts);
    if (account === undefined) throw new HubError(401, 'Invalid username or password.');
    return account;
  };
  return [
    route('GET /api/whoami-v2', (exchange) =>
      jsonReply(200, describeAccount(requireAccount(exchange), exchange.baseUrl)),
    ),
    route('POST /api/validate-yaml', async (exchange) => {
      const { content } = await readJson(exchange);
      const findings = validateCard(typeof content === 'string' ? content : '');
      return jsonReply(findings.errors.length === 0 ? 200 : 400, findings);
    }),
    route('POST /api/repos/create', async (exchange) => createRepository(context, exchange, requireAccount(exchange))),
  ];
}

async function createRepository(context: HubContext, exchange: Exchange, account: HubAccount): Promise<Reply> {
  const request = await readJson(exchange);
  const { type = 'model', name } = request;
  if (type !== 'model') throw new HubError(400, 'this stand-in has model repositories only');
  const owner = typeof request.organization === 'string' ? request.organization : account.user;
  const fullName = `${owner}/${String(name)}`;
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]{0,95}$/.test(name) || /--|\.\.|\.git$|[.-]$/.test(name)) {
    throw new HubError(400, `"${String(name)}" is no name for a repository`);
  }
  if (!mayWrite(account, fullName)) {
    throw new HubError(403, `You don't have the rights to create a model under the namespace "${owner}".`);
  }
  const isPrivate = request.visibility === 'private' || request.private === true;
  const url = `${exchange.baseUrl}/${fullName}`;
  const repository = await context.repositories.create(fullName, { private: isPrivate }, account.user);
  if (repository === undefined) {
    throw new HubError(409, 'You already created this model repo', { fields: { url, id: idOf(fullName) } });
  }
  return jsonReply(200, { url, name: fullName, id: idOf(fullName) });
}
