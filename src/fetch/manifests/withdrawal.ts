import type { Manifest } from '../../contract/manifest.ts';

/** Why a version of a model was withdrawn; undefined where the manifest doesn't say that it was. */
export function withdrawal({ yanked }: Pick<Manifest, 'yanked'>, name: string, version: string): string | undefined {
  return yanked?.find((entry) => entry.model === name && entry.version === version)?.reason;
}
