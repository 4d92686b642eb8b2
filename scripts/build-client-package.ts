import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuiltBundle, buildClientBundle } from './build-client-bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Writes the package `aircher`: the client's one file, its types, and what a registry asks for. It
 * depends on nothing.
 */
export async function buildClientPackage(directory = join(root, 'dist/client')): Promise<BuiltBundle> {
  const { version, keywords, homepage, bugs, repository, license } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  );
  const bundle = await buildClientBundle(join(directory, 'aircher.mjs'));
  const description = {
    name: 'aircher',
    version,
    description: 'Installs embedding models and keeps them up to date',
    keywords,
    homepage,
    bugs,
    repository,
    license,
    type: 'module',
    engines: { node: '>=20.19' },
    bin: { aircher: 'aircher.mjs' },
    exports: {
      '.': { types: './aircher.d.mts', default: './aircher.mjs' },
      './package.json': './package.json',
    },
    files: ['aircher.mjs', 'aircher.d.mts', 'THIRD-PARTY-NOTICES'],
  };
  await writeFile(join(directory, 'package.json'), `${JSON.stringify(description, null, 2)}\n`);
  await writeFile(join(directory, 'THIRD-PARTY-NOTICES'), bundle.notices);
  // Types without imports, written by hand, are declarations as they stand.
  await copyFile(join(root, 'src/fetch/api.ts'), join(directory, 'aircher.d.mts'));
  await copyFile(join(root, 'src/fetch/README.md'), join(directory, 'README.md'));
  await copyFile(join(root, 'LICENSE'), join(directory, 'LICENSE'));
  return bundle;
}
