import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type * as errors from '../../src/core/errors.ts';
import type * as events from '../../src/core/events.ts';
import type * as api from '../../src/fetch/api.ts';
import type { HttpOptions } from '../../src/fetch/http/types.ts';
import * as library from '../../src/fetch/index.ts';

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
  readonly event: Same<events.Event, api.Event>;
  readonly context: Same<events.RunContext, api.RunContext>;
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
  context: true,
  http: true,
};

test('the types that are published are those of the code, and need no others', async () => {
  assert.ok(Object.values(same).every(Boolean));
  const text = await readFile(new URL('../../src/fetch/api.ts', import.meta.url), 'utf8');
  const declared = [...text.matchAll(/^export declare (?:class|function|const) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(library).sort());
  assert.doesNotMatch(text, /^import\b|\bimport\(|\bBuffer\b|\bNodeJS\b|\/\/\/ </m);
});
