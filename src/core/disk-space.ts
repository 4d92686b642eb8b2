import { statfs } from 'node:fs/promises';
import { hasSystemCode, machineError } from './errors.ts';
import { formatBytes } from './format.ts';

/** Left free for everything else. */
const marginBytes = 16 * 1024 * 1024;

/** Throws `machine` where the disk that holds `directory` has no room for so many bytes more. */
export async function checkDiskSpace(directory: string, bytes: number): Promise<void> {
  const free = await statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    (error: unknown) => {
      // Some file systems can't say.
      if (hasSystemCode(error, 'ENOSYS', 'ENOTSUP', 'EINVAL', 'EPERM')) return undefined;
      throw error;
    },
  );
  if (free === undefined || free >= bytes + marginBytes) return;
  throw machineError(
    `${directory}: ${formatBytes(bytes)} are needed, ${formatBytes(free)} are free`,
    'Free some disk space (aircher model prune removes old versions), or set AIRCHER_CACHE_DIR to a larger disk.',
    { details: { system: 'ENOSPC', needed: bytes, free } },
  );
}
