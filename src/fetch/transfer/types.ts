import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { Sha256 } from '../../core/hashing.ts';
import type { Frame } from './frame.ts';

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
  /** Kinds of mirrors in the order of preference; else the entry's `primary` first, then the others. */
  readonly mirrorOrder?: readonly string[] | undefined;
  /** The Hugging Face cache (`…/huggingface/hub`), whose identical files are copied after hashing. */
  readonly huggingFaceCache?: string | undefined;
  /** The index's bytes, where they are known; used if their sha256 is the entry's. */
  readonly indexBytes?: Uint8Array | undefined;
  /** Also find out which tensors change against `reuse[0]`: may fetch a safetensors header. For `update --plan`. */
  readonly nameChangedTensors?: boolean | undefined;
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
  readonly changedTensors: readonly string[] | undefined;
  /** Paths of files of which anything changes. */
  readonly changedFiles: readonly string[];
  readonly mirrors: readonly string[];
}

export interface TransferPlan {
  readonly request: TransferRequest;
  readonly summary: TransferSummary;
  /** Undefined where the release has no index. */
  readonly index: { readonly value: ChunkIndex; readonly bytes: Buffer } | undefined;
  /** Where each chunk of `index.chunks` may be copied from. Internal. */
  readonly copies: ReadonlyMap<number, ChunkCopy>;
  /** Nothing of it is installed here: the archive is read and checked whole. Internal. */
  readonly frame: Frame | undefined;
  /** Chunks that an interrupted run says it wrote. Internal; a hint, checked when the transfer runs. */
  readonly staged: ReadonlySet<number>;
}

export interface ChunkCopy {
  readonly file: string;
  readonly offset: number;
}

export interface MirrorFault {
  /** A word for programs; see `faults.ts`. */
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
  /** Every file that now lies under `<staging>/files`, sha256 checked. */
  readonly files: readonly FileRecord[];
  /** The index's bytes, to be kept for later updates; undefined where the release has none. */
  readonly indexBytes: Buffer | undefined;
}

export interface RepairRequest {
  readonly model: string;
  readonly entry: ManifestModel;
  /** The installed version; bad and missing chunks are written there, in place. */
  readonly directory: string;
  /** For work in progress where the release has no index. */
  readonly staging: string;
  readonly reuse?: readonly ReuseSource[] | undefined;
  readonly mirrorOrder?: readonly string[] | undefined;
  readonly huggingFaceCache?: string | undefined;
  readonly indexBytes?: Uint8Array | undefined;
}

export interface RepairReport extends TransferReport {
  /** Chunks that were wrong or missing, all replaced; without an index, the files. */
  readonly repaired: number;
  readonly changedFiles: readonly string[];
}
