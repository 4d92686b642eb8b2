import { chmod, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { formatBytes } from '../src/core/format.ts';
import { expectedBundleBytes } from './build-client-bundle.ts';
import { buildClientPackage } from './build-client-package.ts';
import { keepPublicDeclarations } from './public-declarations.ts';

/**
 * Builds what is published: the package `aircher-models` in dist/, and in it, in dist/client/, the
 * package `aircher`.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
await rm(`${root}dist`, { recursive: true, force: true });
await execa('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, preferLocal: true, stdio: 'inherit' });
await keepPublicDeclarations(`${root}dist`, 'index.d.ts');
await chmod(`${root}dist/cli.js`, 0o755);
const { sizeBytes, gzipBytes } = await buildClientPackage();
console.log(`dist/client/aircher.mjs: ${formatBytes(sizeBytes)}, ${formatBytes(gzipBytes)} by gzip -9`);
if (sizeBytes > expectedBundleBytes) {
  console.warn(`warning: more than ${formatBytes(expectedBundleBytes)}. People are meant to read that file.`);
}
