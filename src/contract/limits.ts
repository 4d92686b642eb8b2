/**
 * Bounds on what is read from outside, in bytes unless the name says otherwise. All limits of the
 * formats stand here.
 */
export const limits = {
  /** Largest manifest that is read. 1,000 models of 30 files come to about 10 MB. */
  manifestBytes: 16 * 1024 * 1024,
  /** Values in a manifest, of every kind: 1,000 models of 30 files have about 250,000. */
  manifestValues: 500_000,
  /**
   * Models in a manifest; also its withdrawals, a model's earlier versions, and everything else
   * that is a list or a map there.
   */
  manifestMembers: 10_000,
  /** Largest release.json. */
  releaseConfigBytes: 16 * 1024 * 1024,
  /** Largest chunk index: about 120 bytes a chunk, so enough for archives of 100 GB. */
  indexBytes: 12 * 1024 * 1024,
  /** Values in a chunk index, seven a chunk. */
  indexValues: 1_000_000,
  /**
   * Longest header of a safetensors file, and what of an ONNX or GGUF file describes its tensors: a
   * tensor has about 120 bytes there, and 50,000 of them about 6 MB.
   */
  headerBytes: 16 * 1024 * 1024,
  /** Values in such a header, about nine a tensor; fields of an ONNX file. */
  headerValues: 2_000_000,
  /**
   * Largest JSON file of a model that is looked into. The tokenizers of the largest vocabularies
   * have 35 MB.
   */
  modelJsonBytes: 64 * 1024 * 1024,
  /** Values in it: Gemma's tokenizer, with a list for each merge, has about two million. */
  modelJsonValues: 5_000_000,
  /** Largest config of a model. */
  modelConfigBytes: 4 * 1024 * 1024,
  /** Largest signature file. */
  signatureBytes: 64 * 1024,
  /** Deepest nesting of JSON. */
  jsonDepth: 64,
  /** Largest chunk, uncompressed. */
  chunkBytes: 1024 * 1024,
  /** Files in one model. */
  filesPerModel: 10_000,
  /** Longest path of a file in a model, in UTF-8 bytes. */
  pathBytes: 1024,
  /** Longest part of such a path between slashes, in UTF-8 bytes: what common file systems take. */
  pathPartBytes: 255,
  /** Largest file of reference vectors, and what an embed command may print. */
  vectorsBytes: 64 * 1024 * 1024,
  /** Reference texts of one model, each repetition with a prompt counted. */
  referenceTexts: 1000,
  /** Longest reference text, in UTF-16 units. */
  referenceTextLength: 64 * 1024,
  /** Largest file of reference texts. */
  referenceTextsBytes: 16 * 1024 * 1024,
  /** Numbers in one vector. */
  dimensions: 65_536,
  /** Largest size that JSON numbers hold exactly. */
  sizeBytes: Number.MAX_SAFE_INTEGER,
} as const;
