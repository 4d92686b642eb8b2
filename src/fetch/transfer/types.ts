import type { ChunkIndex } from '../../contract/chunk-index.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { Sha256 } from '../../core/hashing.ts';
import type { MirrorReport, UpdatePlan } from '../api.ts';
import type { LoadedEncoding } from './encoding.ts';

export interface FileRecord {
  readonly path: string;
  readonly size_bytes: number;
  readonly sha256: Sha256;
}

/**
 * An installed version, or any directory with a model's files, from which chunks may be copied.
 * Whatever is in it is checked before it is used.
 */
export interface ReuseSource {
  /** Undefined where it is no version that is installed. */
  readonly version?: string;
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
   * Directory for this transfer's unfinished work. It is made if it is missing. Only one process
   * may use it at a time.
   */
  readonly staging: string;
  readonly reuse: readonly ReuseSource[];
  /**
   * Paths of the wanted files. Default: all. Where the whole archive has to be unpacked, other
   * files may come along.
   */
  readonly paths?: ReadonlySet<string> | undefined;
  /**
   * Kinds of mirrors in the order of preference. Default: the entry's `primary`, then the others.
   */
  readonly mirrorOrder?: readonly string[] | undefined;
  /**
   * The Hugging Face cache (`…/huggingface/hub`). Identical files in it are copied, after their
   * chunks were hashed.
   */
  readonly huggingFaceCache?: string | undefined;
  /** The index's bytes, if the caller has them. They are used if their sha256 is the entry's. */
  readonly indexBytes?: Uint8Array | undefined;
}

export interface TransferPlan {
  readonly request: TransferRequest;
  /** What is told of it. */
  readonly summary: Omit<UpdatePlan, 'changed_tensors'>;
  /** Undefined where the release has no index. */
  readonly index: { readonly value: ChunkIndex; readonly bytes: Buffer } | undefined;
  /** What brings chunks in fewer bytes. */
  readonly encodings: readonly LoadedEncoding[];
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
  /** Bytes of bodies from the network, including those that were of no use; without indexes. */
  readonly bytesFetched: number;
  readonly bytesCopied: number;
  /** Bytes that an interrupted run had left, and that were right. */
  readonly bytesResumed: number;
  readonly mirrors: readonly MirrorReport[];
  /** Every wanted file. They are under `<staging>/files`, checked. */
  readonly files: readonly FileRecord[];
  /** The index's bytes, to be kept for later updates. Undefined where the release has no index. */
  readonly indexBytes: Buffer | undefined;
}
