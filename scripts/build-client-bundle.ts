import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import { toolVersion } from '../src/core/tool-version.ts';
import { banner } from '../src/fetch/started-file.ts';
import { bakedLine } from '../src/release/documents/client-bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Above it the build warns. */
export const expectedBundleBytes = 640_000;

export interface BuiltBundle {
  readonly sizeBytes: number;
  /** As `gzip -9` has it. */
  readonly gzipBytes: number;
  /** The licences of the packages that it contains. */
  readonly notices: string;
}

/**
 * Bundles the client into one file that can be read, and imports nothing but `node:*`. The same
 * sources make the same bytes, wherever they lie. Throws where the file would import anything else.
 */
export async function buildClientBundle(output: string): Promise<BuiltBundle> {
  const [, bannerComment] = banner.split('\n');
  const { metafile, outputFiles } = await build({
    entryPoints: ['src/fetch-cli.ts'],
    outfile: output,
    write: false,
    metafile: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    charset: 'utf8',
    // The comments that tell where a part comes from are relative to it.
    absWorkingDir: root,
    // Where node_modules is a link, too.
    preserveSymlinks: true,
    // Behind the first line, `#!/usr/bin/env node`, which is the entry's.
    banner: { js: `${bannerComment}. Version ${toolVersion}, Apache-2.0.\n${bakedLine}` },
    logLevel: 'warning',
  });
  const foreign = Object.values(metafile.outputs)
    .flatMap((file) => file.imports)
    .filter((entry) => !entry.path.startsWith('node:'));
  if (foreign.length > 0) throw new Error(`the client imports ${foreign.map((entry) => entry.path).join(', ')}`);
  const notices = await licenceNotices(metafile);
  const bytes = Buffer.from(`${outputFiles[0]?.text}\n/*\n${notices}*/\n`);
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, bytes, { mode: 0o755 });
  return { sizeBytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length, notices };
}

/** Name, version and licence of every package of which something is in the bundle. */
async function licenceNotices({ outputs }: Metafile): Promise<string> {
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const folders = new Set(inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []));
  const notices = [...folders].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
    const text = await readFile(join(root, folder, 'LICENSE'), 'utf8');
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return `This file contains code of these packages.\n\n${(await Promise.all(notices)).join('\n')}`;
}
