import { chmod, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { buildClientBundle } from './build-client-bundle.ts';

/** Builds what is published: JavaScript and declarations in dist/, and the one-file client dist/aircher.mjs. */
const root = fileURLToPath(new URL('..', import.meta.url));
await rm(`${root}dist`, { recursive: true, force: true });
await execa('tsc', ['-p', 'tsconfig.build.json'], { cwd: root, preferLocal: true, stdio: 'inherit' });
for (const executable of ['cli.js', 'fetch-cli.js']) await chmod(`${root}dist/${executable}`, 0o755);
const bundle = await buildClientBundle(`${root}dist/aircher.mjs`);
console.log(`dist/aircher.mjs: ${bundle.sizeBytes} bytes`);
