import * as z from 'zod/mini';
import { chunkIndexSchema } from '../src/contract/chunk-index-schema.ts';
import { encodingIndexSchema } from '../src/contract/encoding-index-schema.ts';
import { lockFileSchema } from '../src/contract/lock-file.ts';
import { manifestModelSchema, manifestSchema } from '../src/contract/manifest.ts';
import { referenceVectorsSchema } from '../src/contract/reference-vectors.ts';
import { releaseConfigSchema } from '../src/contract/release-config.ts';
import { jsonDocuments, jsonParts } from './json-documents.ts';
import { jsonKeys } from './json-keys.ts';

const documents = {
  release: { schema: releaseConfigSchema, title: 'release.json: what aircher-models releases' },
  manifest: { schema: manifestSchema, title: 'manifest.json: what a release offers' },
  lock: { schema: lockFileSchema, title: 'models.lock: exactly which models a project uses' },
  index: { schema: chunkIndexSchema, title: 'Chunk index of a seekable tarball' },
  vectors: { schema: referenceVectorsSchema, title: 'Reference vectors of a model' },
  'encoding-index': { schema: encodingIndexSchema, title: 'Index of an encoding: planes or a patch' },
} as const;

const draft = { target: 'draft-2020-12', unrepresentable: 'any' } as const;

/** JSON Schemas (2020-12) of our documents, for editors and other implementations. */
export function jsonSchemas(): Readonly<Record<string, string>> {
  const schemas = Object.entries(documents).map(([name, { schema, title }]): [string, object] => {
    const { $schema, ...rest } = z.toJSONSchema(schema, { ...draft, io: 'input' });
    return [`manifests/schema/${name}.schema.json`, { $schema, title, ...rest }];
  });
  const output: [string, object] = ['manifests/schema/json-output.schema.json', outputSchema()];
  return Object.fromEntries(
    [...schemas, output].map(([path, schema]) => [path, `${JSON.stringify(schema, null, 2)}\n`]),
  );
}

/** A JSON Schema, as far as it is used for what commands print. */
export interface OutputSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly OutputSchema[];
  readonly items?: OutputSchema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, OutputSchema>>;
  readonly additionalProperties?: OutputSchema | boolean;
}

/**
 * What commands print with `--json`: a definition for each document, and for each part that several
 * have.
 */
export function outputSchema(): { readonly $defs: Readonly<Record<string, OutputSchema>> } {
  // Whatever is in it is referred to by its id.
  const registry = z.registry<{ id: string }>();
  registry.add(releaseConfigSchema, { id: 'release.schema.json' });
  registry.add(manifestSchema, { id: 'manifest.schema.json' });
  registry.add(manifestModelSchema, { id: 'manifest.schema.json#/properties/models/additionalProperties' });
  const definitions = Object.entries({ ...jsonDocuments, ...jsonParts }).map(
    ([name, schema]) => [definitionName(name), schema] as const,
  );
  for (const [name, schema] of definitions) {
    if (!registry.has(schema)) registry.add(schema, { id: `#/$defs/${name}` });
  }
  const { schemas } = z.toJSONSchema(registry, { ...draft, io: 'output' });
  const $defs = definitions.map(([name, schema]) => {
    const { id: $ref } = registry.get(schema)!;
    const { $schema, $id, ...definition } = schemas[$ref]!;
    return [name, $ref === `#/$defs/${name}` ? withMeanings(definition) : { $ref }];
  });
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What the commands of aircher-models and aircher print with --json, by command',
    $defs: Object.fromEntries($defs),
  } as ReturnType<typeof outputSchema>;
}

/** The definition's name in the schema: `model update --plan` is `model-update-plan`. */
export function definitionName(command: string): string {
  return command.toLowerCase().replace(/[^a-z]+/g, '-');
}

/** Every property described by what its key means. */
function withMeanings(schema: object): object {
  const described = JSON.stringify(schema, (key, value) => {
    if (key !== 'properties') return value;
    return Object.fromEntries(
      Object.entries<object>(value).map(([name, property]) => [name, { description: jsonKeys[name], ...property }]),
    );
  });
  return JSON.parse(described);
}
