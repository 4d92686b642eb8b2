import type { Problem } from '../../core/errors.ts';
import type { RunContext } from '../../core/events.ts';
import type { InspectedFile, ReleaseFile, TargetRelease } from '../target.ts';

/** A document as it was read. */
export interface Stored {
  /** Undefined where something stands there that is no file of a mirror. */
  readonly bytes: Buffer | undefined;
  /** By this the storage tells whether it is still the same. */
  readonly version?: string | undefined;
}

/**
 * Where a mirror's files lie: a directory that a web server publishes, or a bucket. Paths are
 * relative to its root: `manifest.json`, `<tag>/<name>`. Errors: `conflict` where something that
 * isn't ours is in the way.
 */
export interface MirrorStorage {
  /** For messages: the directory's path, `s3://bucket/prefix`. */
  readonly place: string;
  /** The same, of one path. */
  at(path: string): string;
  /** What to do where it is another place than the public address shows. */
  readonly correction: string;
  /** The directories at the root whose names begin so. */
  directories(prefix: string, context: RunContext): Promise<readonly string[]>;
  /** What a directory holds, sorted by name, with digests. */
  list(directory: string, context: RunContext): Promise<readonly InspectedFile[]>;
  exists(path: string, context: RunContext): Promise<boolean>;
  /** Undefined where there is nothing. Throws `invalid` where it is larger than `maxBytes`. */
  read(path: string, maxBytes: number, context: RunContext): Promise<Stored | undefined>;
  /** Writes a document in the place of what was read there. Does nothing where it is the same. */
  replace(path: string, bytes: Buffer, before: Stored | undefined, context: RunContext): Promise<void>;
  /** Those of the files that `<tag>/` doesn't hold with the planned bytes. */
  missing(tag: string, files: readonly ReleaseFile[], context: RunContext): Promise<readonly ReleaseFile[]>;
  /** Writes what is missing to `<tag>/`, and tells of each file. */
  send(tag: string, files: readonly ReleaseFile[], context: RunContext): Promise<void>;
  /** What would stop the release here. `names` are the documents at the root. Read-only. */
  problems(release: TargetRelease, names: readonly string[], context: RunContext): Promise<readonly Problem[]>;
}
