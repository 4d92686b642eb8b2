import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { commands, globalOptions } from '../../src/fetch/commands/index.ts';
import { clientProgram, createWorld } from './world.ts';

/** What a shell offers for the last of these words. */
async function completions(t: TestContext) {
  const world = await createWorld(t);
  await world.release('1.0.0', { alpha: { version: '1.0.0' }, beta: { version: '1.0.0' } });
  await world.run(['install', 'alpha', 'beta']);
  await writeFile(world.path('aircher'), `#!/bin/sh\nexec "${process.execPath}" "${clientProgram}" "$@"\n`, {
    mode: 0o755,
  });
  const env = { AIRCHER_CACHE_DIR: world.cache, PATH: `${world.root}:${process.env.PATH}` };
  return async (...words: readonly string[]): Promise<readonly string[]> => {
    const script = `source <(aircher completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aircher; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = await execa('bash', ['-c', script, 'bash', 'aircher', ...words], { env });
    return stdout.split('\n').filter(Boolean);
  };
}

test('bash completes commands, their other names, options and installed models', async (t) => {
  const complete = await completions(t);
  assert.deepEqual(await complete('up'), ['update', 'upgrade']);
  assert.deepEqual(await complete('model', 'chec'), ['check-updates', 'check-vectors', 'check-license']);
  assert.deepEqual(await complete('ls', '--rem'), ['--remote']);
  assert.deepEqual(await complete('path', ''), ['alpha', 'beta']);
  assert.deepEqual(await complete('model', 'rm', 'b'), ['beta']);
  assert.deepEqual(await complete('completion', ''), ['bash', 'zsh']);
  assert.deepEqual(await complete('prune', ''), []);
  const options = [...Object.keys(globalOptions), ...commands.flatMap((each) => Object.keys(each.options ?? {}))];
  const known = new Set(options.map((written) => written.split(' ')[0]));
  for (const { name } of commands)
    for (const option of await complete(name, '--')) assert.ok(known.has(option), `${name} ${option}`);
});
