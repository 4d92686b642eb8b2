/**
 * What the module `aircher` (also `aircher-models/fetch`) exports, as its users see it. Written by
 * hand, and published as it stands: so it imports nothing, and needs no types but the language's
 * own. A test holds it equal to what the code does.
 *
 * What methods give are the documents that the commands of their names print with `--json`.
 */

/**
 * Installs a model where no installed version fits, for programs that need one model. The same as
 * `ModelManager`'s method.
 */
export declare function ensureModel(name: string, options?: EnsureModelOptions & ClientOptions): Promise<EnsuredModel>;

/**
 * The models of one cache, and where new ones come from. Safe to use concurrently, in this process
 * and in others. Every failure is an `AircherError`, whose `code` says what kind of failure it is;
 * an aborted `signal` may throw its own reason.
 */
export declare class ModelManager {
  constructor(options?: ClientOptions);

  /** The cache's root. May ask the sources, where they are new on this machine. */
  cacheDir(context?: RunContext): Promise<string>;

  /**
   * The model, from the cache where a version there satisfies `version` (a semver range; default
   * any): the pinned one, else the current, else the newest. No network then, and no write. Where
   * files of that version are missing or cut, it is repaired; another never takes its place. Where
   * none is there, the newest version that satisfies `version` is installed. Weights that aren't
   * there yet are fetched. Never updates what is there.
   */
  ensureModel(name: string, options?: EnsureModelOptions): Promise<EnsuredModel>;

  /**
   * Installs the newest version that satisfies `version`, with `weights` (default: the release's
   * default), and makes it the current one where it is newer.
   */
  install(name: string, options?: EnsureOptions): Promise<InstallReport>;

  /**
   * Installs a model from a folder or an archive on a disk, with the same checks and without a
   * network. `from`: a release's folder (manifest.json and archives), a folder with the model's
   * files, or an archive.
   */
  installFrom(name: string, from: string, options?: WeightsOptions): Promise<EnsuredModel>;

  /** Installed versions, by model, newest first. No network. */
  list(options?: WeightsOptions): Promise<Models<ListedVersion>>;

  /** What the newest release offers. */
  listRemote(options?: WeightsOptions): Promise<Offer>;

  /** Installed against offered versions. Installs nothing. */
  checkUpdates(options?: CheckUpdatesOptions): Promise<Models<UpdateStatus>>;

  /**
   * Brings installed models to the newest versions. One that fails keeps its version, and the rest
   * goes on: the error at the end has the reports of the others in `details.models`. So has the
   * error of a cancelled call.
   */
  update(options?: UpdateOptions): Promise<Models<UpdateReport>>;

  /** Hashes what is installed; repairs it where that is asked for. */
  verify(options?: VerifyOptions): Promise<Verification>;

  /**
   * Goes back to an earlier version (default: the installed one before the current), and pins it.
   */
  rollback(name: string, options?: WeightsOptions & { readonly to?: string | undefined }): Promise<VersionSwitch>;

  /**
   * Uses this installed version, and keeps `update` and `prune` from it. What is missing of it is
   * fetched.
   */
  pin(name: string, version: string, options?: WeightsOptions): Promise<VersionSwitch>;

  /** Lets `update` have the model again. */
  unpin(name: string): Promise<UnpinReport>;

  /** Deletes old versions and interrupted downloads; never a current or pinned version. */
  prune(options?: PruneOptions): Promise<PruneReport>;

  /** Deletes a model with all its versions, and what an interrupted download left of it. */
  remove(name: string, context?: RunContext): Promise<RemovalReport>;

  /** Writes into `to` what `installFrom` needs on a machine without a network. */
  export(name: string, to: string, options?: EnsureOptions): Promise<ExportReport>;

  /**
   * Copies releases into `to`, for a web server or a disk that other clients have as their source.
   */
  mirror(to: string, options?: MirrorOptions): Promise<CopyReport>;

  /**
   * Has an installed model embed its reference texts by `embed`, and says whether the vectors are
   * those that its maintainers got; where they aren't, what that usually means. No network, where
   * the reference came with the model.
   */
  checkVectors(name: string, embed: Embed, options?: VectorsOptions): Promise<VectorsReport>;

  /** Licences of what is installed, and what the policy says of them. */
  checkLicenses(names?: readonly string[]): Promise<Models<LicenseReport>>;

  /** What works and what doesn't. */
  diagnose(context?: RunContext): Promise<DoctorReport>;

  /** Ends idle connections; a program that ends does so without it. */
  close(): void;
}

/**
 * `message` is the fact, `hint` the remedy, `code` the kind. Tell errors apart by `code`, not by
 * class.
 */
export declare class AircherError extends Error {
  readonly name: 'AircherError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /**
   * Facts for programs: `expected`, `found`, `url`, `status`, …; never a secret. Of a call about
   * several models: `models`, the reports of those that were done with, and `failed`, a
   * `ModelFailure` for each that wasn't.
   */
  readonly details: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
  constructor(code: ErrorCode, message: string, options?: AircherErrorOptions);
}

/**
 * `true` where `error` is an AircherError (of any copy of this package), of `code` if one is given.
 */
export declare function isAircherError(error: unknown, code?: ErrorCode): error is AircherError;

/**
 * - `unexpected`: a fault of this program
 * - `usage`: a wrong argument, or no manifest source known
 * - `invalid`: bad input: manifest, model files, preferences; a model or version nobody offers
 * - `integrity`: wrong bytes against a known digest, a bad signature, a rollback
 * - `remote`: a remote failed after retries, or is needed while offline
 * - `conflict`: token missing or without rights, or something else stands in the place
 * - `machine`: disk full, no permission, read-only file system
 * - `license`: a model's licence that the policy refuses
 * - `interrupted`: cancelled by a signal
 */
export type ErrorCode =
  | 'unexpected'
  | 'usage'
  | 'invalid'
  | 'integrity'
  | 'remote'
  | 'conflict'
  | 'machine'
  | 'license'
  | 'interrupted';

/** One finding about one place, of which a check may report many in one run. */
export interface Problem {
  readonly level: 'error' | 'warning';
  /** The file (or URL, or host) it is in. */
  readonly file?: string;
  /** Place inside the file: a JSON path such as `$.models["x"].version`, or a line. */
  readonly path?: string;
  /** The fact. */
  readonly message: string;
  /** The remedy. */
  readonly hint?: string | undefined;
  readonly code?: ErrorCode;
}

/** What stopped one of several models; in an error's `details.failed`. */
export interface ModelFailure {
  readonly name: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  /** All problems found, where there is more than one place to name. */
  readonly problems: readonly Problem[];
}

export interface AircherErrorOptions {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly problems?: readonly Problem[];
}

/**
 * How a client is set up. An option that isn't known is refused (`usage`), here as in every method.
 * Everything has a default, but for what no default can know: where manifests come from.
 */
export interface ClientOptions {
  /** The cache's root. Default: by `env`, the user's home and the namespace. */
  readonly cacheDir?: string | undefined;
  /**
   * Where releases are announced: URLs, files, `github:owner/repository#tag-prefix`. Default:
   * `AIRCHER_MANIFEST_URL` of `env`, else what is baked in.
   */
  readonly manifestSources?: readonly string[] | undefined;
  /** minisign public keys. Default: `AIRCHER_PUBLIC_KEY` of `env`, else what is baked in. */
  readonly publicKeys?: readonly string[] | undefined;
  /**
   * Names the cache; a manifest of another namespace is refused. Default: that of the sources'
   * manifest.
   */
  readonly namespace?: string | undefined;
  /** Never touch the network. */
  readonly offline?: boolean | undefined;
  /** Another release than the newest, by tag or version. */
  readonly release?: string | undefined;
  /** Accept an older manifest than the newest seen so far. */
  readonly allowDowngrade?: boolean | undefined;
  /**
   * Path of a lock file (`models.lock`). `ensureModel`, `install` and `installFrom` then make
   * present exactly what it says of a model, and ask no manifest source. Its namespace, and where
   * no others are given its sources and keys, are the client's.
   */
  readonly lock?: string | undefined;
  /**
   * Ids of licences (`CC-BY-NC-4.0`) that are accepted though the policy of the preferences or of
   * the lock file refuses them; kept with what is installed.
   */
  readonly acceptLicenses?: readonly string[] | undefined;
  /** Bytes a second, or a text such as `'5MB'`. Default: the preferences file. */
  readonly limitRate?: number | string | undefined;
  /** Connections at once. Default: the preferences file. */
  readonly connections?: number | undefined;
  /** Deadlines, tokens, proxies, host overrides; wins over what `env` says. */
  readonly http?: HttpOptions | undefined;
  /**
   * Variables such as `process.env`; nothing is read from the environment unless it is given here.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** How the client reaches the network. */
export interface HttpOptions {
  /** Sent to the Hub's endpoint only (HF_TOKEN). */
  readonly huggingFaceToken?: string | undefined;
  /** Sent to GitHub's API only (GITHUB_TOKEN). */
  readonly githubToken?: string | undefined;
  /** HF_ENDPOINT: replaces the host of every URL of kind `huggingface`. */
  readonly huggingFaceEndpoint?: string | undefined;
  /** GITHUB_SERVER_URL: replaces the host of every URL of kind `github`. */
  readonly githubServerUrl?: string | undefined;
  /** GITHUB_API_URL; by default the API that belongs to the server's URL. */
  readonly githubApiUrl?: string | undefined;
  /** HTTPS_PROXY: for `https:` URLs. */
  readonly httpsProxy?: string | undefined;
  /** HTTP_PROXY: for `http:` URLs. */
  readonly httpProxy?: string | undefined;
  /** ALL_PROXY: for URLs whose scheme has no proxy of its own. */
  readonly allProxy?: string | undefined;
  /**
   * NO_PROXY: host names and what lies below them, addresses, networks (`10.0.0.0/8`), each with a
   * `:port` or without; `*`.
   */
  readonly noProxy?: string | undefined;
  /** Allows `http:` to other hosts than this machine. */
  readonly allowInsecure?: boolean | undefined;
  /** Certificates (PEM) trusted besides the built-in ones. */
  readonly extraCertificates?: string | undefined;
  /** Bytes a second, over all connections together. */
  readonly limitRate?: number | undefined;
  /**
   * Connections at once to all hosts together while files are transferred; default 16, and never
   * more than 8 to one host.
   */
  readonly connections?: number | undefined;
  /** Until a connection stands; default 15,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** From there to the answer's headers; default `connectTimeoutMs`. */
  readonly answerTimeoutMs?: number | undefined;
  /**
   * The same for archives, which a proxy may read to the end first, in search of viruses; default
   * 120,000.
   */
  readonly archiveTimeoutMs?: number | undefined;
  /** Longest silence inside a body; default 20,000. */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * Longest wait that a `Retry-After` can ask for; a longer one is a failure of that host. Default
   * 120,000.
   */
  readonly maxRetryAfterMs?: number | undefined;
  /** First wait after a failure, doubled each time; default 500. */
  readonly retryDelayMs?: number | undefined;
  /**
   * For a document of no bytes; each 10 KB that it may have allow a second more. Default 60,000.
   */
  readonly documentTimeoutMs?: number | undefined;
  readonly userAgent?: string | undefined;
}

/** An `AbortSignal`, where the program's types have one (those of Node or of browsers). */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer Known } }
  ? Known
  : { readonly aborted: boolean };

/** What every method that takes long can be given. */
export interface RunContext {
  /** Aborts the work; what was downloaded is kept for the next time. */
  readonly signal?: Signal | undefined;
  readonly onEvent?: OnEvent | undefined;
}

export type OnEvent = (event: Event) => void;

/** What is told while something runs. Byte counts are plain numbers of bytes. */
export type Event =
  /**
   * Bytes done of one task on one subject. `done` never decreases for a pair of task and subject;
   * `total` may be unknown.
   */
  | {
      readonly type: 'progress';
      readonly task: 'ask' | 'download' | 'verify';
      /** What is worked on: a model, or one of its files; of `ask` the manifest sources. */
      readonly subject: string;
      readonly done: number;
      readonly total: number | undefined;
    }
  /** A task on a subject is complete. */
  | { readonly type: 'done'; readonly task: string; readonly subject: string }
  /** Something the user should know of but that stops nothing. */
  | { readonly type: 'warning'; readonly problem: Problem }
  /** A fact worth a line. */
  | { readonly type: 'notice'; readonly message: string }
  /** A failed attempt that will be repeated after `delayMs` milliseconds. */
  | { readonly type: 'retry'; readonly what: string; readonly reason: string; readonly delayMs: number }
  /** A mirror was found to misbehave and is not asked again for now. */
  | { readonly type: 'mirror-set-aside'; readonly mirror: string; readonly reason: string }
  /** Another process holds the lock; this one waits for its result. */
  | { readonly type: 'waiting'; readonly subject: string; readonly holder: string };

export interface WeightsOptions extends RunContext {
  /**
   * `default`, `all`, a path as the manifest has it (`onnx/model.onnx`), or a format (`onnx`) that
   * one of the weights has. Without: the release's default, or what is wanted of the version in use
   * (of updates, rollbacks, pins, exports and lists), or what a folder has.
   */
  readonly weights?: string | undefined;
}

export interface EnsureOptions extends WeightsOptions {
  /** A semver range, such as `^1.2.0`; default: any version. */
  readonly version?: string | undefined;
}

/** One of a model's reference texts. */
export interface ReferenceText {
  readonly id: string;
  readonly text: string;
  /** A name among the model's prompts, to be put before the text; null for none. */
  readonly prompt: string | null;
}

/**
 * Embeds texts with a model: one vector a text, in their order, all of one length, as your program
 * makes them.
 */
export type Embed = (
  texts: readonly ReferenceText[],
  model: EnsuredModel,
) => readonly ArrayLike<number>[] | Promise<readonly ArrayLike<number>[]>;

export interface VectorsOptions extends EnsureOptions {
  /** What embeds, in your own words: `onnxruntime 1.20, cuda`. */
  readonly runtime?: string | undefined;
}

export interface EnsureModelOptions extends VectorsOptions {
  /**
   * Checks the vectors as `checkVectors` does, once for each version, weights and `runtime`. Throws
   * `integrity` where they differ; `details.report` has the report.
   */
  readonly check?: Embed | undefined;
}

export interface CheckUpdatesOptions extends WeightsOptions {
  /** Default: every installed model. */
  readonly names?: readonly string[] | undefined;
  /** Find out which tensors change: may fetch a safetensors header. */
  readonly nameChangedTensors?: boolean | undefined;
  /**
   * A model whose new version has another embedding space, or doesn't tell it, is `other-space`:
   * `update` would leave it alone.
   */
  readonly sameSpace?: boolean | undefined;
  /**
   * For all that hosts are asked, together; what isn't known then stays unknown. Default 30,000.
   */
  readonly timeoutMs?: number | undefined;
}

export interface UpdateOptions extends WeightsOptions {
  /** Default: every installed model. */
  readonly names?: readonly string[] | undefined;
  /** Leave models alone whose new version has another embedding space, or doesn't tell it. */
  readonly sameSpace?: boolean | undefined;
}

export interface VerifyOptions extends RunContext {
  /** Default: every installed model. */
  readonly names?: readonly string[] | undefined;
  /** Fetch what is wrong. */
  readonly repair?: boolean | undefined;
}

export interface PruneOptions extends RunContext {
  /**
   * Versions of a model to keep, the current one among them; default: the preferences file, else 1.
   */
  readonly keep?: number | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface MirrorOptions extends RunContext {
  /** Default: every model. */
  readonly names?: readonly string[] | undefined;
  /** How many releases, from the newest on; default 1. */
  readonly releases?: number | undefined;
  /** Delete what older releases and other models alone have. */
  readonly prune?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

/** The form of every report about several models. */
export interface Models<Report> {
  readonly models: readonly Report[];
}

/** Where a version is: in the user's own cache, or in that of AIRCHER_SYSTEM_CACHE. */
export type CacheKind = 'user' | 'system';

/**
 * An installed model, ready to be loaded. All paths are absolute and lie in the immutable directory
 * of the version.
 */
export interface EnsuredModel {
  readonly name: string;
  readonly version: string;
  /**
   * The embedding space of the weights that are asked for: vectors may be compared only where this
   * is equal. Undefined where the release doesn't say.
   */
  readonly space: string | undefined;
  /**
   * The directory of this version. Files are added to it, none changes; an update makes another.
   */
  readonly path: string;
  readonly cache: CacheKind;
  /**
   * The file to load of the weights that are asked for; of shards, their index. Undefined where the
   * release doesn't say.
   */
  readonly weights_path: string | undefined;
  /** Every installed file. */
  readonly files: readonly string[];
}

export interface InstallReport {
  readonly name: string;
  readonly version: string;
  /**
   * `present`: was there already, or another process brought it. `adopted`: was found complete in
   * the cache. `repaired`: was there, and files of it were missing or cut.
   */
  readonly outcome: 'installed' | 'adopted' | 'present' | 'repaired';
  /** The version that `models/<name>` leads to now. */
  readonly current_version: string;
  readonly path: string;
  readonly cache: CacheKind;
  /** SPDX expression. */
  readonly license: string | undefined;
  readonly commercial_use: boolean | undefined;
  /** The model holds program code that loaders may run. */
  readonly allow_code: boolean | undefined;
  readonly space: string | undefined;
  readonly weights_path: string | undefined;
  /** From the network, what was fetched in vain included. */
  readonly bytes_fetched: number;
  /** From what was here. */
  readonly bytes_copied: number;
  readonly mirrors: readonly MirrorReport[];
}

/** What a host brought. */
export interface MirrorReport {
  /** `github`, `huggingface`, `mirror`, or `huggingface files` for the Hub's raw files. */
  readonly mirror: string;
  readonly host: string;
  readonly bytes: number;
  readonly chunks: number;
  readonly requests: number;
  readonly faults: readonly { readonly kind: string; readonly message: string; readonly times: number }[];
  /** Why it wasn't asked any more, where that is so. */
  readonly set_aside: string | undefined;
}

/** One installed version. */
export interface ListedVersion {
  readonly name: string;
  readonly version: string;
  readonly current: boolean;
  readonly pinned: boolean;
  /** On disk. */
  readonly size_bytes: number;
  readonly license: string | undefined;
  /** Licences that were accepted for it; none where nobody was asked. */
  readonly accepted_licenses: readonly string[];
  readonly dimensions: number | undefined;
  /** What was asked for: `default`, `all`, paths of weights. */
  readonly wanted: readonly string[];
  /**
   * Of the weights that are asked for, else of the default, or the first that are wanted; as
   * `weights_path`.
   */
  readonly space: string | undefined;
  readonly weights_path: string | undefined;
  readonly path: string;
  readonly cache: CacheKind;
}

export interface Offer extends Models<OfferedModel> {
  /** Of the release. */
  readonly tag: string | undefined;
}

/** One model that is offered. */
export interface OfferedModel {
  readonly name: string;
  readonly version: string;
  /** The version in use here. */
  readonly installed: string | undefined;
  /**
   * On disk, of what `install` brings: of the weights that are asked for, else of the default, with
   * all files that are no weights. What is fetched is compressed, and thus less.
   */
  readonly size_bytes: number;
  readonly license: string | undefined;
  readonly dimensions: number | undefined;
  /** Of the weights that are asked for, else of the default. */
  readonly space: string | undefined;
  readonly weights: readonly OfferedWeights[];
  readonly commercial_use: boolean | undefined;
  readonly quality_score: number | undefined;
  readonly max_tokens: number | undefined;
  /** Earlier versions that can be installed by name, newest first. */
  readonly earlier: readonly string[];
  /** Why the version was withdrawn, where it was. */
  readonly yanked: string | undefined;
}

/** Weights of a model, of which one is enough to run it. */
export interface OfferedWeights {
  /** What a loader is given, relative to the model. */
  readonly path: string;
  readonly format: 'safetensors' | 'onnx' | 'gguf';
  /** They are installed where none are asked for. */
  readonly default: boolean;
  /** On disk, with all files that are no weights: what `install --weights` brings. */
  readonly size_bytes: number;
  readonly space: string;
}

/**
 * Whether vectors of both versions can be compared: `changes` means that indices must be rebuilt.
 */
export type SpaceChange = 'same' | 'changes' | 'unknown';

/** What a change of versions means for indices. */
export interface SpaceChanges {
  /** Of all weights that are wanted, the worst. */
  readonly space_change: SpaceChange;
  /**
   * Of each that is wanted, by its path in the new version; without such as are added. The default
   * is compared with the default before, weights that take the place of others with those.
   */
  readonly weights: readonly { readonly path: string; readonly space_change: SpaceChange }[];
}

/** What an update of one model would bring. Sizes in bytes. */
export interface UpdateStatus extends SpaceChanges {
  readonly name: string;
  readonly installed: string;
  /** The newest version offered; undefined where none is (any more). */
  readonly available: string | undefined;
  /**
   * What `update` does: `update` brings the version that is available, all others leave the model
   * as it is.
   */
  readonly status: 'up-to-date' | 'update' | 'pinned' | 'other-space' | 'withdrawn' | 'not-offered';
  readonly bytes_to_fetch: number | undefined;
  /** On disk, of what is wanted of the new version. */
  readonly size_bytes: number | undefined;
  /** What the maintainers say of the new version. */
  readonly changes: string | undefined;
  /** What differs, in words: weights, tokenizer, licence, … */
  readonly differences: readonly string[];
  readonly license: string | undefined;
  /** Why the installed version was withdrawn, where it was. */
  readonly yanked: string | undefined;
  readonly plan: UpdatePlan | undefined;
}

/** What installing a version would take. */
export interface UpdatePlan {
  readonly name: string;
  readonly version: string;
  /**
   * `chunks`: by the index. `archive`: the whole archive, for want of an index. `nothing`: all is
   * there.
   */
  readonly way: 'chunks' | 'archive' | 'nothing';
  /** Of all files of the version; undefined where nothing declares them. */
  readonly total_bytes: number | undefined;
  /** To come over the network, the index not counted. */
  readonly bytes_to_fetch: number;
  /** From installed versions or the Hugging Face cache. */
  readonly bytes_to_copy: number;
  /** Left by an interrupted run. */
  readonly bytes_staged: number;
  /** Range requests, at least. */
  readonly requests: number;
  /** What of `bytes_to_fetch` comes from planes and patches instead of the archive. */
  readonly encodings: readonly { readonly name: string; readonly bytes_to_fetch: number }[];
  /**
   * `<path>: <tensor>` of each tensor in a safetensors file whose bytes change; undefined where it
   * wasn't asked for or can't be known. Of ONNX and GGUF `changed_files` tells the file alone.
   */
  readonly changed_tensors: readonly string[] | undefined;
  /** Paths of files of which anything changes. */
  readonly changed_files: readonly string[];
  readonly mirrors: readonly string[];
}

export interface UpdateReport extends SpaceChanges {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** The statuses of `checkUpdates`, with `updated` for `update`. */
  readonly outcome: 'updated' | 'up-to-date' | 'pinned' | 'other-space' | 'withdrawn' | 'not-offered';
  /** Why the version `from` was withdrawn, where it was. */
  readonly yanked: string | undefined;
  readonly bytes_fetched: number;
  readonly bytes_copied: number;
}

export interface Verification extends Models<VerifyReport> {
  /** Nothing is wrong, or no longer. */
  readonly ok: boolean;
}

/** One installed version, as it was found. */
export interface VerifyReport {
  readonly name: string;
  readonly version: string;
  readonly current: boolean;
  readonly file_count: number;
  readonly bytes: number;
  /** Files that are wrong or missing; after a repair, those that were. */
  readonly bad: readonly { readonly path: string; readonly fault: 'missing' | 'size' | 'content' }[];
  /** Pieces that were fetched again; undefined where nothing was repaired. */
  readonly repaired: number | undefined;
  readonly bytes_fetched: number;
}

export interface VersionSwitch extends SpaceChanges {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** `update` leaves the model alone until it is unpinned. */
  readonly pinned: boolean;
}

export interface UnpinReport {
  readonly name: string;
  /** The version that it was pinned to, if it was. */
  readonly unpinned: string | null;
}

export interface PruneReport {
  readonly dry_run: boolean;
  /** Freed, or to be freed. */
  readonly bytes: number;
  readonly items: readonly Prunable[];
}

/** Something that `prune` deleted, or would. */
export interface Prunable {
  readonly kind: 'version' | 'partial-download' | 'leftover';
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly path: string;
  readonly bytes: number;
}

export interface RemovalReport {
  readonly name: string;
  readonly versions: readonly string[];
  readonly bytes: number;
}

export interface ExportReport {
  readonly name: string;
  readonly version: string;
  /**
   * `archive`: the release's own tarball. `files`: a folder of files, where not all weights are
   * wanted, or for want of a network.
   */
  readonly form: 'archive' | 'files';
  /** Everything that was written, relative to the directory. */
  readonly files: readonly string[];
  readonly bytes_fetched: number;
}

export interface CopyReport {
  readonly directory: string;
  readonly dry_run: boolean;
  /** Of the releases, newest first. */
  readonly tags: readonly string[];
  /** The versions that these releases have, newest first. */
  readonly models: readonly { readonly name: string; readonly versions: readonly string[] }[];
  /** Artifacts that were copied, or would be, relative to the directory. */
  readonly files: readonly string[];
  /** Of these files, without what an interrupted run had left. */
  readonly bytes: number;
  /** Files that were deleted, or would be. */
  readonly removed: readonly string[];
}

/** A model's vectors in a runtime, held against its reference. */
export interface VectorsReport {
  readonly name: string;
  readonly version: string;
  readonly space: string | undefined;
  readonly weights_path: string | undefined;
  /** The weights whose reference it is: the default's, where these have none of their own. */
  readonly reference_weights: string;
  /** What embedded, in its own words. */
  readonly runtime: string | undefined;
  /** What made the reference. */
  readonly reference_runtime: string | undefined;
  /** All vectors are equal within `tolerance`, and as long as they should be. */
  readonly ok: boolean;
  readonly dimensions: number;
  /** Largest distance (1 − cosine) that counts as equal. */
  readonly tolerance: number;
  /** Null where a vector has none: NaN in it, or other dimensions. */
  readonly max_cosine_distance: number | null;
  /**
   * What is wrong, and what it usually means. `what` is `dimensions`, `nan`, `not-normalised`,
   * `order`, `prompt`, `case`, `truncation`, `precision`, `pooling`, `weights`, `texts` (some,
   * without a pattern), or `reference` for a remark on that.
   */
  readonly findings: readonly Finding[];
  readonly vectors: readonly {
    readonly id: string;
    readonly prompt: string | null;
    readonly cosine_distance: number | null;
    readonly ok: boolean;
  }[];
}

export interface LicenseReport {
  readonly name: string;
  readonly version: string;
  /** SPDX expression; undefined where the release doesn't state one. */
  readonly license: string | undefined;
  /** Undefined where the release doesn't say. */
  readonly commercial_use: boolean | undefined;
  /** The licence's text, where the model brings it. */
  readonly license_path: string | undefined;
  readonly accepted_licenses: readonly string[];
  /** Why the policy refuses it; undefined where it doesn't, or there is none. */
  readonly refused: string | undefined;
}

export interface DoctorReport {
  readonly findings: readonly Finding[];
  /**
   * Every host that was asked, those behind redirects included: what a firewall must let through.
   */
  readonly hosts: readonly string[];
  readonly settings: readonly Setting[];
}

/** What the client goes by, and why. */
export interface Setting {
  readonly setting: string;
  /** As text; of secrets that they are set. Undefined where there is none. */
  readonly value: string | undefined;
  /**
   * A flag (of a program, the option of that meaning), the name of a variable, a file's path,
   * `aircher.mjs` for what is baked in, or `default`.
   */
  readonly set_by: string;
}

/** One thing that works, or doesn't. */
export interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly hint?: string | undefined;
}
