import type { Manifest } from '../../contract/manifest.ts';

/** A manifest that may be relied on. */
export interface GoodManifest {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly signature: Uint8Array | undefined;
  /** Where it was: a URL or a file. */
  readonly url: string;
  /** False where no source answered and this is what was accepted before. */
  readonly fresh: boolean;
  /** For a release that was asked for by name: what the newest manifest says was withdrawn since. */
  readonly withdrawnSince?: Manifest['yanked'];
}
