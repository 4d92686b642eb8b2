import type { WeightFormat } from '../contract/weights-field.ts';
import type { Sha256 } from '../core/hashing.ts';
import type { OnnxFile } from '../weights/read-onnx.ts';
import type { EmbeddingKind } from './kind.ts';
import type { LoadedWeights } from './module-files.ts';
import type { TokenizerFacts } from './tokenizer-fingerprint.ts';

/** What a model's own files say about its vectors; null where they don't say it. */
export interface EmbeddingFacts {
  readonly kind: EmbeddingKind;
  /** Length of a vector. Only a `dense` model has it, and `normalized`. */
  readonly dimensions?: number | null;
  /** Whether vectors have length 1. */
  readonly normalized?: boolean | null;
  /** Tokens of one text that count; what is behind them is cut off. */
  readonly max_tokens: number | null;
  /**
   * `mean`, `cls`, `lasttoken`, …; several modes, whose results are concatenated, joined by `+`.
   */
  readonly pooling: string | null;
  /** `cosine`, `dot`, `euclidean` or `manhattan`; between vectors per token `maxsim`. */
  readonly similarity: string | null;
  /** Texts put before the input, by name. */
  readonly prompts: Readonly<Record<string, string>>;
  /** The prompt that is put before every text for which none is named. */
  readonly default_prompt_name: string | null;
}

/** Counts over a rendition's files: tensors, their elements, and the elements by dtype. */
export interface TensorFacts {
  readonly count: number;
  readonly parameters: number;
  readonly dtypes: Readonly<Record<string, number>>;
}

/** One rendition of the weights, of which one is enough to run the model. */
export interface RenditionFacts {
  /** What a loader is given. */
  readonly path: string;
  readonly format: WeightFormat;
  readonly default?: true;
  /** That file and all that belong to it, sorted. */
  readonly files: readonly string[];
  /** Those of them whose tensors make the vectors. */
  readonly loaded: readonly LoadedWeights[];
  readonly tensors: TensorFacts;
  /** Like `pooling`: what describes the network for these weights; of ONNX the graph. */
  readonly architecture: Sha256 | null;
  /** Of GGUF: digest of the tokenizer in it. */
  readonly tokenizer?: Sha256;
  /** Of ONNX: versions of the operators, what the graph takes and what it gives. */
  readonly graph?: Pick<OnnxFile, 'opsets' | 'inputs' | 'outputs'>;
}

/**
 * What the gate learns of a model without reading its weights. Plain JSON: it is kept in
 * `<model>.pack.json`. Paths are those in the model's directory, sorted by bytes.
 */
export interface ModelFacts {
  readonly embedding: EmbeddingFacts;
  /**
   * Digest of what the configs say, ready for the fingerprint of the same name; null where the
   * model has no such part.
   */
  readonly pooling: Sha256 | null;
  readonly tokenizer: TokenizerFacts;
  /** Python files; their digests are part of the architecture's fingerprint. */
  readonly code_files: readonly string[];
  /** By path. One is the default, unless a problem says that it can't be told. */
  readonly weights: readonly RenditionFacts[];
  /** Null where the licence doesn't tell and release.json doesn't say. */
  readonly commercial_use: boolean | null;
  /** Loaders would run code of the model, or of a repository that it names. */
  readonly has_code: boolean;
}
