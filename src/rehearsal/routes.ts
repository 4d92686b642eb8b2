import type { Exchange } from './http.ts';
import { Refusal, type Reply, textReply } from './reply.ts';

/** Names of the parameters in a pattern: `:name` is one segment, a last `:name*` one or more. */
type ParameterNames<Pattern extends string> = Pattern extends `${infer Head}/${infer Tail}`
  ? ParameterNames<Head> | ParameterNames<Tail>
  : Pattern extends `:${infer Name}*`
    ? Name
    : Pattern extends `:${infer Name}`
      ? Name
      : never;

/** What routing needs to know of a request; handlers get the whole of it. */
interface Routable {
  readonly method: string;
  readonly url: URL;
}

type Answer = Reply | Promise<Reply>;

export interface Route<Request extends Routable = Exchange> {
  readonly method: string;
  readonly segments: readonly string[];
  readonly handler: (request: Request, params: Readonly<Record<string, string>>) => Answer;
}

/** A route of the form `GET /repos/:owner/:repo/contents/:path*`. GET answers HEAD as well. */
export function route<Pattern extends string, Request extends Routable = Exchange>(
  pattern: Pattern,
  handler: (request: Request, params: Readonly<Record<ParameterNames<Pattern>, string>>) => Answer,
): Route<Request> {
  const [method = '', path = ''] = pattern.split(' ');
  return { method, segments: path.split('/').slice(1), handler };
}

/**
 * One handler out of many routes: the first that matches answers, else `otherwise`. Parameters
 * arrive percent-decoded.
 */
export function routed<Request extends Routable = Exchange>(
  routes: readonly Route<Request>[],
  otherwise: (request: Request) => Answer,
): (request: Request) => Answer {
  return (request) => {
    const segments = request.url.pathname.split('/').slice(1).map(decodeSegment);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    for (const candidate of routes) {
      if (candidate.method !== method) continue;
      const params = matchSegments(candidate.segments, segments);
      if (params !== undefined) return candidate.handler(request, params);
    }
    return otherwise(request);
  };
}

function matchSegments(pattern: readonly string[], found: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = found[index];
    if (segment === undefined) return undefined;
    if (part.startsWith(':') && part.endsWith('*')) {
      const rest = found.slice(index).join('/');
      if (rest === '') return undefined;
      params[part.slice(1, -1)] = rest;
      return params;
    }
    if (part.startsWith(':')) {
      if (segment === '') return undefined;
      params[part.slice(1)] = segment;
    } else if (part !== segment) return undefined;
  }
  return pattern.length === found.length ? params : undefined;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Refusal(textReply(400, 'Bad Request: malformed percent-encoding in the path'));
  }
}
