import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashFile } from '../../src/core/hashing.ts';
import { onnx, plain, threeWeights } from './part-scene.ts';
import { createWorld } from './world.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly name: string;
  readonly hashes: readonly { readonly content: string }[];
  readonly licenses?: readonly { readonly expression: string }[];
  readonly properties: readonly { readonly name: string; readonly value: string }[];
  readonly components: readonly Component[];
}

const componentsOf = (stdout: string): readonly Component[] => JSON.parse(stdout).components;

const factOf = ({ properties }: Component, name: string): string | undefined =>
  properties.find((property) => property.name === `aircher:${name}`)?.value;

test('the bill of what is installed names each version, the files that are there by their digests, and licences that were accepted', async (t) => {
  const world = await createWorld(t);
  const nc = { license: 'CC-BY-NC-4.0', commercial_use: false };
  await world.release('1.0.0', { alpha: { ...threeWeights, entry: nc }, beta: { version: '1.0.0' } });
  await world.run(['install', 'alpha', '--weights', 'onnx', '--accept-license', 'CC-BY-NC-4.0']);
  const first = await world.release('1.1.0', { beta: { version: '1.1.0' } });
  await world.run(['install', 'beta']);
  await world.release('1.2.0', { beta: { version: '1.2.0', retrained: [0] } });
  await world.run(['update', 'beta']);
  world.mirror.log.clear();

  const { stdout, stderr, exitCode } = await world.run(['bill']);
  assert.equal(exitCode, 0, stderr);
  const models = componentsOf(stdout);
  assert.deepEqual(
    models.map((model) => [model['bom-ref'], factOf(model, 'current')]),
    [
      ['alpha@1.0.0', 'true'],
      ['beta@1.2.0', 'true'],
      ['beta@1.1.0', 'false'],
    ],
  );
  assert.equal(models[2]?.hashes[0]?.content, first.models.beta?.sha256);
  const [alpha] = models;
  assert.ok(alpha);
  assert.deepEqual(alpha.licenses, [{ expression: 'CC-BY-NC-4.0' }]);
  assert.equal(factOf(alpha, 'accepted_licenses'), 'CC-BY-NC-4.0');
  assert.equal(factOf(alpha, 'weights'), onnx);
  assert.equal(factOf(alpha, 'wanted'), onnx);
  assert.deepEqual(alpha.components.map(({ name }) => name).sort(), [...plain, onnx, 'onnx/model.onnx_data'].sort());
  for (const { name, hashes } of alpha.components) {
    const { sha256 } = await hashFile(`${world.cache}/versions/alpha/1.0.0/${name}`);
    assert.equal(hashes[0]?.content, sha256, name);
  }
  assert.deepEqual(world.mirror.log.entries, [], 'nobody is asked');
});

test('the same installs make the same bill, with --json too, and of one model what was asked for', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const none = await world.run(['bill']);
  assert.deepEqual(componentsOf(none.stdout), []);
  await world.run(['install', 'alpha', 'beta']);
  const { stdout } = await world.run(['bill']);
  assert.equal((await world.run(['bill', '--json', '--offline'])).stdout, stdout);
  const one = await world.run(['bill', 'beta']);
  assert.deepEqual(
    componentsOf(one.stdout).map(({ name }) => name),
    ['beta'],
  );
  assert.notEqual(JSON.parse(one.stdout).serialNumber, JSON.parse(stdout).serialNumber);
  assert.equal(factOf(componentsOf(one.stdout)[0]!, 'accepted_licenses'), undefined);
  const unknown = await world.run(['bill', 'gamma', '--json']);
  assert.equal(unknown.exitCode, 3);
  assert.equal(JSON.parse(unknown.stdout).error.code, 'invalid');
});
