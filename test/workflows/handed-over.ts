import { cp, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import picomatch from 'picomatch';

/**
 * `actions/upload-artifact` and `actions/download-artifact` as directories: what one job hands over
 * to another.
 */

type Inputs = Readonly<Record<string, unknown>>;

/** Throws where nothing is found, or the name is taken and `overwrite` isn't set. */
export async function uploadArtifact(inputs: Inputs, workplace: string, store: string): Promise<void> {
  const name = String(inputs.name);
  const lines = String(inputs.path).trim().split(/\s+/);
  const paths = lines.filter((line) => !line.startsWith('!'));
  const left = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  if ((await names(store)).includes(name) && inputs.overwrite !== true) throw new Error(`artifact ${name} exists`);
  const target = join(store, name);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  // With several paths the action keeps what is below the nearest directory above all of them.
  const bases = new Set(paths.map((path) => picomatch.scan(path).base));
  if (bases.size !== 1) throw new Error(`paths below one directory are understood, not ${String(inputs.path)}`);
  for (const path of paths) await uploadPath(path, left, workplace, target);
  if ((await names(target)).length === 0) throw new Error(`no files were found at ${paths.join(', ')}`);
}

async function uploadPath(path: string, left: readonly string[], workplace: string, target: string): Promise<void> {
  const { base, glob } = picomatch.scan(path);
  const source = join(workplace, base);
  const matches = picomatch(path);
  const wanted = (place: string): boolean =>
    !left.includes(place) && !place.split('/').some((part) => part.startsWith('.')) && (glob === '' || matches(place));
  if ((await stat(source)).isFile()) return cp(source, join(target, basename(base)));
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name);
    if (entry.isFile() && wanted(relative(workplace, from))) await cp(from, join(target, relative(source, from)));
  }
}

/**
 * Throws where the named artifact isn't there. A pattern that matches nothing is no error, as with
 * the action.
 */
export async function downloadArtifact(inputs: Inputs, workplace: string, store: string): Promise<void> {
  const target = join(workplace, String(inputs.path ?? '.'));
  await mkdir(target, { recursive: true });
  const there = await names(store);
  if (inputs.name !== undefined) {
    if (!there.includes(String(inputs.name))) throw new Error(`artifact ${String(inputs.name)} not found`);
    await cp(join(store, String(inputs.name)), target, { recursive: true });
    return;
  }
  const matches = picomatch(String(inputs.pattern));
  if (inputs['merge-multiple'] !== true) throw new Error('a pattern is understood with merge-multiple only');
  for (const name of there.filter((candidate) => matches(candidate))) {
    await cp(join(store, name), target, { recursive: true });
  }
}

async function names(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).sort();
}
