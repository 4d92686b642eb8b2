/** Bounds on what is read from outside, in bytes unless the name says otherwise. All limits of the formats stand here. */
export const limits = {
  /** Largest manifest that is read. 1,000 models of 30 files come to about 10 MB. */
  manifestBytes: 64 * 1024 * 1024,
  /** Largest release.json. */
  releaseConfigBytes: 16 * 1024 * 1024,
  /** Largest chunk index: about 100 bytes a chunk, so enough for archives of 600 GB. */
  indexBytes: 64 * 1024 * 1024,
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
  /** Largest size that JSON numbers hold exactly. */
  sizeBytes: Number.MAX_SAFE_INTEGER,
} as const;
