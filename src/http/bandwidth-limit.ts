/**
 * A limit of `bytesPerSecond` over everything that counts against it. `pace(bytes)` gives the
 * milliseconds to wait before more is read; up to a fifth of a second's worth may come in one
 * burst.
 */
export function createPace(
  bytesPerSecond: number | undefined,
  now: () => number = () => performance.now(),
): (bytes: number) => number {
  if (bytesPerSecond === undefined) return () => 0;
  const burstMs = 200;
  let freeAt = now() - burstMs;
  return (bytes) => {
    const time = now();
    freeAt = Math.max(freeAt, time - burstMs) + (bytes / bytesPerSecond) * 1000;
    return Math.max(0, freeAt - time);
  };
}
