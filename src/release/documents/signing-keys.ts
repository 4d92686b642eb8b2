import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { exists } from '../../core/read-files.ts';
import { requireGpgKey } from '../../trust/gpg.ts';
import { formatPublicKey } from '../../trust/minisign.ts';
import { releaseTag } from '../addresses.ts';
import type { Workspace } from '../workspace.ts';
import { findSigningKey } from './sign-release.ts';
import { minisignNames } from './signed-documents.ts';
import { readManifest } from './write-manifest.ts';

/**
 * Throws what `signRelease` would throw for want of a key, before anything is packed. Answers with
 * the public keys of which one signs: that of the key that is there, or those of release.json where
 * this release is signed already.
 */
export async function requireSigningKeys(config: ReleaseConfig, workspace: Workspace): Promise<readonly string[]> {
  const isSigned = await signedAlready(config, workspace);
  const { public_keys: keys = [], gpg_fingerprint: fingerprint } = config.signing ?? {};
  const { gpgKey, subprocess } = workspace.environment;
  if (fingerprint !== undefined && !(await isSigned('manifest.json.asc'))) {
    await requireGpgKey({ fingerprint, secretKey: gpgKey, environment: subprocess, signal: workspace.signal });
  }
  if ((await isSigned(minisignNames[0])) && (await isSigned(minisignNames[1]))) return keys;
  const key = await findSigningKey(config, workspace);
  return key === undefined ? [] : [formatPublicKey(key.publicKey)];
}

/**
 * Whether a signature lies beside a manifest of this very release: one of an earlier run, or of
 * another machine.
 */
async function signedAlready(config: ReleaseConfig, workspace: Workspace): Promise<(name: string) => Promise<boolean>> {
  const written = await readManifest(workspace).catch((error: unknown) => {
    if (error instanceof AircherError) return undefined;
    throw error;
  });
  const isOfThis = written?.manifest.release === releaseTag(config);
  return async (name) => isOfThis && (await exists(join(workspace.out, name)));
}
