import { isObject } from '../contract/json-values.ts';
import { oneLine, shortened } from '../core/printable.ts';
import { isRateLimit, retryAfterMs } from '../http/retry-after.ts';
import { RequestFailure } from './request-failure.ts';

/**
 * The failure that an answer with a bad status stands for. `what` says what was asked for; `body`
 * may hold the host's own words (GitHub: `message`, `errors`; Hub: `error`, and headers
 * X-Error-Code, X-Error-Message).
 */
export function answerFailure(what: string, status: number, headers: Headers, body: string): RequestFailure {
  const said = sayings(headers, body);
  const limited =
    isRateLimit(status, headers) || (status === 403 && /secondary rate limit|abuse detection/i.test(said.message));
  return new RequestFailure(`${what}: ${status}${said.message === '' ? '' : ` ${said.message}`}`, {
    status,
    retryable: limited || status === 408 || status === 425 || (status >= 500 && status !== 501),
    limited,
    waitMs: retryAfterMs(headers),
    reasons: said.reasons,
  });
}

interface Sayings {
  readonly message: string;
  readonly reasons: readonly string[];
}

function sayings(headers: Headers, body: string): Sayings {
  const code = headers.get('x-error-code');
  const header = headers.get('x-error-message');
  const json = parseObject(body);
  const errors = Array.isArray(json.errors) ? json.errors : [];
  const reasons = errors.flatMap((entry) =>
    isObject(entry) && typeof entry.code === 'string' ? [entry.code] : typeof entry === 'string' ? [entry] : [],
  );
  const details = errors.flatMap((entry) =>
    isObject(entry) && typeof entry.message === 'string' ? [entry.message] : typeof entry === 'string' ? [entry] : [],
  );
  // Object storage speaks XML.
  const xml = /<Message>([^<]*)<\/Message>/.exec(body)?.[1];
  const message = [json.message, json.error, header, xml].find((text) => typeof text === 'string' && text !== '');
  const all = [...(typeof message === 'string' ? [message] : []), ...(details.length > 0 ? details : reasons)];
  // A remote's words go to a terminal.
  const told = shortened(oneLine(all.join(': ')).trim());
  return { message: told, reasons: code === null ? reasons : [...reasons, code] };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}
