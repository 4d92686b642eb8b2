const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** Bytes a second from `500000`, `500k`, `5MB`, `1.5 MB/s` (decimal units); undefined where it is no rate. */
export function parseRate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]?)b?(?:\/s)?$/i.exec(text.trim());
  const rate = match ? Math.floor(Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? Number.NaN)) : 0;
  return rate >= 1 ? rate : undefined;
}
