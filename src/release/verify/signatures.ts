import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError } from '../../core/errors.ts';
import { warn } from '../../core/events.ts';
import { verifyGpgSignature } from '../../trust/gpg.ts';
import {
  checksumsDocument,
  manifestDocument,
  type SignedDocument,
  unsigned,
  verifyDocument,
} from '../signed-documents.ts';
import type { Workspace } from '../workspace.ts';
import type { VerifyFindings } from './findings.ts';
import type { SeenTarget } from './look-at-target.ts';

interface SignatureKind {
  readonly name: string;
  /** Whether the release must have it. */
  readonly expected: boolean;
  /** Throws `integrity` for a bad signature; undefined where there is no key to check with. */
  readonly check: ((signature: Buffer, place: string) => Promise<void>) | undefined;
}

/**
 * The signatures beside a published manifest and its checksums, on each target: minisign's by the keys of release.json, or else those
 * that the manifest itself announces (an older release may be signed by a key that release.json no longer has); GPG's by the
 * fingerprint of release.json.
 */
export async function verifySignatures(
  seen: readonly SeenTarget[],
  tag: string,
  release: {
    readonly config: ReleaseConfig;
    readonly manifest: Manifest;
    readonly bytes: Buffer;
    readonly checksums: Buffer | undefined;
  },
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aircher-verify-'));
  try {
    // gpg checks files.
    const file = join(directory, 'manifest.json');
    await writeFile(file, release.bytes);
    const kinds = [minisign(manifestDocument(release.bytes), release, workspace)];
    if (release.checksums !== undefined) {
      kinds.push(minisign(checksumsDocument(release.checksums, tag), release, workspace));
    }
    for (const kind of [...kinds, gpg(release.config, file, workspace)]) {
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
    await kind.check(signature, target.place);
    findings.file(target, kind.name, 'ok');
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    if (error.code === 'integrity') return findings.file(target, kind.name, 'bad signature', error.message);
    findings.file(target, kind.name, 'not checked');
    findings.fault(target, kind.name, `can't be checked: ${error.message}`, error.code, error.hint);
  }
}

function minisign(
  document: SignedDocument,
  { config, manifest }: { readonly config: ReleaseConfig; readonly manifest: Manifest },
  workspace: Workspace,
): SignatureKind {
  const name = `${document.name}.minisig`;
  const own = config.signing?.public_keys ?? [];
  const announced = manifest.signing?.public_keys ?? [];
  if (own.length + announced.length === 0) return { name, expected: false, check: undefined };
  const check = async (signature: Buffer, place: string): Promise<void> => {
    if (own.length === 0) {
      verifyDocument(document, signature, announced);
      return;
    }
    try {
      verifyDocument(document, signature, own);
    } catch (error) {
      const others = announced.filter((key) => !own.includes(key));
      if (others.length === 0) throw error;
      const keyId = verifyDocument(document, signature, others);
      warn(workspace, {
        file: `${place} ${name}`,
        message: `is by key ${keyId}, which the manifest announces and release.json does not`,
        hint: 'That is right for a release from before a change of keys; else look into it.',
      });
    }
  };
  return { name, expected: true, check };
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
