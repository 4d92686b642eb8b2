import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { Sha256 } from '../../core/hashing.ts';

export interface FileRecord {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

/** An installed version (or any directory with a model's files) from which chunks may be copied. Nothing in it is trusted. */
export interface ReuseSource {
  readonly directory: string;
  readonly version: string;
  readonly files: readonly FileRecord[];
  /** The index of that version; without it only whole identical files are found. */
  readonly index: ChunkIndex | undefined;
}

export interface TransferRequest {
  readonly model: string;
  readonly entry: ManifestModel;
  /** Directory of this transfer's work in progress, made where it is missing. One process at a time. */
  readonly staging: string;
  readonly reuse: readonly ReuseSource[];
  /** Paths of the files that are wanted; default: all. Others come along only where the whole archive is unpacked. */
  readonly paths?: ReadonlySet<string> | undefined;
  /** Kinds of mirrors in the order of preference; else the entry's `primary` first, then the others. */
  readonly mirrorOrder?: readonly string[] | undefined;
  /** The Hugging Face cache (`…/huggingface/hub`), whose identical files are copied after hashing. */
  readonly huggingFaceCache?: string | undefined;
  /** The index's bytes, where they are known; used if their sha256 is the entry's. */
  readonly indexBytes?: Uint8Array | undefined;
}

/** The part of a plan that is printed. */
export interface TransferSummary {
  readonly model: string;
  readonly version: string;
  /** `chunks`: by the index. `archive`: the whole archive, for want of an index. `nothing`: all is there. */
  readonly way: 'chunks' | 'archive' | 'nothing';
  /** Bytes of all files of the version; undefined where nothing declares them. */
  readonly totalBytes: number | undefined;
  /** Bytes to come over the network, the index not counted. */
  readonly bytesToFetch: number;
  /** Bytes to be copied from installed versions or the Hugging Face cache. */
  readonly bytesToCopy: number;
  /** Bytes that an interrupted run left (checked again when the transfer runs). */
  readonly bytesStaged: number;
  /** Range requests, at least. */
  readonly requests: number;
  /** `<path>: <tensor>` of each tensor whose bytes change; undefined where it wasn't asked for or can't be known. */
  readonly changedTensors?: readonly string[] | undefined;
  /** Paths of files of which anything changes. */
  readonly changedFiles: readonly string[];
  readonly mirrors: readonly string[];
}

export interface TransferPlan {
  readonly request: TransferRequest;
  readonly summary: TransferSummary;
  /** Undefined where the release has no index. */
  readonly index: { readonly value: ChunkIndex; readonly bytes: Buffer } | undefined;
  /** Where chunks may be copied from, by the number of their first place in `index.chunks`. Internal; checked when copied. */
  readonly copies: ReadonlyMap<number, readonly ChunkCopy[]>;
  /** Chunks that an interrupted run says it wrote. Internal; a hint, checked when the transfer runs. */
  readonly staged: ReadonlySet<number>;
}

export interface ChunkCopy {
  readonly file: string;
  readonly offset: number;
}

export interface MirrorFault {
  /** A word for programs; see `mirror-faults.ts`. */
  readonly kind: string;
  readonly message: string;
  readonly times: number;
}

export interface MirrorReport {
  /** `github`, `huggingface`, `mirror`, or `huggingface files` for the Hub's raw files. */
  readonly mirror: string;
  readonly host: string;
  /** Bytes of bodies that came from it. */
  readonly bytes: number;
  readonly chunks: number;
  readonly requests: number;
  readonly faults: readonly MirrorFault[];
  /** Why it isn't asked any more, where that is so. */
  readonly setAside: string | undefined;
}

export interface TransferReport {
  readonly model: string;
  readonly version: string;
  /** Body bytes from the network, those in vain included; the index not counted. */
  readonly bytesFetched: number;
  readonly bytesCopied: number;
  /** What an interrupted run had left, and was right. */
  readonly bytesResumed: number;
  readonly requests: number;
  readonly milliseconds: number;
  readonly mirrors: readonly MirrorReport[];
  /** Every wanted file, which now lies under `<staging>/files`, sha256 checked. */
  readonly files: readonly FileRecord[];
  /** The index's bytes, to be kept for later updates; undefined where the release has none. */
  readonly indexBytes: Buffer | undefined;
}
