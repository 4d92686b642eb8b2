import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonDocuments } from '../../scripts/json-documents.ts';
import { jsonKeys } from '../../scripts/json-keys.ts';
import { type OutputSchema, outputSchema } from '../../scripts/json-schemas.ts';
import { createProgram } from '../../src/cli/program.ts';
import { commands } from '../../src/fetch/commands/index.ts';
import { assertDocument } from './output-schema.ts';

test('every command of both programs has a schema of what it prints', () => {
  const maintainers = createProgram({} as Parameters<typeof createProgram>[0]).commands.map((command) =>
    command.name(),
  );
  const clients = commands.map((command) => `model ${command.name}`);
  const described = new Set(Object.keys(jsonDocuments).map((command) => command.replace(/ (--.*|TAG)$/, '')));
  // CycloneDX, with --json or without.
  described.add('bill').add('model bill');
  described.delete('error');
  assert.deepEqual([...described].sort(), [...maintainers, ...clients].sort());
});

test('every key is in snake_case, and has one meaning and one type in all documents', () => {
  const types = new Map<string, Set<string>>();
  const visit = (schema: OutputSchema): void => {
    const { anyOf = [], items, properties = {}, additionalProperties } = schema;
    for (const [key, value] of Object.entries(properties)) {
      types.set(key, new Set([...(types.get(key) ?? []), ...typesOf(value)]));
    }
    [...anyOf, ...Object.values(properties), items, additionalProperties].forEach((part) => {
      if (typeof part === 'object') visit(part);
    });
  };
  Object.values(outputSchema().$defs).forEach(visit);
  assert.deepEqual(Object.keys(jsonKeys), [...types.keys()].sort());
  for (const [key, known] of types) {
    assert.match(key, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    // Those of a plan's `users` stand by name, as in the manifest.
    assert.equal(known.size, key === 'models' ? 2 : 1, `${key}: ${[...known].join(', ')}`);
  }
});

/** null aside. */
function typesOf({ $ref, anyOf, type = [] }: OutputSchema): readonly string[] {
  if ($ref) return ['object'];
  const types = anyOf?.flatMap(typesOf) ?? [type].flat();
  return types.filter((name) => name !== 'null').map((name) => (name === 'integer' ? 'number' : name));
}

test('a schema refuses what its document lacks, has beside, or writes in camelCase', () => {
  const good = { tag: 'models-v1.0.0', state: 'public', sent: [], waiting_for: [], public_urls: {}, install: [] };
  assertDocument('publish', good);
  const { waiting_for, ...rest } = good;
  for (const bad of [rest, { ...rest, waitingFor: waiting_for }, { ...good, extra: 1 }, { ...good, state: 'lost' }])
    assert.throws(() => assertDocument('publish', bad), /publish: /);
  // Where what others wrote is carried along, unknown keys are let through, but none in camelCase.
  const manifest = { manifest_version: '1.0.0', models: {}, other: 1 };
  assertDocument('manifest', manifest);
  assert.throws(() => assertDocument('manifest', { ...manifest, otherKey: 1 }), /the key otherKey/);
});
