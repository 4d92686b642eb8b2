import { statfs } from 'node:fs/promises';
import { hasSystemCode, machineError } from './errors.ts';
import { formatBytes } from './format.ts';

const cacheRemedy =
  'Free some disk space (aircher model prune removes old versions), or set AIRCHER_CACHE_DIR to a larger disk.';

/** Left free for everything else. */
const marginBytes = 16 * 1024 * 1024;

/**
 * Throws `machine` where the disk that holds `directory` has no room for so many bytes more;
 * `remedy`: where that isn't the cache's.
 */
export async function checkDiskSpace(directory: string, bytes: number, remedy = cacheRemedy): Promise<void> {
  const free = await statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    (error: unknown) => {
      // Some file systems can't say.
      if (hasSystemCode(error, 'ENOSYS', 'ENOTSUP', 'EINVAL', 'EPERM')) return undefined;
      throw error;
    },
  );
  if (free === undefined || free >= bytes + marginBytes) return;
  throw machineError(`${directory}: ${formatBytes(bytes)} are needed, ${formatBytes(free)} are free`, remedy, {
    details: { system: 'ENOSPC', needed: bytes, free },
  });
}
