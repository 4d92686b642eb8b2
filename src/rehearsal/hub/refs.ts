import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { ObjectId } from './git-objects.ts';

/** Where a ref points: `oid` may be an annotated tag, `commit` is the commit in the end. */
export interface RefTarget {
  readonly oid: ObjectId;
  readonly commit: ObjectId;
}

/** Whether what was made at that time (milliseconds) isn't seen yet: read-after-write lag. */
export type IsHidden = (madeAt: number) => boolean;

/** The refs of a repository, in git's own files below `<directory>/refs`; one process owns them. */
export interface Refs {
  /** By full name, such as `refs/heads/main`; `isHidden` gives the state before what it hides. */
  get(name: string, isHidden?: IsHidden): RefTarget | undefined;
  /** By name, in byte order. */
  list(isHidden?: IsHidden): readonly (RefTarget & { readonly name: string })[];
  /** Sets or (undefined) deletes. */
  set(name: string, target: RefTarget | undefined): Promise<void>;
}

interface Change {
  readonly madeAt: number;
  readonly target: RefTarget | undefined;
}

export async function openRefs(directory: string, peel: (oid: ObjectId) => Promise<ObjectId>): Promise<Refs> {
  const changes = new Map<string, Change[]>();
  const top = join(directory, 'refs');
  await mkdir(top, { recursive: true });
  for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('.tmp-')) continue;
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(directory.length + 1).replaceAll('\\', '/');
    const oid = (await readFile(path, 'utf8')).trim();
    changes.set(name, [{ madeAt: 0, target: { oid, commit: await peel(oid) } }]);
  }
  const get = (name: string, isHidden: IsHidden = () => false): RefTarget | undefined =>
    changes.get(name)?.findLast((change) => !isHidden(change.madeAt))?.target;
  return {
    get,
    list: (isHidden) =>
      [...changes.keys()].sort().flatMap((name) => {
        const target = get(name, isHidden);
        return target === undefined ? [] : [{ name, ...target }];
      }),
    set: async (name, target) => {
      const path = join(directory, name);
      if (target === undefined) await rm(path, { force: true });
      else await writeFileAtomically(path, `${target.oid}\n`);
      changes.set(name, [...(changes.get(name) ?? []), { madeAt: Date.now(), target }]);
    },
  };
}

/** The rules of git's check-ref-format for what follows `refs/heads/` or `refs/tags/`. */
export function isRefName(name: string): boolean {
  return (
    name.split('/').every((part) => part !== '' && !part.startsWith('.') && !part.endsWith('.lock')) &&
    !/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\.$/.test(name) &&
    name !== '@' &&
    !name.startsWith('-')
  );
}
