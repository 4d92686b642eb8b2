import { artifactsOf } from '../../contract/artifacts.ts';
import { type Checksum, parseChecksums } from '../../contract/checksums.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { AircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { bundleName } from '../documents/client-bundle.ts';
import { checksumsDocument, isWellSigned } from '../documents/signed-documents.ts';
import { checksumsName } from '../documents/write-checksums.ts';
import { type ExpectedFile, judge } from './expected-files.ts';
import type { SeenTarget } from './look-at-target.ts';
import type { VerifyFindings } from './verify-findings.ts';

export interface VerifiedDocuments {
  /** The one that all targets should have. */
  readonly checksums: Buffer | undefined;
  /** What checksums.sha256 says of aircher.mjs. */
  readonly bundleSha256: Sha256 | undefined;
}

/**
 * checksums.sha256 against the manifest, the same on all targets, and aircher.mjs against it. Their
 * signature is checked elsewhere.
 */
export async function verifyDocuments(
  seen: readonly SeenTarget[],
  tag: string,
  release: { readonly manifest: Manifest; readonly sha256: Sha256; readonly keys: readonly string[] },
  findings: VerifyFindings,
): Promise<VerifiedDocuments> {
  const found = await findChecksums(seen, tag, release.keys);
  if (found === undefined) {
    for (const { target } of seen) findings.file(target, checksumsName, 'missing');
    return { checksums: undefined, bundleSha256: undefined };
  }
  const { bytes } = found;
  const lines = readLines(found, findings);
  for (const fault of lines === undefined ? [] : lineFaults(lines, release.manifest, tag, release.sha256)) {
    findings.fault(found.target, checksumsName, fault);
  }
  const bundleSha256 = lines?.find(({ name }) => name === bundleName)?.sha256;
  for (const one of seen) {
    const expected = { name: checksumsName, sizeBytes: bytes.length, sha256: sha256(bytes), url: undefined, bytes };
    await verifyDocument(one, expected, findings);
    if (bundleSha256 !== undefined) await verifyBundle(one, bundleSha256, findings);
  }
  return { checksums: bytes, bundleSha256 };
}

/**
 * Those that are well signed, so that a target with others is the one to blame; where none are,
 * those of the first target.
 */
async function findChecksums(
  seen: readonly SeenTarget[],
  tag: string,
  keys: readonly string[],
): Promise<(SeenTarget & { readonly bytes: Buffer }) | undefined> {
  let first: (SeenTarget & { readonly bytes: Buffer }) | undefined;
  for (const one of seen) {
    const bytes = await one.read(checksumsName);
    if (bytes === undefined) continue;
    first ??= { ...one, bytes };
    if (keys.length === 0) break;
    const signature = await one.read(`${checksumsName}.minisig`);
    if (signature !== undefined && isWellSigned(checksumsDocument(bytes, tag), signature, keys))
      return { ...one, bytes };
  }
  return first;
}

function readLines(
  { target, bytes }: SeenTarget & { readonly bytes: Buffer },
  findings: VerifyFindings,
): readonly Checksum[] | undefined {
  try {
    return parseChecksums(bytes.toString(), checksumsName);
  } catch (error) {
    if (!(error instanceof AircherError)) throw error;
    findings.fault(target, checksumsName, error.message);
    return undefined;
  }
}

/** What is wrong in checksums.sha256: it lists what was made in this release, and nothing else. */
export function lineFaults(
  lines: readonly Checksum[],
  manifest: Manifest,
  tag: string,
  manifestSha256: Sha256,
): readonly string[] {
  const expected = new Map<string, Sha256 | undefined>([
    ['manifest.json', manifestSha256],
    [bundleName, undefined],
  ]);
  for (const [model, entry] of Object.entries(manifest.models)) {
    if (entry.release !== tag) continue;
    for (const { name, sha256: digest } of artifactsOf(model, entry)) expected.set(name, digest);
  }
  const faults: string[] = [];
  const listed = new Map(lines.map(({ name, sha256: digest }) => [name, digest]));
  for (const [name, digest] of expected) {
    const found = listed.get(name);
    if (found === undefined) faults.push(`has no line of ${name}`);
    else if (digest !== undefined && found !== digest) faults.push(`has another sha256 of ${name} than the manifest`);
  }
  for (const name of listed.keys())
    if (!expected.has(name)) faults.push(`lists ${name}, which the manifest does not have`);
  return faults;
}

/** By the host's digest; where it has none, by the bytes. */
async function verifyDocument(
  { target, inspection, read }: SeenTarget,
  expected: ExpectedFile & { readonly bytes: Buffer },
  findings: VerifyFindings,
): Promise<void> {
  const state = judge(expected, inspection);
  if (state !== 'no digest') return findings.file(target, expected.name, state);
  const stored = await read(expected.name);
  findings.file(target, expected.name, stored?.equals(expected.bytes) ? 'ok' : 'different');
}

async function verifyBundle(
  { target, inspection, read }: SeenTarget,
  expected: Sha256,
  findings: VerifyFindings,
): Promise<void> {
  const found = inspection.files.find(({ name }) => name === bundleName);
  if (found === undefined) return findings.file(target, bundleName, 'missing');
  if (found.state === 'unfinished') return findings.file(target, bundleName, 'unfinished');
  let digest = found.digest?.algorithm === 'sha256' ? found.digest.hex : undefined;
  if (digest === undefined) {
    const bytes = await read(bundleName);
    digest = bytes === undefined ? undefined : sha256(bytes);
  }
  findings.file(target, bundleName, digest === expected ? 'ok' : 'different');
}
