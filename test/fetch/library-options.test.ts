import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAircherError } from '../../src/core/errors.ts';
import { ensureModel, ModelManager } from '../../src/fetch/index.ts';
import { createWorld } from './world.ts';

/** As a program in JavaScript gives them. */
// biome-ignore lint/suspicious/noExplicitAny: what types refuse is given on purpose.
const anyOptions = (options: object): any => options;

const wrong: readonly (readonly [options: object, message: RegExp, hint: RegExp])[] = [
  [{ manifestSource: ['x'] }, /\$\.manifestSource: unknown key/, /Did you mean "manifestSources"\?/],
  [{ manifestSources: 'github:acme/models#models-v' }, /\$\.manifestSources: must be an array/, /^$/],
  [{ limitRate: 'quick' }, /\$\.limitRate: must be bytes a second/, /^$/],
  [{ limitRate: -1 }, /\$\.limitRate: must be bytes a second/, /^$/],
  [{ connections: '4' }, /\$\.connections: must be a (whole )?number/, /^$/],
  [{ http: { huggingfaceToken: 'hf_x' } }, /\$\.huggingfaceToken: unknown key/, /Did you mean "huggingFaceToken"\?/],
];

for (const [options, message, hint] of wrong) {
  test(`the library refuses ${JSON.stringify(options)}, and names the option`, async () => {
    const isRefusal = (error: unknown): boolean => {
      assert.ok(isAircherError(error, 'usage'), String(error));
      assert.match(error.message, message);
      assert.match(error.hint ?? '', hint);
      return true;
    };
    assert.throws(() => new ModelManager(anyOptions(options)), isRefusal);
    await assert.rejects(ensureModel('alpha', anyOptions(options)), isRefusal);
  });
}

test('methods refuse options that they don’t know', async (t) => {
  const world = await createWorld(t);
  const manager = world.manager();
  const isRefusal = (error: unknown) => isAircherError(error, 'usage') && /unknown key/.test(error.message);
  await assert.rejects(manager.ensureModel('alpha', anyOptions({ range: '^1.0.0' })), isRefusal);
  await assert.rejects(manager.update(anyOptions({ name: ['alpha'] })), isRefusal);
  await assert.rejects(manager.verify(anyOptions({ fix: true })), isRefusal);
  await assert.rejects(manager.prune(anyOptions({ dry: true })), isRefusal);
  await assert.rejects(manager.pin('alpha', '1.0.0', anyOptions({ force: true })), isRefusal);
  await assert.rejects(manager.remove('alpha', anyOptions({ dryRun: true })), isRefusal);
});

test('limitRate takes the forms of the command line', async (t) => {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' } });
  const events: { readonly type: string }[] = [];
  const { version } = await world
    .manager({ limitRate: '20MB' })
    .ensureModel('alpha', { onEvent: (event) => events.push(event) });
  assert.equal(version, '1.0.0');
  assert.deepEqual(
    events.filter(({ type }) => type === 'retry' || type === 'mirror-set-aside'),
    [],
  );
});
