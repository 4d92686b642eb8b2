import * as z from 'zod/mini';
import { chunkIndexSchema } from '../src/contract/chunk-index-schema.ts';
import { manifestSchema } from '../src/contract/manifest.ts';
import { releaseConfigSchema } from '../src/contract/release-config.ts';
import { describedElsewhere, jsonDocuments } from './json-documents.ts';

const documents = {
  release: { schema: releaseConfigSchema, title: 'release.json: what aircher-models releases' },
  manifest: { schema: manifestSchema, title: 'manifest.json: what a release offers' },
  index: { schema: chunkIndexSchema, title: 'Chunk index of a seekable tarball' },
} as const;

export const outputSchemaPath = 'manifests/schema/json-output.schema.json';

const draft = { target: 'draft-2020-12', unrepresentable: 'any' } as const;

/** JSON Schemas (2020-12) of our documents, for editors and other implementations. */
export function jsonSchemas(): Readonly<Record<string, string>> {
  const schemas = Object.entries(documents).map(([name, { schema, title }]): [string, object] => {
    const { $schema, ...rest } = z.toJSONSchema(schema, { ...draft, io: 'input' });
    return [`manifests/schema/${name}.schema.json`, { $schema, title, ...rest }];
  });
  const all = [...schemas, [outputSchemaPath, outputSchema()] as const];
  return Object.fromEntries(all.map(([path, schema]) => [path, `${JSON.stringify(schema, null, 2)}\n`]));
}

/** What commands print with `--json`: a definition for each. */
function outputSchema(): object {
  const $defs = Object.entries(jsonDocuments).map(([command, document]) => [
    definitionName(command),
    schemaOf(document),
  ]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title:
      'What the commands of aircher-models and aircher print with --json, by command; docs/json.md says what keys mean',
    $defs: Object.fromEntries($defs),
  };
}

/** The definition's name in the schema: `model update --plan` is `model-update-plan`. */
export function definitionName(command: string): string {
  return command.toLowerCase().replace(/[^a-z]+/g, '-');
}

function schemaOf(document: z.ZodMiniType): object {
  const { $schema, ...schema } = z.toJSONSchema(document, {
    ...draft,
    io: 'output',
    override: ({ zodSchema, jsonSchema }) => {
      const $ref = describedElsewhere.get(zodSchema);
      if ($ref === undefined) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      jsonSchema.$ref = $ref;
    },
  });
  return schema;
}
