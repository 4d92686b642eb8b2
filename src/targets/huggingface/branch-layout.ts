import { artifactsOf, indexName } from '../../contract/artifacts.ts';
import type { Manifest } from '../../contract/manifest.ts';

/** Files at the root that every release has or may have. */
const rootFiles = [
  'README.md',
  'aircher.mjs',
  'checksums.sha256',
  'checksums.sha256.minisig',
  'manifest.json',
  'manifest.json.asc',
  'manifest.json.minisig',
];

/**
 * Every path that a release with this manifest may have in the Hub repository (docs/formats.md):
 * what of it the next release no longer has is deleted from `main`. Other people's files are never
 * among them.
 */
export function layoutOf(manifest: Manifest): ReadonlySet<string> {
  const paths = new Set(rootFiles);
  for (const [name, model] of Object.entries(manifest.models)) {
    for (const artifact of artifactsOf(name, model)) paths.add(artifact.name);
    // A manifest needn't tell of its indexes.
    paths.add(indexName(name, model.format)).add(`${name}.safetensors`);
    for (const { path } of model.files ?? []) paths.add(`${name}/${path}`);
  }
  return paths;
}
