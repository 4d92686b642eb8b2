import type { Manifest } from '../../contract/manifest.ts';
import { type RunContext, warn } from '../../core/events.ts';
import type { KnownManifest } from './good-manifest.ts';

/** Why a version of a model was withdrawn; undefined where the manifest doesn't say that it was. */
export function withdrawal({ yanked }: Pick<Manifest, 'yanked'>, name: string, version: string): string | undefined {
  return yanked?.find((entry) => entry.model === name && entry.version === version)?.reason;
}

/**
 * The same by a manifest that may have been asked for by name: then what the newest one says counts
 * too.
 */
export function withdrawalBy(
  good: Pick<KnownManifest, 'manifest' | 'withdrawnSince'>,
  name: string,
  version: string,
): string | undefined {
  return withdrawal(good.manifest, name, version) ?? withdrawal({ yanked: good.withdrawnSince }, name, version);
}

/** Warns of a version that was withdrawn and is installed all the same. */
export function warnIfWithdrawn(name: string, version: string, reason: string | undefined, context: RunContext): void {
  if (reason === undefined) return;
  warn(context, {
    file: `${name}@${version}`,
    message: `was withdrawn: ${reason}`,
    hint: 'Use another version if you can.',
  });
}
