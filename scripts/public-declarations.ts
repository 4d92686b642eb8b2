import { glob, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/**
 * Deletes the declarations below a directory that `entry` doesn't lead to: they would only invite
 * imports of what isn't public.
 */
export async function keepPublicDeclarations(directory: string, entry: string): Promise<void> {
  const reached = new Set<string>();
  const queue = [resolve(directory, entry)];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    const text = await readFile(path, 'utf8');
    for (const [, from = ''] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"](\.[^'"]+)\.ts['"]/g)) {
      queue.push(resolve(dirname(path), `${from}.d.ts`));
    }
  }
  for await (const path of glob('**/*.d.ts', { cwd: directory })) {
    if (!reached.has(resolve(directory, path))) await rm(join(directory, path));
  }
}
