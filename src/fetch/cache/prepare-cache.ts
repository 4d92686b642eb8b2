import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasSystemCode, machineError, toAircherError } from '../../core/errors.ts';
import { makeDirectory } from '../../core/write-files.ts';
import type { CacheLayout } from './layout.ts';
import { otherCache } from './locate.ts';

/** See https://bford.info/cachedir/: backup programs leave such a directory out. */
const cacheDirTag = `Signature: 8a477f597d28d172789f06886806bc55
# Models that can be downloaded again. For information about cache directory tags see https://bford.info/cachedir/
`;

/**
 * Makes the directories of a cache that is going to be written to. Throws `machine` where that
 * isn't possible.
 */
export async function prepareCache(layout: CacheLayout): Promise<void> {
  try {
    const tagged = [layout.models, layout.versions, layout.downloads].map(async (directory) => {
      await makeDirectory(directory);
      // Whatever stands there already stays, and no link is written through.
      await writeFile(join(directory, 'CACHEDIR.TAG'), cacheDirTag, { flag: 'wx' }).catch((error: unknown) => {
        if (!hasSystemCode(error, 'EEXIST')) throw error;
      });
    });
    await Promise.all([makeDirectory(layout.state), ...tagged]);
  } catch (error) {
    if (hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST')) {
      throw machineError(`The cache ${layout.root} can't be written to: ${toAircherError(error).message}`, otherCache, {
        cause: error,
      });
    }
    throw error;
  }
}
