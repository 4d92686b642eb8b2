import { jsonReply, type Reply } from '../reply.ts';
import type { Call } from './context.ts';

/**
 * One page of a list, with the Link header that leads to the others: `per_page` 30, at most 100.
 */
export function pagedReply<T>(call: Call, items: readonly T[], shape: (item: T) => unknown): Reply {
  const { url, context } = call;
  const size = Math.min(100, positive(url.searchParams.get('per_page'), 30));
  const page = positive(url.searchParams.get('page'), 1);
  const last = Math.max(1, Math.ceil(items.length / size));
  const link = (to: number, relation: string): string => {
    // GitHub's links name the repository by its id.
    const path = numericPath(call);
    const query = new URLSearchParams(url.searchParams);
    query.set('page', String(to));
    return `<${context.urls.api}${path}?${query}>; rel="${relation}"`;
  };
  const links = [
    ...(page > 1 ? [link(Math.min(page - 1, last), 'prev')] : []),
    ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
    ...(page > 1 ? [link(1, 'first')] : []),
  ];
  const shown = items.slice((page - 1) * size, page * size).map(shape);
  return jsonReply(200, shown, links.length === 0 ? {} : { link: links.join(', ') });
}

function numericPath({ url, context }: Call): string {
  const [, owner, name, rest = ''] = /^\/repos\/([^/]+)\/([^/]+)(\/.*)$/.exec(url.pathname) ?? [];
  const repository = context.store.repositories.find(
    (one) => one.owner.toLowerCase() === owner?.toLowerCase() && one.name.toLowerCase() === name?.toLowerCase(),
  );
  return repository === undefined ? url.pathname : `/repositories/${repository.id}${rest}`;
}

function positive(text: string | null, otherwise: number): number {
  const number = Number(text ?? otherwise);
  return Number.isInteger(number) && number > 0 ? number : otherwise;
}
