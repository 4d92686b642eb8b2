/**
 * Runs `work` on every item, at most `limit` at a time, and answers in the items' order. After a
 * failure nothing new is started; what runs is awaited, then the first failure is thrown.
 */
export async function mapConcurrently<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const iterator = items[Symbol.iterator]();
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const run = async (): Promise<void> => {
    while (failure === undefined) {
      const step = iterator.next();
      if (step.done) return;
      const index = next++;
      try {
        results[index] = await work(step.value, index);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, run));
  if (failure !== undefined) throw failure.error;
  return results;
}
