import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { Sha256 } from '../../core/hashing.ts';
import type { MirrorReport, UpdatePlan } from '../api.ts';

export interface FileRecord {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

/**
 * An installed version (or any directory with a model's files) from which chunks may be copied.
 * Nothing in it is trusted.
 */
export interface ReuseSource {
  readonly directory: string;
  /** The files that are there. */
  readonly files: readonly FileRecord[];
  /** The index of that version; without it only whole identical files are found. */
  readonly index: ChunkIndex | undefined;
}

export interface TransferRequest {
  readonly model: string;
  readonly entry: ManifestModel;
  /**
   * Directory of this transfer's work in progress, made where it is missing. One process at a time.
   */
  readonly staging: string;
  readonly reuse: readonly ReuseSource[];
  /**
   * Paths of the files that are wanted; default: all. Others come along only where the whole
   * archive is unpacked.
   */
  readonly paths?: ReadonlySet<string> | undefined;
  /**
   * Kinds of mirrors in the order of preference; else the entry's `primary` first, then the others.
   */
  readonly mirrorOrder?: readonly string[] | undefined;
  /**
   * The Hugging Face cache (`…/huggingface/hub`), whose identical files are copied after hashing.
   */
  readonly huggingFaceCache?: string | undefined;
  /** The index's bytes, where they are known; used if their sha256 is the entry's. */
  readonly indexBytes?: Uint8Array | undefined;
}

export interface TransferPlan {
  readonly request: TransferRequest;
  /** What is told of it. */
  readonly summary: Omit<UpdatePlan, 'changed_tensors'>;
  /** Undefined where the release has no index. */
  readonly index: { readonly value: ChunkIndex; readonly bytes: Buffer } | undefined;
  /**
   * Where chunks may be copied from, by the number of their first place in `index.chunks`.
   * Internal; checked when copied.
   */
  readonly copies: ReadonlyMap<number, readonly ChunkCopy[]>;
}

export interface ChunkCopy {
  readonly file: string;
  readonly offset: number;
}

export interface TransferReport {
  /** Body bytes from the network, those in vain included; the index not counted. */
  readonly bytesFetched: number;
  readonly bytesCopied: number;
  /** What an interrupted run had left, and was right. */
  readonly bytesResumed: number;
  readonly mirrors: readonly MirrorReport[];
  /** Every wanted file, which now lies under `<staging>/files`, sha256 checked. */
  readonly files: readonly FileRecord[];
  /** The index's bytes, to be kept for later updates; undefined where the release has none. */
  readonly indexBytes: Buffer | undefined;
}
