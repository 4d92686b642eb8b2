import { join } from 'node:path';
import { modelNameFault } from '../../contract/names.ts';
import { hasSystemCode } from '../../core/errors.ts';
import { namesIn, readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { refreshChecksumsFile } from './checksums-file.ts';
import {
  type InstalledModel,
  isRealDirectory,
  readAllInstalled,
  readInstalled,
  readLinkedVersion,
  recordOf,
} from './installed.ts';
import { type CacheLayout, versionFileName } from './layout.ts';
import { tryModelLock } from './model-lock.ts';
import { pointCurrent, removeCurrent } from './switch-current.ts';

/**
 * Completes what a killed process left half done: a switch of `models/<name>`, `checksums.json`, a
 * missing `.version`, a link to a version that is gone. Reads a few small files where nothing is
 * amiss. A cache that can't be written to stays as it is, for it works so too. Models that another
 * process works on are left to it.
 */
export async function healCache(layout: CacheLayout): Promise<void> {
  try {
    const models = await readAllInstalled(layout);
    const linked = (await namesIn(layout.models)).filter((name) => modelNameFault(name) === undefined);
    const seen = new Map(models.map((model) => [model.name, model]));
    const names = [...new Set([...seen.keys(), ...linked])];
    const found = await Promise.all(names.map((name) => lookAt(layout, name, seen.get(name))));
    const wrong = names.filter((_, at) => !found[at]?.right);
    for (const name of wrong) {
      const lock = await tryModelLock(layout, name);
      if (lock === undefined) continue;
      try {
        await healModel(layout, name);
      } finally {
        await lock.release();
      }
    }
    await refreshChecksumsFile(layout, wrong.length === 0 ? models : undefined);
  } catch (error) {
    if (!hasSystemCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT')) throw error;
  }
}

async function lookAt(layout: CacheLayout, name: string, model: InstalledModel | undefined) {
  const current = model?.linked;
  const linked = await readLinkedVersion(layout, name);
  const versionFile = join(layout.version(name, current ?? ''), versionFileName);
  const isOurs = recordOf(model, current)?.cache === layout;
  const isNamed = !isOurs || String(await readFileIfThere(versionFile)) === `${current}\n`;
  return { current, linked, versionFile, isNamed, right: linked === current && isNamed };
}

/** With the model's lock held: looks again, then mends. */
async function healModel(layout: CacheLayout, name: string): Promise<void> {
  const { current, linked, versionFile, isNamed } = await lookAt(layout, name, await readInstalled(layout, name));
  if (current === undefined) {
    if (linked !== undefined) await removeCurrent(layout, name);
    return;
  }
  if (!isNamed) await writeFileAtomically(versionFile, `${current}\n`);
  if (linked === current) return;
  // A directory that isn't ours is for `install` to look at: it adopts it or moves it aside.
  if (linked === undefined && (await isRealDirectory(layout.current(name)))) return;
  await pointCurrent(layout, name, current);
}
