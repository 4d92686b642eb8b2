import { join } from 'node:path';
import type { ManifestModel } from '../../contract/manifest.ts';
import { defaultHubEndpoint, type ReleaseConfig } from '../../contract/release-config.ts';
import { sizeOnDisk } from '../../contract/wanted-weights.ts';
import { weightFormats } from '../../contract/weights-field.ts';
import { formatBytes } from '../../core/format.ts';
import { markdownText } from '../../core/markdown.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { Workspace } from '../workspace.ts';
import { cardExample, hasModules } from './card-example.ts';
import type { WrittenManifest } from './write-manifest.ts';
import { yamlText } from './yaml-text.ts';

export const modelCardName = 'README.md';

/**
 * Writes README.md, the Hub's model card, with the metadata that the Hub validates: license,
 * library, tags, pipeline. [Hub docs, "Model Cards"]
 */
export async function writeModelCard(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<string> {
  const card = composeModelCard(config, written.manifest.models, written.manifest.release ?? '');
  await writeFileAtomically(join(workspace.out, modelCardName), card);
  return card;
}

export function composeModelCard(
  config: ReleaseConfig,
  models: Readonly<Record<string, ManifestModel>>,
  tag: string,
): string {
  const entries = Object.entries(models);
  const formats = weightFormats.filter((format) =>
    entries.some(([, { weights }]) => weights?.some((one) => one.format === format)),
  );
  const metadata = {
    ...cardLicense(entries.map(([, entry]) => entry.license)),
    library_name: 'sentence-transformers',
    pipeline_tag: 'sentence-similarity',
    tags: ['sentence-transformers', 'feature-extraction', 'sentence-similarity', ...formats, config.namespace],
  };
  const rows = entries.map(([name, entry]) => {
    const facts = entry.embedding ?? {};
    const cells = [
      config.huggingface?.raw_files ? `[\`${name}\`](${repositoryUrl(config)}/tree/${tag}/${name})` : `\`${name}\``,
      entry.version,
      facts.dimensions ?? '–',
      facts.max_tokens ?? '–',
      markdownText(facts.pooling ?? '–'),
      formatBytes(sizeOnDisk(entry, ['default'])),
      markdownText(entry.license ?? '–'),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const first = entries[0]?.[0] ?? 'NAME';
  const lines = [
    '---',
    yamlText(metadata).trimEnd(),
    '---',
    '',
    `# ${config.namespace} embedding models`,
    '',
    `Release \`${tag}\`. Each model is a seekable tarball with a chunk index${
      config.huggingface?.raw_files ? ', and a folder of raw files that loads as it is' : ''
    }; \`manifest.json\` describes all of them.`,
    '',
    '| model | version | dimensions | max tokens | pooling | size on disk | licence |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ];
  if (config.huggingface?.raw_files) lines.push(...usage(entries, config.huggingface.repository, tag));
  lines.push(
    '## Install with verification',
    '',
    '`aircher.mjs` in this repository is a client without dependencies: it verifies every byte, downloads only what changed, and keeps old versions.',
    '',
    '```sh',
    `node aircher.mjs model install ${first}`,
    '```',
    '',
  );
  return lines.join('\n');
}

/**
 * How the raw files are loaded: the first model, and the first of those that need more to be
 * written.
 */
function usage(
  entries: readonly (readonly [string, ManifestModel])[],
  repository: string,
  tag: string,
): readonly string[] {
  const loads = entries.find(([, entry]) => hasModules(entry));
  const pooledByHand = entries.find(([, entry]) => !hasModules(entry));
  const blocks = [loads, pooledByHand].flatMap((found) => {
    if (found === undefined) return [];
    const [name, entry] = found;
    const example = cardExample({ repository, tag, name }, entry);
    if (example === undefined) return [];
    const why = found === pooledByHand ? [`\`${name}\` has no \`modules.json\`: pooling is written out.`, ''] : [];
    return [...why, '```python', ...example, '```', ''];
  });
  return blocks.length === 0 ? [] : ['## Use', '', ...blocks];
}

/** Whole, since the Hub takes relative links of a card for paths in `main`. */
function repositoryUrl({ huggingface }: ReleaseConfig): string {
  return `${(huggingface?.endpoint ?? defaultHubEndpoint).replace(/\/+$/, '')}/${huggingface?.repository}`;
}

/**
 * The Hub knows licences by lower-case SPDX ids; several or unlisted ones are `other` with a name.
 */
function cardLicense(licenses: readonly (string | undefined)[]): Record<string, string> {
  const distinct = [...new Set(licenses.filter((license) => license !== undefined))];
  const [only] = distinct;
  if (distinct.length === 1 && only && /^[A-Za-z0-9.-]+$/.test(only) && !only.startsWith('LicenseRef-')) {
    return { license: only.toLowerCase() };
  }
  return { license: 'other', license_name: distinct.length === 1 && only ? only.toLowerCase() : 'several' };
}
