import type { HostKind } from '../../contract/fields.ts';
import type { ManifestEncoding, ManifestModel } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { fileUrls } from '../addresses.ts';

/**
 * The encodings of a carried model that stand, with their index, at each of these hosts, at the
 * address that release.json gives.
 */
export function encodingsAt(
  config: ReleaseConfig,
  kinds: readonly HostKind[],
  tag: string,
  { encodings = [] }: ManifestModel,
): readonly ManifestEncoding[] {
  return encodings.flatMap((encoding) => {
    const urls = fileUrls(config, kinds, tag, encoding.name);
    const indexUrls = fileUrls(config, kinds, tag, `${encoding.name}.index.json`);
    const isThere = kinds.every(
      (kind) => encoding.download_urls[kind] === urls[kind] && encoding.index.download_urls[kind] === indexUrls[kind],
    );
    if (!isThere) return [];
    return [{ ...encoding, download_urls: urls, index: { ...encoding.index, download_urls: indexUrls } }];
  });
}

/** The entry with these encodings alone. */
export function withEncodings(entry: ManifestModel, kept: readonly ManifestEncoding[]): ManifestModel {
  const { encodings: _all, ...others } = entry;
  return kept.length === 0 ? others : { ...others, encodings: [...kept] };
}

/** Whether a file of a release is the encoding, or its index. */
export function isOfEncoding(file: string, { name }: ManifestEncoding): boolean {
  return file === name || file === `${name}.index.json`;
}
