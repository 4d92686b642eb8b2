import { type Sha256, sha256 } from '../core/hashing.ts';
import { vectorsName } from './artifacts.ts';
import type { DownloadUrls } from './fields.ts';
import type { Manifest, ManifestModel } from './manifest.ts';

/** A component of a CycloneDX document, as far as models need it. */
export interface BillComponent {
  readonly type: 'data' | 'file' | 'machine-learning-model';
  readonly 'bom-ref'?: string;
  readonly name: string;
  readonly version?: string;
  readonly hashes?: readonly BillHash[];
  readonly licenses?: readonly { readonly expression: string }[];
  readonly purl?: string;
  readonly pedigree?: { readonly ancestors: readonly BillComponent[] };
  readonly externalReferences?: readonly {
    readonly type: 'distribution';
    readonly url: string;
    readonly hashes: readonly BillHash[];
    readonly comment?: string;
  }[];
  readonly components?: readonly BillComponent[];
  readonly modelCard?: { readonly modelParameters: { readonly task: string } };
  readonly properties?: readonly BillProperty[];
}

interface BillHash {
  readonly alg: 'SHA-256';
  readonly content: Sha256;
}

interface BillProperty {
  readonly name: string;
  readonly value: string;
}

/** What a bill needs to know of a model beside its entry in a manifest. */
interface BilledModel {
  readonly name: string;
  readonly entry: ManifestModel;
  /** Those that are there, where they aren't the entry's. */
  readonly files?: readonly { readonly path: string; readonly sha256: Sha256 }[];
  /** Of this machine's copy. */
  readonly facts?: Facts;
}

/** What isn't known is left out. */
type Facts = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * The bill of a release's models in CycloneDX 1.6 (ECMA-424): each model with archive, files,
 * digests, licence and source. It says nothing that the manifest doesn't, in the words of tools
 * that keep inventories. The same manifest makes the same document, with the same serial number.
 * [https://cyclonedx.org/docs/1.6/json/]
 */
export function billOfModels(manifest: Manifest, manifestSha256: Sha256): object {
  const release = manifest.release ?? manifestSha256;
  return bill({
    tool: 'aircher-models',
    timestamp: manifest.generated_at,
    of: { ref: release, name: manifest.namespace ?? 'models', version: release },
    facts: { 'manifest:sha256': manifestSha256 },
    models: Object.entries(manifest.models).map(([name, entry]) => ({ name, entry })),
    identity: manifestSha256,
  });
}

/**
 * The bill of models that are on a machine, each with the files that are there, and what is known
 * of this copy. Without a time: what is equal makes the same document.
 */
export function billOfInstalled(models: readonly BilledModel[], namespace = 'models'): object {
  const identity = sha256(JSON.stringify([namespace, models]));
  return bill({ tool: 'aircher', of: { ref: 'installed', name: namespace }, models, identity });
}

interface BillContents {
  /** Without its version: another one makes the same bill of the same models. */
  readonly tool: string;
  readonly timestamp?: string | undefined;
  readonly of: { readonly ref: string; readonly name: string; readonly version?: string };
  readonly facts?: Facts;
  readonly models: readonly BilledModel[];
  /** What the serial number is made of. */
  readonly identity: Sha256;
}

function bill({ tool, timestamp, of, facts, models, identity }: BillContents): object {
  const { ref, ...named } = of;
  const components = models.map(modelComponent);
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(identity)}`,
    version: 1,
    metadata: {
      ...(timestamp === undefined ? {} : { timestamp }),
      tools: { components: [{ type: 'application', name: tool }] },
      component: {
        type: 'data',
        'bom-ref': ref,
        ...named,
        ...(facts === undefined ? {} : { properties: properties(facts) }),
      },
    },
    components,
    dependencies: [{ ref, dependsOn: components.map((model) => model['bom-ref']) }],
  };
}

function modelComponent({ name, entry, files = entry.files, facts }: BilledModel): BillComponent {
  const { version, license, source, embedding, tensors } = entry;
  const ref = `${name}@${version}`;
  const hashes = [hash(entry.sha256)];
  const { reference } = entry;
  return {
    type: 'machine-learning-model',
    'bom-ref': ref,
    name,
    version,
    hashes,
    ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
    ...(source === undefined ? {} : { pedigree: { ancestors: [hubComponent(source)] } }),
    externalReferences: [
      ...distributions(entry.download_urls, hashes),
      ...(entry.encodings ?? []).flatMap(({ name: file, download_urls: urls, sha256 }) =>
        distributions(urls, [hash(sha256)], `${file}: fewer bytes for the client, which needs the archive's index`),
      ),
    ],
    modelCard: { modelParameters: { task: 'feature-extraction' } },
    properties: properties({
      release: entry.release,
      commercial_use: entry.commercial_use,
      'embedding:space': embedding?.space,
      'embedding:dimensions': embedding?.dimensions,
      'tensors:parameters': tensors?.parameters,
      ...facts,
    }),
    components: [
      ...(files ?? []).map((file) => ({
        type: 'file' as const,
        'bom-ref': `${ref}/${file.path}`,
        name: file.path,
        hashes: [hash(file.sha256)],
      })),
      ...(reference === undefined ? [] : [referenceComponent(name, ref, reference)]),
    ],
  };
}

/** Beside the model's files, of which it is none. */
function referenceComponent(
  model: string,
  ref: string,
  { sha256, download_urls: urls }: NonNullable<ManifestModel['reference']>,
): BillComponent {
  const hashes = [hash(sha256)];
  const name = vectorsName(model);
  return { type: 'data', 'bom-ref': `${ref}#${name}`, name, hashes, externalReferences: distributions(urls, hashes) };
}

function distributions(
  urls: DownloadUrls,
  hashes: readonly BillHash[],
  comment?: string,
): NonNullable<BillComponent['externalReferences']> {
  return Object.values(urls)
    .filter((url) => typeof url === 'string')
    .map((url) => ({ type: 'distribution', url, hashes, ...(comment === undefined ? {} : { comment }) }));
}

/**
 * Where the model was taken from. [package-url/purl-spec, type huggingface: the version is the
 * commit]
 */
function hubComponent({ huggingface, revision }: NonNullable<ManifestModel['source']>): BillComponent {
  const path = huggingface.split('/').map(encodeURIComponent).join('/');
  return {
    type: 'machine-learning-model',
    name: huggingface,
    version: revision,
    purl: `pkg:huggingface/${path}@${encodeURIComponent(revision.toLowerCase())}`,
  };
}

function hash(content: Sha256): BillHash {
  return { alg: 'SHA-256', content };
}

/** Facts that CycloneDX has no field for, under a name of our own. */
function properties(facts: Facts): BillProperty[] {
  return Object.entries(facts).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [{ name: `aircher:${name}`, value: String(value) }],
  );
}

/** A UUID made of a digest: version 8 of RFC 9562, whose other 122 bits are free. */
function uuidOf(digest: Sha256): string {
  const variant = '89ab'[Number.parseInt(digest.charAt(16), 16) & 3];
  const hex = `${digest.slice(0, 12)}8${digest.slice(13, 16)}${variant}${digest.slice(17, 32)}`;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
