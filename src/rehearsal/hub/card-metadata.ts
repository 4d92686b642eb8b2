import { parse, YAMLParseError } from 'yaml';

/** Licences that a card's metadata may name (the Hub's documentation of licences). */
const licenses = new Set(
  `apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m afl-3.0
  artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
  cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
  cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
  etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c
  ms-pl mpl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr
  deepfloyd-if-license fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma
  apple-ascl apple-amlr unknown other`.split(/\s+/),
);

export interface CardFindings {
  readonly errors: readonly { readonly message: string }[];
  readonly warnings: readonly { readonly message: string }[];
}

export type CardMetadata = Readonly<Record<string, unknown>>;

/**
 * The metadata between the `---` lines that a README.md begins with; undefined where there is none
 * or it doesn't parse.
 */
export function readMetadata(readme: string): CardMetadata | undefined {
  try {
    return parseFrontMatter(readme);
  } catch {
    return undefined;
  }
}

/** What the Hub finds wrong with a README.md's metadata; with errors it refuses the file. */
export function validateCard(readme: string): CardFindings {
  let metadata: CardMetadata | undefined;
  try {
    metadata = parseFrontMatter(readme);
  } catch (error) {
    const reason = error instanceof YAMLParseError ? error.message : String(error);
    return { errors: [{ message: `Invalid YAML: ${reason}` }], warnings: [] };
  }
  if (metadata === undefined || Object.keys(metadata).length === 0) {
    return { errors: [], warnings: [{ message: 'empty or missing yaml metadata in repo card' }] };
  }
  const errors = [
    ...fault('license', metadata.license, isOneOrMany(isLicense), 'must be one of the known licenses, or "other"'),
    ...fault('tags', metadata.tags, isListOf(isText), 'must be an array of strings'),
    ...fault('pipeline_tag', metadata.pipeline_tag, isText, 'must be a string'),
    ...fault('library_name', metadata.library_name, isText, 'must be a string'),
    ...fault('language', metadata.language, isOneOrMany(isText), 'must be a string or an array of strings'),
    ...fault(
      'base_model',
      metadata.base_model,
      isOneOrMany(isRepositoryId),
      'must be the id of a repository on the Hub',
    ),
    ...fault('datasets', metadata.datasets, isOneOrMany(isRepositoryId), 'must be the id of a dataset on the Hub'),
    ...fault('license_name', metadata.license_name, isText, 'must be a string'),
  ];
  const unnamed = metadata.license === 'other' && metadata.license_name === undefined;
  return { errors, warnings: unnamed ? [{ message: '"license_name" should be set when "license" is "other"' }] : [] };
}

function parseFrontMatter(readme: string): CardMetadata | undefined {
  const [, text] = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n?---[ \t]*(?:\r?\n|$)/.exec(readme) ?? [];
  if (text === undefined) return undefined;
  const value: unknown = parse(text);
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new TypeError('metadata must be a mapping');
  return value as CardMetadata;
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isLicense: Check = (value) => typeof value === 'string' && licenses.has(value);
const isRepositoryId: Check = (value) => typeof value === 'string' && /^[\w.-]+(\/[\w.-]+)?$/.test(value);
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const isOneOrMany =
  (check: Check): Check =>
  (value) =>
    check(value) || isListOf(check)(value);

function fault(name: string, value: unknown, check: Check, rule: string): { readonly message: string }[] {
  return value === undefined || value === null || check(value) ? [] : [{ message: `"${name}" ${rule}` }];
}
