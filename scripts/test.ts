import { glob } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { buildClientPackage } from './build-client-package.ts';

/**
 * `npm test [FILE…]`: builds the client that releases carry, then runs the tests with Node's own
 * runner.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
await buildClientPackage();
const named = process.argv.slice(2);
const files = named.length > 0 ? named : (await testFiles()).sort();
const result = await execa(
  process.execPath,
  ['--test', `--test-concurrency=${availableParallelism()}`, '--test-reporter=spec', ...files],
  { cwd: root, stdio: 'inherit', reject: false },
);
process.exitCode = result.exitCode ?? 1;

async function testFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file);
  return files;
}
