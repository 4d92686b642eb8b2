import * as z from 'zod/mini';
import { chunkIndexSchema } from '../src/contract/chunk-index-schema.ts';
import { manifestSchema } from '../src/contract/manifest.ts';
import { releaseConfigSchema } from '../src/contract/release-config.ts';

const documents = {
  release: { schema: releaseConfigSchema, title: 'release.json: what aircher-models releases' },
  manifest: { schema: manifestSchema, title: 'manifest.json: what a release offers' },
  index: { schema: chunkIndexSchema, title: 'Chunk index of a seekable tarball' },
} as const;

/** JSON Schemas (2020-12) of our documents, for editors and other implementations. */
export function jsonSchemas(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(documents).map(([name, { schema, title }]) => {
      const { $schema, ...rest } = z.toJSONSchema(schema, {
        target: 'draft-2020-12',
        io: 'input',
        unrepresentable: 'any',
      });
      return [`manifests/schema/${name}.schema.json`, `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`];
    }),
  );
}
