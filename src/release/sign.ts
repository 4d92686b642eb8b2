import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError } from '../core/errors.ts';
import { readFileIfThere, writeFileAtomically } from '../core/files.ts';
import { signWithGpg } from '../trust/gpg.ts';
import { formatPublicKey } from '../trust/minisign.ts';
import { loadSecretKey } from '../trust/secret-key.ts';
import { manifestTrustedComment, signMessage } from '../trust/sign.ts';
import { manifestPath, type WrittenManifest } from './manifest.ts';
import { gpgProblems, minisignProblems } from './signature-check.ts';
import type { Workspace } from './workspace.ts';

export interface SignReport {
  /** Names of the signature files that stand beside the manifest now. */
  readonly signatures: readonly string[];
}

/**
 * Signs manifest.json with the keys that are there: manifest.json.minisig (Ed25519) and manifest.json.asc (GPG). A signature that
 * is good already stays; one over another manifest goes. Throws `conflict` where release.json names keys and none that matches
 * is there.
 */
export async function signManifest(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<SignReport> {
  const signatures: string[] = [];
  if (await minisign(config, written, workspace)) signatures.push('manifest.json.minisig');
  if (await gpgSign(config, written, workspace)) signatures.push('manifest.json.asc');
  return { signatures };
}

async function minisign(config: ReleaseConfig, written: WrittenManifest, workspace: Workspace): Promise<boolean> {
  const path = join(workspace.out, 'manifest.json.minisig');
  const keys = config.signing?.public_keys ?? [];
  const { signingKey, signingPassword } = workspace.environment;
  if (keys.length > 0 && (await minisignProblems(config, written, workspace)).length === 0) return true;
  if (signingKey === undefined) {
    if (keys.length > 0) {
      throw new AircherError('conflict', 'release.json names public keys, and there is no signing key', {
        hint: 'Set AIRCHER_SIGNING_KEY to the secret key, or to the path of its file.',
      });
    }
    await rm(path, { force: true });
    return false;
  }
  const key = await loadSecretKey(signingKey, { password: signingPassword });
  const publicKey = formatPublicKey(key.publicKey);
  if (!keys.includes(publicKey)) {
    throw new AircherError('conflict', `the signing key is that of ${publicKey}, which release.json does not name`, {
      hint: 'Add it to signing.public_keys in release.json, or sign with the key that is named there.',
    });
  }
  const trustedComment = manifestTrustedComment(written.manifest);
  await writeFileAtomically(path, signMessage(written.bytes, key, { trustedComment }));
  return true;
}

async function gpgSign(config: ReleaseConfig, written: WrittenManifest, workspace: Workspace): Promise<boolean> {
  const path = join(workspace.out, 'manifest.json.asc');
  const fingerprint = config.signing?.gpg_fingerprint;
  const { gpgKey, gpgPassphrase, subprocess } = workspace.environment;
  if (fingerprint === undefined && gpgKey === undefined) {
    await rm(path, { force: true });
    return false;
  }
  const there = await readFileIfThere(path);
  if (there && fingerprint && (await gpgProblems(config, written, workspace)).length === 0) return true;
  const { signature } = await signWithGpg({
    file: manifestPath(workspace),
    secretKey: gpgKey,
    fingerprint,
    passphrase: gpgPassphrase,
    environment: subprocess,
    signal: workspace.signal,
  });
  await writeFileAtomically(path, signature);
  return true;
}
