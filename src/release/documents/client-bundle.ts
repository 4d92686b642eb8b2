import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { manifestSources } from '../addresses.ts';
import type { Workspace } from '../workspace.ts';

export const bundleName = 'aircher.mjs';

/** The line of the built bundle that a release replaces by its own values. */
export const bakedLine = 'var AIRCHER_BAKED=null;';

/** The client that goes with a release. */
export interface ClientBundle {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: Sha256;
}

/**
 * Writes aircher.mjs with the namespace, manifest sources and public keys of this release baked in.
 * Throws `unexpected` where the package's own bundle is missing (in a checkout: `npm run build`
 * makes it).
 */
export async function writeClientBundle(config: ReleaseConfig, workspace: Workspace): Promise<ClientBundle> {
  const template = await readTemplate();
  const baked = {
    namespace: config.namespace,
    manifest_sources: manifestSources(config),
    public_keys: config.signing?.public_keys ?? [],
  };
  const path = join(workspace.out, bundleName);
  const bytes = Buffer.from(template.replace(bakedLine, () => `var AIRCHER_BAKED=${JSON.stringify(baked)};`));
  await writeFileAtomically(path, bytes, { mode: 0o777 });
  return { path, sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/** Reads the bundle that an earlier step wrote. Throws `invalid` where there is none. */
export async function readClientBundle(workspace: Workspace): Promise<ClientBundle> {
  const path = join(workspace.out, bundleName);
  const bytes = await readFileIfThere(path);
  if (bytes === undefined) {
    throw new AircherError('invalid', `${path} is not there`, { hint: 'Run `aircher-models manifest` first.' });
  }
  return { path, sizeBytes: bytes.length, sha256: sha256(bytes) };
}

/**
 * The bundle as the build made it: in the package `aircher`, which is beside the built code, or in
 * dist/ of a checkout.
 */
async function readTemplate(): Promise<string> {
  for (const place of ['../../client/aircher.mjs', '../../../dist/client/aircher.mjs']) {
    const bytes = await readFileIfThere(fileURLToPath(new URL(place, import.meta.url)));
    const text = bytes?.toString();
    if (text?.includes(bakedLine)) return text;
  }
  throw new AircherError('unexpected', 'the built client aircher.mjs is missing from this package', {
    hint: 'In a checkout, run `npm run build` first.',
  });
}
