import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded before a program (`node --import`): kills it, without a word, in the place of its rename
 * number KILL_AT_RENAME.
 */
const { rename } = files;
let count = 0;
files.rename = async (from, to) => {
  count++;
  if (count === Number(process.env.KILL_AT_RENAME)) process.kill(process.pid, 'SIGKILL');
  await rename(from, to);
};
syncBuiltinESMExports();
