import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { verifyGpgSignature } from '../../trust/gpg.ts';
import { displayPath } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';
import { readSignedDocuments, unsigned, verifyDocument } from './signed-documents.ts';
import { manifestPath, type WrittenManifest } from './write-manifest.ts';

/** Throws what is wrong with a signature. */
export type SignatureCheck = (signature: Buffer) => Promise<void>;

/**
 * The signatures that release.json asks for, by name, each with the check over the documents of the
 * output directory.
 */
export async function signatureChecks(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<ReadonlyMap<string, SignatureCheck>> {
  const checks = new Map<string, SignatureCheck>();
  const keys = config.signing?.public_keys ?? [];
  if (keys.length > 0) {
    for (const document of await readSignedDocuments(written, workspace)) {
      checks.set(`${document.name}.minisig`, async (signature) => {
        verifyDocument(document, signature, keys);
      });
    }
  }
  const fingerprint = config.signing?.gpg_fingerprint;
  if (fingerprint !== undefined) {
    const { gpgKey, gpgPublicKey = gpgKey, subprocess } = workspace.environment;
    checks.set('manifest.json.asc', (signature) =>
      verifyGpgSignature({
        file: manifestPath(workspace),
        signature: signature.toString(),
        fingerprint,
        publicKey: gpgPublicKey,
        environment: subprocess,
        signal: workspace.signal,
      }),
    );
  }
  return checks;
}

/**
 * Whether the release is signed as release.json says: nothing goes public unsigned where keys are
 * configured.
 */
export async function signatureProblems(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<readonly Problem[]> {
  const judged = await judgeSignatures(config, written, workspace);
  return [...judged.values()].filter((problem) => problem !== undefined);
}

/**
 * What is wrong with each signature that release.json asks for, by name; undefined where it is
 * good.
 */
export async function judgeSignatures(
  config: ReleaseConfig,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<ReadonlyMap<string, Problem | undefined>> {
  const judged = new Map<string, Problem | undefined>();
  for (const [name, check] of await signatureChecks(config, written, workspace)) {
    judged.set(name, await judge(name, check, workspace));
  }
  return judged;
}

async function judge(name: string, check: SignatureCheck, workspace: Workspace): Promise<Problem | undefined> {
  const path = join(workspace.out, name);
  const place = { level: 'error', file: displayPath(workspace, path) } as const;
  const hint = 'Run `aircher-models sign` with the key that release.json names.';
  const signature = await readFileIfThere(path);
  if (signature === undefined) return { ...place, code: 'conflict', message: `is not there: ${unsigned(name)}`, hint };
  try {
    await check(signature);
    return undefined;
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    return { ...place, code: error.code, message: error.message, hint: error.hint ?? hint };
  }
}
