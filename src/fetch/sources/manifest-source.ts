import type { RunContext } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';

export interface SourceOptions extends RunContext {
  readonly http: Http;
  /**
   * The `etag` of the last answer of this source: where it is still the same, the answer is
   * `notModified`.
   */
  readonly etag?: string | undefined;
  /** For the whole answer; default 30,000. */
  readonly timeoutMs?: number | undefined;
}

export interface ReleaseOptions extends SourceOptions {
  /**
   * What stands before the version in tags, where the source itself doesn't say it; else it is read
   * off the source's newest manifest.
   */
  readonly tagPrefix?: string | undefined;
}

/** A manifest as a source gave it: not parsed, not verified. */
export interface FetchedManifest {
  readonly source: string;
  readonly notModified: false;
  /** Where it was: a URL, or a file's path. */
  readonly url: string;
  /** The release's tag, where the source's form tells it. */
  readonly tag: string | undefined;
  /** For the next conditional request. */
  readonly etag: string | undefined;
  readonly bytes: Buffer;
  /** `manifest.json.minisig` beside it; undefined where there is none. */
  readonly signature: Buffer | undefined;
  /** It came from this machine: only then its addresses may lead there. */
  readonly local: boolean;
}

/** The source has nothing new since `etag`. */
export interface UnchangedManifest {
  readonly source: string;
  readonly notModified: true;
  readonly url: string;
  readonly tag: string | undefined;
  readonly etag: string | undefined;
}
