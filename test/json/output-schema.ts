import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { definitionName, jsonSchemas } from '../../scripts/json-schemas.ts';

const ajv = new Ajv2020({ strict: false, validateFormats: false });
for (const [path, schema] of Object.entries(jsonSchemas())) ajv.addSchema(JSON.parse(schema), path.split('/').at(-1));

/**
 * Throws where this is not what `command` prints with `--json`: one document, as its published
 * schema describes it.
 */
export function assertDocument(command: string, document: unknown): void {
  const validate = ajv.getSchema(`json-output.schema.json#/$defs/${definitionName(command)}`);
  assert.ok(validate, `no schema of ${command}`);
  const found = JSON.stringify(document, null, 1).slice(0, 2000);
  assert.ok(validate(document), `${command}: ${ajv.errorsText(validate.errors)}\n${found}`);
  assertSnakeCase(document, command);
}

/** Objects by name: their keys are other people's. */
const byName = ['models', 'prompts', 'dtypes', 'etags', 'pins'];

/** Throws where an object in it has a key that isn't in snake_case. */
export function assertSnakeCase(value: unknown, place: string, key = ''): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    const named = Array.isArray(value) || byName.includes(key);
    if (!named) assert.match(name, /^(\$schema|[a-z][a-z0-9]*(_[a-z0-9]+)*)$/, `${place}: the key ${name}`);
    assertSnakeCase(inner, place, named ? '' : name);
  }
}

/**
 * The name in `jsonDocuments` of what these arguments print; `args` begin with `model` for the
 * client's commands.
 */
function documentName(args: readonly string[]): string {
  const words = args[0] === 'model' ? args.slice(0, 2) : args.slice(0, 1);
  const [command, next] = [words.join(' '), args[words.length]];
  if (command === 'rehearse' && args.includes('list')) return 'rehearse --fault list';
  if (command === 'status' && next !== undefined && !next.startsWith('--')) return 'status TAG';
  if (command === 'model list' && args.includes('--remote')) return 'model list --remote';
  if (command === 'model install' && args.includes('--dry-run')) return 'model install --dry-run';
  if (command === 'model lock' && args.includes('--check')) return 'model lock --check';
  if (command === 'model update' && args.includes('--plan')) return 'model update --plan';
  return command;
}

/**
 * Throws where stdout of a run with `--json` isn't the one document of its command, or of its
 * failure. Answers with its name.
 */
export function assertOutput(args: readonly string[], stdout: string): string {
  const document: unknown = JSON.parse(stdout);
  // CycloneDX, whose schema isn't ours.
  if (args.includes('bill') && stdout.includes('"bomFormat"')) return 'bill';
  const failed = typeof document === 'object' && document !== null && 'error' in document;
  const name = failed ? 'error' : documentName(args);
  assertDocument(name, document);
  return name;
}
