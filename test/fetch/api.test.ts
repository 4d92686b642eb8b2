import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type * as errors from '../../src/core/errors.ts';
import type * as events from '../../src/core/events.ts';
import type * as api from '../../src/fetch/api.ts';
import * as library from '../../src/fetch/index.ts';
import type { HttpOptions } from '../../src/http/http-client.ts';
import { createWorld } from './world.ts';

/** `true` where two types are the same, and not only assignable to each other. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** A class without what is private to it. */
type Public<T> = { [Key in keyof T]: T[Key] };

/** What api.ts says, beside what the code has: this file doesn't compile where they differ. */
const same: {
  readonly exports: Same<keyof typeof library, keyof typeof api>;
  readonly ensureModel: Same<typeof library.ensureModel, typeof api.ensureModel>;
  readonly manager: Same<Public<library.ModelManager>, Public<api.ModelManager>>;
  readonly managerOptions: Same<
    ConstructorParameters<typeof library.ModelManager>,
    ConstructorParameters<typeof api.ModelManager>
  >;
  readonly error: Same<Public<library.AircherError>, Public<api.AircherError>>;
  readonly errorArguments: Same<
    ConstructorParameters<typeof library.AircherError>,
    ConstructorParameters<typeof api.AircherError>
  >;
  readonly isAircherError: Same<Parameters<typeof library.isAircherError>, Parameters<typeof api.isAircherError>>;
  readonly errorCode: Same<errors.ErrorCode, api.ErrorCode>;
  readonly problem: Same<errors.Problem, api.Problem>;
  /** The release line has more of them. */
  readonly event: api.Event extends events.Event ? true : false;
  readonly http: Same<HttpOptions, api.HttpOptions>;
} = {
  exports: true,
  ensureModel: true,
  manager: true,
  managerOptions: true,
  error: true,
  errorArguments: true,
  isAircherError: true,
  errorCode: true,
  problem: true,
  event: true,
  http: true,
};

test('methods give the documents that the commands of their names print with --json', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  const manager = world.manager();
  await manager.install('alpha');
  await manager.install('beta');
  await world.release('1.1.0', { alpha: { version: '1.1.0', retrained: [0] } });
  const calls: readonly (readonly [args: string, call: () => Promise<unknown>])[] = [
    ['path alpha', () => manager.ensureModel('alpha')],
    ['list', () => manager.list()],
    ['list --remote', () => manager.listRemote()],
    ['check-updates', () => manager.checkUpdates()],
    ['update beta', () => manager.update({ names: ['beta'] })],
    ['update alpha --plan', () => manager.checkUpdates({ names: ['alpha'], nameChangedTensors: true })],
    ['install beta', async () => ({ models: [await manager.install('beta')] })],
    ['verify', () => manager.verify()],
    ['prune --dry-run', () => manager.prune({ dryRun: true })],
    ['check-license', () => manager.checkLicenses()],
    ['pin beta@1.0.0', () => manager.pin('beta', '1.0.0')],
    ['rollback beta --to 1.0.0', () => manager.rollback('beta', { to: '1.0.0' })],
    ['unpin alpha', () => manager.unpin('alpha')],
  ];
  for (const [args, call] of calls) {
    const { stdout } = await world.run([...args.split(' '), '--json']);
    assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(await call())), args);
  }
});

test('the types that are published are those of the code, and need no others', async () => {
  assert.ok(Object.values(same).every(Boolean));
  const text = await readFile(new URL('../../src/fetch/api.ts', import.meta.url), 'utf8');
  const declared = [...text.matchAll(/^export declare (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(library).sort());
  assert.doesNotMatch(text, /^import\b|\bimport\(|\bBuffer\b|\bNodeJS\b|\/\/\/ </m);
});
