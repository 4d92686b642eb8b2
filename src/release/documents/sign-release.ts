import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { signWithGpg } from '../../trust/gpg.ts';
import { formatPublicKey } from '../../trust/minisign.ts';
import { loadSecretKey, type SecretKey } from '../../trust/secret-key.ts';
import { signMessage, trustedCommentOf } from '../../trust/sign-message.ts';
import type { Workspace } from '../workspace.ts';
import { judgeSignatures } from './signature-check.ts';
import { minisignNames, readSignedDocuments } from './signed-documents.ts';
import { checksumsName } from './write-checksums.ts';
import { manifestPath, type WrittenManifest } from './write-manifest.ts';

export interface SignReport {
  /** Names of the signature files that stand beside the documents now. */
  readonly signatures: readonly string[];
}

/**
 * Signs with the keys that are there: the manifest and the checksums (and so the client file) in
 * minisign's format, the manifest by GPG. A signature that is good already stays; one over other
 * bytes goes. Throws `conflict` where release.json names keys and none that matches is there.
 */
export async function signRelease(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<SignReport> {
  const judged = await judgeSignatures(config, written, workspace);
  const good = new Set([...judged].flatMap(([name, problem]) => (problem === undefined ? [name] : [])));
  const signatures: string[] = [];
  if (await minisign(config, written, good, workspace)) signatures.push(...minisignNames);
  if (await gpgSign(config, good, workspace)) signatures.push('manifest.json.asc');
  return { signatures };
}

/**
 * The key that signs; undefined where release.json names none and none is given. Throws `conflict`
 * where it is missing, not named, or has another password.
 */
export async function findSigningKey(config: ReleaseConfig, workspace: Workspace): Promise<SecretKey | undefined> {
  const keys = config.signing?.public_keys ?? [];
  const { signingKey, signingPassword } = workspace.environment;
  if (signingKey === undefined) {
    if (keys.length === 0) return undefined;
    throw new AircherError('conflict', 'release.json names public keys, and there is no signing key', {
      hint: 'Set AIRCHER_SIGNING_KEY to the secret key, or to the path of its file.',
    });
  }
  const key = await loadSecretKey(signingKey, { password: signingPassword, onEvent: workspace.onEvent });
  const publicKey = formatPublicKey(key.publicKey);
  if (keys.includes(publicKey)) return key;
  throw new AircherError('conflict', `the signing key is that of ${publicKey}, which release.json does not name`, {
    hint: 'Add it to signing.public_keys in release.json, or sign with the key that is named there.',
  });
}

async function minisign(
  config: ReleaseConfig,
  written: WrittenManifest,
  good: ReadonlySet<string>,
  workspace: Workspace,
): Promise<boolean> {
  if (minisignNames.every((name) => good.has(name))) return true;
  const key = await findSigningKey(config, workspace);
  if (key === undefined) {
    for (const name of minisignNames) await rm(join(workspace.out, name), { force: true });
    return false;
  }
  const documents = await readSignedDocuments(written, workspace);
  if (documents.length < minisignNames.length) {
    throw new AircherError('invalid', `${join(workspace.out, checksumsName)} is not there`, {
      hint: 'Run `aircher-models checksums` first: it is signed too.',
    });
  }
  for (const { name, bytes } of documents) {
    const signature = `${name}.minisig`;
    if (good.has(signature)) continue;
    const trustedComment = trustedCommentOf(name, written.manifest);
    await writeFileAtomically(join(workspace.out, signature), signMessage(bytes, key, { trustedComment }));
  }
  return true;
}

async function gpgSign(config: ReleaseConfig, good: ReadonlySet<string>, workspace: Workspace): Promise<boolean> {
  const name = 'manifest.json.asc';
  const path = join(workspace.out, name);
  const fingerprint = config.signing?.gpg_fingerprint;
  const { gpgKey, gpgPassphrase, subprocess } = workspace.environment;
  if (fingerprint === undefined && gpgKey === undefined) {
    await rm(path, { force: true });
    return false;
  }
  if (good.has(name)) return true;
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
