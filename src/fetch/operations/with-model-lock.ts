import type { RunContext } from '../../core/events.ts';
import type { CacheLayout } from '../cache/layout.ts';
import { waitForModelLock } from '../cache/model-lock.ts';

/** Does something to a model while no other process does. `held` is false where the file system has no locks. */
export async function withModelLock<T>(
  layout: CacheLayout,
  name: string,
  context: RunContext,
  work: (held: boolean) => Promise<T>,
): Promise<T> {
  const lock = await waitForModelLock(layout, name, async () => false, context);
  try {
    return await work(lock?.held ?? false);
  } finally {
    await lock?.release();
  }
}
