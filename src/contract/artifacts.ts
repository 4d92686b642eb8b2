import type { ArchiveFormat, DownloadUrls } from './fields.ts';
import type { ManifestModel } from './manifest.ts';

/** A file that a release has for one model. */
export interface Artifact {
  readonly name: string;
  readonly size_bytes: number;
  readonly sha256: string;
  readonly download_urls: DownloadUrls;
}

export function archiveName(model: string, format: ArchiveFormat = 'tar.gz'): string {
  return `${model}.${format}`;
}

export function indexName(model: string, format?: ArchiveFormat): string {
  return `${archiveName(model, format)}.index.json`;
}

export function vectorsName(model: string): string {
  return `${model}.vectors.json`;
}

/**
 * The name of an encoding of a model's archive: of planes, or of the patch from an older version.
 */
export function encodingName(model: string, from?: string): string {
  return from === undefined ? `${model}.planes` : `${model}.from-${from}.patch`;
}

/** Whether a file of a release is an archive or an encoding of one, by its name. */
export function isModelData(name: string): boolean {
  return /\.(tar\.gz|tar\.zst|planes|patch)$/.test(name);
}

/** What a manifest promises of a model, beside its files one by one: the archive first. */
export function artifactsOf(model: string, entry: ManifestModel): readonly Artifact[] {
  const { size_bytes, sha256, download_urls, format, index, encodings = [], reference } = entry;
  return [
    { name: archiveName(model, format), size_bytes, sha256, download_urls },
    ...(index ? [{ ...index, name: indexName(model, format) }] : []),
    ...encodings.flatMap((encoding) => [encoding, { ...encoding.index, name: `${encoding.name}.index.json` }]),
    ...(reference ? [{ ...reference, name: vectorsName(model) }] : []),
  ];
}
