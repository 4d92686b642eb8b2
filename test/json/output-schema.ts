import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { definitionName, jsonSchemas, outputSchemaPath } from '../../scripts/json-schemas.ts';

const schemas = Object.entries(jsonSchemas()).map(([path, text]) => [path, JSON.parse(text)] as const);
const ajv = new Ajv2020({ strict: false, validateFormats: false });
for (const [path, schema] of schemas) ajv.addSchema(schema, path.replace('manifests/schema/', ''));
const file = outputSchemaPath.replace('manifests/schema/', '');

/** Throws where this is not what `command` prints with `--json`: one document, as its published schema describes it. */
export function assertDocument(command: string, document: unknown): void {
  const validate = ajv.getSchema(`${file}#/$defs/${definitionName(command)}`) as ValidateFunction | undefined;
  assert.ok(validate, `no schema of ${command}`);
  const found = JSON.stringify(document, null, 1).slice(0, 2000);
  assert.ok(validate(document), `${command}: ${ajv.errorsText(validate.errors)}\n${found}`);
  for (const key of keysOf(document)) assert.match(key, /^(\$schema|[a-z][a-z0-9_]*)$/, `${command}: the key ${key}`);
}

/** Objects by name: their keys are other people's. */
const byName = ['prompts', 'dtypes'];

/** The keys of all objects in it, but for those by name, where the values count alone. */
function keysOf(value: unknown, within?: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => keysOf(item));
  if (typeof value !== 'object' || value === null) return [];
  const named = byName.includes(within ?? '') || within === 'models';
  return Object.entries(value).flatMap(([key, inner]) => [...(named ? [] : [key]), ...keysOf(inner, key)]);
}

/** The name in `jsonDocuments` of what these arguments print; `args` begin with `model` for the client's commands. */
function documentName(args: readonly string[]): string {
  const words = args[0] === 'model' ? args.slice(0, 2) : args.slice(0, 1);
  const [command, next] = [words.join(' '), args[words.length]];
  if (command === 'rehearse' && args.includes('list')) return 'rehearse --fault list';
  if (command === 'status' && next !== undefined && !next.startsWith('--')) return 'status TAG';
  if (command === 'model list' && args.includes('--remote')) return 'model list --remote';
  if (command === 'model update' && args.includes('--plan')) return 'model update --plan';
  return command;
}

/** Throws where stdout of a run with `--json` isn't the one document of its command, or of its failure. Answers with its name. */
export function assertOutput(args: readonly string[], stdout: string): string {
  const document: unknown = JSON.parse(stdout);
  const failed = typeof document === 'object' && document !== null && 'error' in document;
  const name = failed ? 'any, where it fails' : documentName(args);
  assertDocument(name, document);
  return name;
}
