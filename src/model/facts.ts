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
  /** How many tokens of a text are read; the rest is cut off. */
  readonly max_tokens: number | null;
  /**
   * `mean`, `cls`, `lasttoken`, … Several modes, whose results are concatenated, are joined by `+`.
   */
  readonly pooling: string | null;
  /** `cosine`, `dot`, `euclidean` or `manhattan`; for models with a vector per token, `maxsim`. */
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

/** One rendition of the weights. One rendition is enough to run the model. */
export interface RenditionFacts {
  /** The file that a loader is given. */
  readonly path: string;
  readonly format: WeightFormat;
  readonly default?: true;
  /** That file and all that belong to it, sorted. */
  readonly files: readonly string[];
  /** The files among them whose tensors decide the vectors. */
  readonly loaded: readonly LoadedWeights[];
  readonly tensors: TensorFacts;
  /**
   * A digest, as `pooling` is: what describes the network that these weights are for. For ONNX, the
   * graph.
   */
  readonly architecture: Sha256 | null;
  /** GGUF only: digest of the tokenizer in the file. */
  readonly tokenizer?: Sha256;
  /** ONNX only: versions of the operator sets, inputs and outputs. */
  readonly graph?: Pick<OnnxFile, 'opsets' | 'inputs' | 'outputs'>;
}

/**
 * What the gate learns about a model without reading its weights. Plain JSON: it is kept in
 * `<model>.pack.json`. Paths are relative to the model's directory, and sorted by bytes.
 */
export interface ModelFacts {
  readonly embedding: EmbeddingFacts;
  /**
   * Digest of what the configs say about pooling. It becomes the fingerprint of the same name. Null
   * where the model has no such part.
   */
  readonly pooling: Sha256 | null;
  readonly tokenizer: TokenizerFacts;
  /** Python files; their digests are part of the architecture's fingerprint. */
  readonly code_files: readonly string[];
  /** Sorted by path. One of them is the default; where none can be chosen, a problem says so. */
  readonly weights: readonly RenditionFacts[];
  /** Null where neither the licence nor release.json says it. */
  readonly commercial_use: boolean | null;
  /** Whether loaders would run code of the model, or of a repository that it names. */
  readonly has_code: boolean;
}
