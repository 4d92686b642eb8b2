import type { HostKind } from '../contract/fields.ts';
import type { Problem } from '../core/errors.ts';
import type { RunContext } from '../core/events.ts';
import type { Sha256 } from '../core/hashing.ts';

/** Where a file's bytes are on this machine. */
export type FileContent =
  | { readonly kind: 'file'; readonly path: string }
  /**
   * A file inside an archive whose chunk index lies beside it: how raw files are sent where the
   * source is elsewhere.
   */
  | { readonly kind: 'archived'; readonly archive: string; readonly index: string; readonly path: string };

/** One file of a release, as it is to stand on a target. */
export interface ReleaseFile {
  /**
   * Its name on GitHub and below `<tag>/` on a mirror, its path on the Hub: `gte-large.tar.gz`,
   * `gte-large/config.json`.
   */
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: Sha256;
  readonly content: FileContent;
  /**
   * For signatures, which differ each time they are made: whether other bytes that the host already
   * has under this name are as good. Without it the digest decides.
   */
  readonly accepts?: (stored: Buffer) => boolean | Promise<boolean>;
}

/** A model that a release carries forward, as the tree on the Hub is to have it. */
export interface CarriedModel {
  readonly name: string;
  /** The release that published it. */
  readonly tag: string;
  /** Of its archive. */
  readonly sha256: Sha256;
  /** Its paths in that release's tree. */
  readonly files: readonly string[];
}

/** A release as one target is to have it. */
export interface TargetRelease {
  readonly tag: string;
  /** The tag without its prefix. */
  readonly version: string;
  /** A prerelease touches no pointer that clients read. */
  readonly prerelease: boolean;
  /**
   * Everything that has to be sent to this target, sorted by name. Carried-forward models' files
   * aren't among it.
   */
  readonly files: readonly ReleaseFile[];
  /** What is carried forward and stands on the Hub; nothing on other targets. */
  readonly carried: readonly CarriedModel[];
  /**
   * Every path that the release's tree has on the Hub, carried-forward models' included. Others of
   * our layout are deleted.
   */
  readonly layout: readonly string[];
  /** RELEASE_NOTES.md. */
  readonly notes: string;
  /** The commit that GitHub's tag is to name, where it is known. */
  readonly targetCommit: string | undefined;
  /**
   * Whether the release under this tag is one of ours: a pointer to something newer that is not may
   * be moved back.
   */
  readonly isOurs: (tag: string) => Promise<boolean>;
}

/** A public release that a target has. */
export interface PublishedTag {
  readonly tag: string;
  readonly version: string;
}

/** A release that a target has, or has a part of. */
export interface ListedRelease extends PublishedTag {
  readonly state: 'draft' | 'public';
}

/** What leads clients to the newest release. */
export interface Pointer {
  /** For people: `main`, `newest tag`, `manifest.json at the root`. */
  readonly name: string;
  /** The release that it names; undefined where it names none. */
  readonly tag: string | undefined;
}

/** How often a host was asked for what it has, as far as it counts. */
export interface Downloads {
  /** By tag; undefined where the host doesn't tell releases apart. */
  readonly byTag?: ReadonlyMap<string, number>;
  /** Of everything there; undefined where nobody counts. */
  readonly total: number | undefined;
  /** For people: what was counted, or who would know. */
  readonly counted: string;
}

/** What a target reports of one file. `digest` is undefined where the host has none. */
export interface InspectedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly digest: { readonly algorithm: 'sha256' | 'git-blob'; readonly hex: string } | undefined;
  /** `whole`, or what the host calls an unfinished upload. */
  readonly state: 'whole' | 'unfinished';
  /** How often it was downloaded; undefined where the host doesn't count. */
  readonly downloads: number | undefined;
}

export interface DocumentOptions {
  /** Default: `limits.manifestBytes`. */
  readonly maxBytes?: number;
  /** Also of a release that isn't public yet. */
  readonly staged?: boolean;
}

/** What a target has of one tag. */
export interface TargetInspection {
  readonly state: 'absent' | 'draft' | 'public';
  readonly files: readonly InspectedFile[];
  /** The commit or revision behind the tag, where there is one. */
  readonly revision: string | undefined;
  /** Facts for people, such as "immutable", or the id of a draft. */
  readonly remarks: readonly string[];
}

/**
 * A place that releases are published to. Every method is safe to repeat: what is left to do is
 * derived from what the host reports. Errors: `remote` (after retries), `conflict` (rights, other
 * content), `integrity` (the host has other bytes than were sent), `interrupted`.
 */
export interface Target {
  readonly kind: HostKind;
  /** For messages: `github.com/owner/name`. */
  readonly place: string;
  /** All public releases with our tag prefix, newest first by semver; prereleases included. */
  published(context: RunContext): Promise<readonly PublishedTag[]>;
  /** Everything with our tag prefix, releases that aren't public too, newest first. */
  list(context: RunContext): Promise<readonly ListedRelease[]>;
  /** What clients read here to find the newest release. */
  pointer(context: RunContext): Promise<Pointer>;
  downloads(context: RunContext): Promise<Downloads>;
  /** A document of a release, such as its manifest; undefined where it isn't there. */
  readDocument(tag: string, name: string, context: RunContext, options?: DocumentOptions): Promise<Buffer | undefined>;
  /**
   * Read-only: everything that would stop the release here, found before the first byte is sent.
   */
  preflight(release: TargetRelease, context: RunContext): Promise<readonly Problem[]>;
  /**
   * What `upload` would send: those of `release.files` that the target does not hold whole yet.
   * Read-only.
   */
  missing(release: TargetRelease, context: RunContext): Promise<readonly ReleaseFile[]>;
  /**
   * Sends what is missing, where no client looks yet, and checks all of it by the host's digests.
   */
  upload(release: TargetRelease, context: RunContext): Promise<void>;
  /** Makes the uploaded release public at its own address. Moves no pointer. */
  makePublic(release: TargetRelease, context: RunContext): Promise<void>;
  /** Moves what clients read to find the newest release. Does nothing for a prerelease. */
  movePointers(release: TargetRelease, context: RunContext): Promise<void>;
  /** What stands there under a tag. Read-only. */
  inspect(tag: string, context: RunContext): Promise<TargetInspection>;
}
