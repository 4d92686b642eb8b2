import type { Exchange } from '../http.ts';

/** The `Link` header that names the next page: this request's URL with one parameter set. */
export function nextPage(exchange: Exchange, parameter: string, value: string): { readonly link: string } {
  const url = new URL(exchange.url.pathname + exchange.url.search, exchange.baseUrl);
  url.searchParams.set(parameter, value);
  return { link: `<${url.href}>; rel="next"` };
}
