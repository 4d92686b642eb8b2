import { join } from 'node:path';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError, type Problem } from '../core/errors.ts';
import { readFileIfThere } from '../core/files.ts';
import { verifyGpgSignature } from '../trust/gpg.ts';
import { parsePublicKey, verifySignature } from '../trust/minisign.ts';
import { displayPath } from './load-config.ts';
import { manifestPath, type WrittenManifest } from './manifest.ts';
import type { Workspace } from './workspace.ts';

/** Whether the manifest is signed as release.json says: nothing goes public unsigned where keys are configured. */
export async function signatureProblems(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  return [...(await minisignProblems(config, written, workspace)), ...(await gpgProblems(config, written, workspace))];
}

export async function minisignProblems(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  if (!config.signing?.public_keys?.length) return [];
  return await signatureFileProblems('manifest.json.minisig', workspace, async (signature) => {
    await verifiesMinisign(signature, config, written);
  });
}

export async function gpgProblems(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  if (config.signing?.gpg_fingerprint === undefined) return [];
  return await signatureFileProblems('manifest.json.asc', workspace, async (signature) => {
    await verifiesGpg(signature, config, written, workspace);
  });
}

/** Whether a signature is by a key of release.json; false where it names none. Throws what is wrong with the signature. */
export async function verifiesMinisign(
  signature: Buffer,
  config: ReleaseConfig,
  written: WrittenManifest,
): Promise<boolean> {
  const keys = config.signing?.public_keys ?? [];
  if (keys.length === 0) return false;
  verifySignature(written.bytes, signature.toString(), keys.map(parsePublicKey));
  return true;
}

/** Likewise for GPG, over the manifest in the output directory. */
export async function verifiesGpg(
  signature: Buffer,
  config: ReleaseConfig,
  _written: WrittenManifest,
  workspace: Workspace,
): Promise<boolean> {
  const fingerprint = config.signing?.gpg_fingerprint;
  if (fingerprint === undefined) return false;
  const { gpgKey, gpgPublicKey = gpgKey, subprocess } = workspace.environment;
  await verifyGpgSignature({
    file: manifestPath(workspace),
    signature: signature.toString(),
    fingerprint,
    publicKey: gpgPublicKey,
    environment: subprocess,
    signal: workspace.signal,
  });
  return true;
}

async function signatureFileProblems(
  name: string,
  workspace: Workspace,
  verify: (signature: Buffer) => Promise<void>,
): Promise<readonly Problem[]> {
  const path = join(workspace.out, name);
  const place = { level: 'error', file: displayPath(workspace, path) } as const;
  const hint = 'Run `aircher-models sign` with the key that release.json names.';
  const signature = await readFileIfThere(path);
  if (signature === undefined)
    return [{ ...place, code: 'conflict', message: 'is not there: the manifest is not signed', hint }];
  try {
    await verify(signature);
    return [];
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    return [{ ...place, code: error.code, message: error.message, hint: error.hint ?? hint }];
  }
}
