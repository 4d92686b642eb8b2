import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { verifyGpgSignature } from '../../trust/gpg.ts';
import {
  checksumsDocument,
  manifestDocument,
  type SignedDocument,
  unsigned,
  verifyDocument,
} from '../documents/signed-documents.ts';
import type { Workspace } from '../workspace.ts';
import type { SeenTarget } from './look-at-target.ts';
import type { ReferenceManifest } from './reference-manifest.ts';
import type { VerifyFindings } from './verify-findings.ts';

interface SignatureKind {
  readonly name: string;
  /** Whether the release must have it. */
  readonly expected: boolean;
  /** Throws `integrity` for a bad signature; undefined where there is no key to check with. */
  readonly check: ((signature: Buffer) => Promise<void>) | undefined;
}

/**
 * The signatures beside a published manifest and its checksums, on each target: minisign's by the
 * keys that count for this release, GPG's by the fingerprint of release.json.
 */
export async function verifySignatures(
  config: ReleaseConfig,
  seen: readonly SeenTarget[],
  tag: string,
  release: ReferenceManifest & { readonly checksums: Buffer | undefined },
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-verify-'));
  try {
    // gpg checks files.
    const file = join(directory, 'manifest.json');
    await writeFile(file, release.bytes);
    const kinds = [minisign(manifestDocument(release.bytes), release)];
    if (release.checksums !== undefined) kinds.push(minisign(checksumsDocument(release.checksums, tag), release));
    for (const kind of [...kinds, gpg(config, file, workspace)]) {
      for (const one of seen) await verifyOne(one, kind, findings);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function verifyOne({ target, read }: SeenTarget, kind: SignatureKind, findings: VerifyFindings): Promise<void> {
  const signature = await read(kind.name);
  if (signature === undefined) {
    if (kind.expected) findings.file(target, kind.name, 'missing', `is missing: ${unsigned(kind.name)} there`);
    return;
  }
  if (kind.check === undefined) return findings.file(target, kind.name, 'not checked');
  try {
    await kind.check(signature);
    findings.file(target, kind.name, 'ok');
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    if (error.code === 'integrity') return findings.file(target, kind.name, 'bad signature', error.message);
    findings.file(target, kind.name, 'not checked');
    findings.fault(target, kind.name, `can't be checked: ${error.message}`, error.code, error.hint);
  }
}

function minisign(document: SignedDocument, { keys, mustBeSigned }: ReferenceManifest): SignatureKind {
  const name = `${document.name}.minisig`;
  const check = async (signature: Buffer): Promise<void> => {
    verifyDocument(document, signature, keys);
  };
  return { name, expected: mustBeSigned, check: keys.length === 0 ? undefined : check };
}

function gpg(config: ReleaseConfig, file: string, workspace: Workspace): SignatureKind {
  const name = 'manifest.json.asc';
  const fingerprint = config.signing?.gpg_fingerprint;
  if (fingerprint === undefined) return { name, expected: false, check: undefined };
  const { gpgKey, gpgPublicKey = gpgKey, subprocess } = workspace.environment;
  const check = (signature: Buffer): Promise<void> =>
    verifyGpgSignature({
      file,
      signature: signature.toString(),
      fingerprint,
      publicKey: gpgPublicKey,
      environment: subprocess,
      signal: workspace.signal,
    });
  return { name, expected: true, check };
}
