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

/** What a manifest promises of a model, beside its files one by one: the archive first. */
export function artifactsOf(model: string, entry: ManifestModel): readonly Artifact[] {
  const { size_bytes, sha256, download_urls, format, index, reference } = entry;
  return [
    { name: archiveName(model, format), size_bytes, sha256, download_urls },
    ...(index ? [{ ...index, name: indexName(model, format) }] : []),
    ...(reference ? [{ ...reference, name: vectorsName(model) }] : []),
  ];
}
