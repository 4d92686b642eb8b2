import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '../src/core/write-files.ts';
import { generatedFiles } from './generated-files.ts';

/**
 * `npm run generate`: writes what is generated from code. With `--check`, only says whether it is
 * up to date.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
for (const [path, content] of Object.entries(await generatedFiles())) {
  const found = await readFile(root + path, 'utf8').catch(() => undefined);
  if (found === content) continue;
  if (check) {
    console.error(`${path} is out of date: run \`npm run generate\``);
    process.exitCode = 1;
  } else {
    await writeFileAtomically(root + path, content);
    console.log(`wrote ${path}`);
  }
}
