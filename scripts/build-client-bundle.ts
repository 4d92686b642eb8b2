import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { toolVersion } from '../src/core/tool-version.ts';
import { bakedLine } from '../src/release/client-bundle.ts';

/** The bound of the contract: the client stays small enough to read over a phone line. */
export const maxBundleBytes = 250 * 1024;

/**
 * Bundles the client into one file that imports nothing but `node:*`. The same sources make the same bytes. Throws where it
 * imports anything else, or is too large.
 */
export async function buildClientBundle(output: string): Promise<{ readonly sizeBytes: number }> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL('../src/fetch-cli.ts', import.meta.url))],
    outfile: output,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    minify: true,
    legalComments: 'none',
    metafile: true,
    // The line that a release replaces stands in the banner, where the minifier leaves it alone.
    banner: { js: `// aircher ${toolVersion}, Apache-2.0\n${bakedLine}` },
    logLevel: 'warning',
  });
  const foreign = Object.values(result.metafile.outputs)
    .flatMap((file) => file.imports)
    .filter((entry) => !entry.path.startsWith('node:'));
  if (foreign.length > 0) throw new Error(`the client imports ${foreign.map((entry) => entry.path).join(', ')}`);
  const { size } = await stat(output);
  if (size > maxBundleBytes) throw new Error(`the client has ${size} bytes, more than ${maxBundleBytes}`);
  const lines = (await readFile(output, 'utf8')).split('\n');
  if (lines[2] !== bakedLine) throw new Error(`line 3 of the client is not ${bakedLine}`);
  return { sizeBytes: size };
}
