import * as z from 'zod/mini';

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/**
 * Bytes a second from a number, or from a text such as `500000`, `500k`, `5MB`, `1.5 MB/s` (decimal
 * units); undefined where it is no rate.
 */
export function parseRate(rate: unknown): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)b?(?:\/s)?$/i.exec(String(rate).trim());
  const value = match ? Math.floor(Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? Number.NaN)) : 0;
  return value >= 1 ? value : undefined;
}

/** A rate among options or preferences. */
export const rateField = z
  .any()
  .check(
    z.refine((rate) => parseRate(rate) !== undefined, 'must be bytes a second: a number, or a text such as "5MB"'),
  );
