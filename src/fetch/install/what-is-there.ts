import type { ManifestModel } from '../../contract/manifest.ts';
import { type Wanted, wantedOf } from '../../contract/wanted-weights.ts';
import { isWritable } from '../../core/read-files.ts';
import { absentFiles, type InstalledModel, incompleteFiles, recordOf } from '../cache/installed.ts';
import type { CacheLayout } from '../cache/layout.ts';
import type { InstalledFile, InstallRecord } from '../cache/records.ts';
import type { ResolvedModel } from '../manifests/resolve-model.ts';

export interface WantedHere {
  /**
   * The weights that are asked for, as `wantedOf` reads them; else those of `kept`, else the
   * default.
   */
  readonly weights?: string | undefined;
  readonly kept?: Wanted | undefined;
  /** Files of an installed version that are wrong, though they look right. */
  readonly wrong?: readonly string[] | undefined;
}

/** What of a version is there, and what of it is wanted. */
type WhatIsThere = {
  readonly entry: ManifestModel;
  readonly wanted: Wanted;
  /** What a version made now must have, to take the place of the system cache's. */
  readonly wantedAnew: Wanted;
  /** Files of the version that are missing, cut, or said to be wrong. */
  readonly damaged: readonly InstalledFile[];
  /** Files that are wanted, and aren't recorded. */
  readonly absent: readonly InstalledFile[];
} & (
  | { readonly known: InstallRecord; readonly isComplete: boolean }
  | { readonly known: undefined; readonly isComplete: false }
);

/** Looks at an installed version, or at one that isn't there. Throws as `wantedOf`. */
export async function whatIsThere(
  layout: CacheLayout,
  target: Pick<ResolvedModel, 'name' | 'version' | 'entry'>,
  model: InstalledModel | undefined,
  { weights, kept, wrong = [] }: WantedHere,
): Promise<WhatIsThere> {
  const known = recordOf(model, target.version);
  const entry = known?.entry ?? target.entry;
  const wanted = wantedOf({ ...target, entry }, weights, kept);
  const none = { known: undefined, entry, wanted, damaged: [], absent: [], isComplete: false } as const;
  if (known === undefined) return { ...none, wantedAnew: wanted };
  const bad = new Set([...(await incompleteFiles(known)), ...wrong]);
  const damaged = known.files.filter(({ path }) => bad.has(path));
  const absent = absentFiles(known, wanted);
  const isWhole = damaged.length === 0 && absent.length === 0;
  const isShared = known.cache !== layout;
  // What the system cache lacks of a version makes a whole one of the user's own.
  if (isShared && !isWhole) return { ...none, wantedAnew: [...new Set([...known.wanted, ...wanted])] };
  // A wish that can't be noted, in a cache that may only be read, stops nobody.
  const isNoted =
    isShared || wanted.every((one) => known.wanted.includes(one)) || !(await isWritable(layout.records(known.model)));
  return { known, entry, wanted, wantedAnew: wanted, damaged, absent, isComplete: isWhole && isNoted };
}
