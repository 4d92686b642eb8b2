import { join } from 'node:path';
import type { SourceFile } from '../archive/pack-archive.ts';
import { jsonPath } from '../contract/problems-of.ts';
import type { ModelConfig } from '../contract/release-config.ts';
import type { Problem } from '../core/errors.ts';
import { findCodeReferences } from './code.ts';
import { embeddingFacts } from './embedding.ts';
import type { ModelFacts } from './facts.ts';
import { isCode, isLicenceText } from './file-kinds.ts';
import { Findings } from './findings.ts';
import { defaultWeights } from './fingerprints.ts';
import { checkReadmeLicence, commercialUse } from './licences.ts';
import { findFilesWithoutContent, type ModelView, readDocuments, readStart } from './model-view.ts';
import { modulePlaces } from './module-files.ts';
import { checkModuleFiles, readModules, transformerDirectory } from './modules.ts';
import { poolingFingerprint } from './pooling-fingerprint.ts';
import { type NamedDefault, renditionsOf } from './renditions.ts';
import { checkShards } from './shards.ts';
import { tokenizerFacts } from './tokenizer-fingerprint.ts';
import { checkTokenizerSize } from './tokenizer-size.ts';
import { readModelWeights } from './weights.ts';

/** Front matter is at the beginning of a README, and none is longer than this. */
const maxReadmeBytes = 256 * 1024;

export interface InspectModelOptions {
  readonly model: string;
  readonly config: ModelConfig;
  /** Path of release.json as the user wrote it, for messages. */
  readonly configFile?: string;
  /** The files that are released, from `listSourceFiles`. */
  readonly files: readonly SourceFile[];
}

/**
 * The gate. It reads a model's headers and small files, never its weights, and reports everything
 * that would not load, would load as something else, or may not be published as it is. The facts go
 * into the manifest and the fingerprints. Use them only where no problem is an error.
 */
export async function inspectModel(
  options: InspectModelOptions,
): Promise<{ readonly problems: readonly Problem[]; readonly facts: ModelFacts }> {
  const { model, config, files } = options;
  const findings = new Findings(model, placeOf(options));
  const broken = await findFilesWithoutContent(files, findings);
  const { documents, tokenIds } = await readDocuments(files, broken, findings);
  const read = await readModelWeights(files, broken, findings);
  const view: ModelView = {
    files: new Map(files.map((file) => [file.path, file])),
    documents,
    tokenIds,
    weights: read,
    broken,
  };

  checkShards(view, findings);
  const modules = readModules(view, findings);
  if (modules !== undefined) checkModuleFiles(view, modules, findings);
  const base = transformerDirectory(modules);
  const places = modulePlaces(modules);
  const weights = renditionsOf(view, places, base, namedDefault(options), findings);
  const chosen = defaultWeights(weights);
  const embedding = embeddingFacts(view, modules, base, chosen, findings);
  await checkTokenizerSize(view, base, findings);
  const refersToCode = findCodeReferences(view, modules, config.allow_code === true, findings);
  const commercial = await checkLicence(options, view, findings);

  const codeFiles = files.map(({ path }) => path).filter(isCode);
  const tokenizer = tokenizerFacts(view, places, modules !== undefined, embedding.max_tokens);
  if (tokenizer.described === null && chosen?.tokenizer === undefined) {
    findings.warning({
      message: 'has no tokenizer',
      hint: 'Add tokenizer.json, or correct "include" or "exclude" in release.json.',
    });
  }
  return {
    problems: findings.problems,
    facts: {
      embedding,
      pooling: poolingFingerprint(view, modules, base),
      tokenizer,
      code_files: codeFiles,
      weights,
      commercial_use: commercial,
      has_code: refersToCode || codeFiles.length > 0,
    },
  };
}

function namedDefault({ model, config, configFile = 'release.json' }: InspectModelOptions): NamedDefault {
  const { default_weights: path } = config;
  const at = jsonPath(['models', model, ...(path === undefined ? [] : ['default_weights'])]);
  return { path, place: { file: configFile, at } };
}

async function checkLicence(
  { model, config, configFile = 'release.json' }: InspectModelOptions,
  view: ModelView,
  findings: Findings,
): Promise<boolean | null> {
  const readme = view.files.get('README.md');
  if (readme !== undefined && !view.broken.has(readme.path)) {
    checkReadmeLicence(config, (await readStart(readme, maxReadmeBytes)).toString('utf8'), findings);
  }
  if (![...view.files.keys()].some(isLicenceText)) {
    findings.warning({
      message: `has no licence text, and ${config.license} may ask for it`,
      hint: 'Add the text as LICENSE.',
    });
  }
  return commercialUse(config, { file: configFile, at: jsonPath(['models', model]) }, findings);
}

/**
 * The place of a file in messages: below the source directory as the owner wrote it; of a Hub
 * source, where the file was downloaded to.
 */
function placeOf({ config, files }: InspectModelOptions): (path: string) => string {
  const { source } = config;
  if ('directory' in source) return (path) => join(source.directory, path);
  const staged = new Map(files.map(({ path, absolutePath }) => [path, absolutePath]));
  return (path) => staged.get(path) ?? join(source.huggingface, path);
}
