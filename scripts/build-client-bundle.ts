import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin, transform } from 'esbuild';
import { toolVersion } from '../src/core/tool-version.ts';
import { bakedLine } from '../src/release/client-bundle.ts';
import { ownNames } from './own-names.ts';
import { shareRepeats } from './share-repeats.ts';

/** What the client may not outgrow, so that it stays small enough to fetch over a phone line. */
export const maxBundleBytes = 170_000;

const target = 'node20.19';

/** How client code is bundled. zod is stood in for by the part of it that the client's schemas use. */
export const bundling: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target,
  alias: { 'zod/mini': fileURLToPath(new URL('../src/contract/small-schemas.ts', import.meta.url)) },
  legalComments: 'none',
  logLevel: 'warning',
};

/**
 * Bundles the client into one file that imports nothing but `node:*`. The same sources make the same bytes. Throws where it
 * imports anything else, or is too large.
 */
export async function buildClientBundle(output: string): Promise<{ readonly sizeBytes: number }> {
  const client: BuildOptions & { readonly write: false } = {
    ...bundling,
    entryPoints: [fileURLToPath(new URL('../src/fetch-cli.ts', import.meta.url))],
    outfile: output,
    write: false,
  };
  const readable = (await build(client)).outputFiles[0]?.text ?? '';
  const own = await ownNames(readable);
  const result = await build({
    ...client,
    minify: true,
    metafile: true,
    plugins: [importOnce(readable)],
    mangleProps: new RegExp(`^(${own.join('|')})$`),
  });
  // As where a name is short in one place, and in another, which esbuild doesn't shorten, is not.
  if (result.warnings.length > 0) throw new Error(result.warnings.map((warning) => warning.text).join('\n'));
  const foreign = Object.values(result.metafile.outputs)
    .flatMap((file) => file.imports)
    .filter((entry) => !entry.path.startsWith('node:'));
  if (foreign.length > 0) throw new Error(`the client imports ${foreign.map((entry) => entry.path).join(', ')}`);
  const [hashbang = '', ...program] = (result.outputFiles[0]?.text ?? '').split('\n');
  // Only names and blanks: whoever minifies syntax writes values back to where they are used.
  const { code } = await transform(shareRepeats(program.join('\n')), {
    format: 'esm',
    target,
    minifyIdentifiers: true,
    minifyWhitespace: true,
  });
  // The line that a release replaces stands in the banner, where the minifier leaves it alone.
  const bytes = Buffer.from(`${hashbang}\n// aircher ${toolVersion}, Apache-2.0\n${bakedLine}\n${code}`);
  if (bytes.length > maxBundleBytes)
    throw new Error(`the client has ${bytes.length} bytes, more than ${maxBundleBytes}`);
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, bytes, { mode: 0o755 });
  return { sizeBytes: bytes.length };
}

/**
 * Every module has its own imports of `node:fs/promises` and the like, which esbuild leaves as they are: 5 KB of them. Here each goes through
 * one module that gives the names that `bundled`, the same client before it was minified, imports; as `builtins.ts` gets them,
 * since an import of a builtin has Node read all that it exports, which takes milliseconds.
 */
export function importOnce(bundled: string): Plugin {
  const names = new Map<string, Set<string>>();
  for (const [, list = '', from = ''] of bundled.matchAll(/^import \{([^}]*)\} from "(node:[^"]+)";$/gm)) {
    const known = names.get(from) ?? new Set();
    for (const name of list.split(',')) known.add(name.trim().replace(/ as .*$/, ''));
    names.set(from, known);
  }
  // Of a namespace, only what others import by name would be there.
  const whole = /^import \* as .* from "node:.*$/m.exec(bundled);
  if (whole) throw new Error(`the client must import by name what it needs: ${whole[0]}`);
  return {
    name: 'import-once',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^node:/ }, ({ path }) =>
        names.has(path) ? { path, namespace: 'builtin', sideEffects: false } : { path, external: true },
      );
      onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => {
        const list = [...(names.get(path) ?? [])].sort().join(', ');
        // Too old a Node has no such function, and shall get as far as saying so.
        return { contents: `const { ${list} } = process.getBuiltinModule?.('${path}') ?? {}; export { ${list} };` };
      });
    },
  };
}
