import { jsonSchemas } from './json-schemas.ts';

/** Everything in the repository that is generated from code, by path. A test holds it up to date. */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  return { ...jsonSchemas() };
}
