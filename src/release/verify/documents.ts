import { type Checksum, parseChecksums } from '../../contract/checksums.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { AircherError } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { archiveName, indexName } from '../addresses.ts';
import { checksumsName } from '../checksums.ts';
import { bundleName } from '../client-bundle.ts';
import type { Workspace } from '../workspace.ts';
import { type ExpectedFile, judge } from './expected-files.ts';
import type { VerifyFindings } from './findings.ts';
import type { SeenTarget } from './look-at-target.ts';

export interface VerifiedDocuments {
  /** The one that all targets should have. */
  readonly checksums: Buffer | undefined;
  /** What checksums.sha256 says of aircher.mjs. */
  readonly bundleSha256: Sha256 | undefined;
}

/** checksums.sha256 against the manifest, the same on all targets, and aircher.mjs against it. */
export async function verifyDocuments(
  seen: readonly SeenTarget[],
  tag: string,
  manifest: Manifest,
  manifestSha256: Sha256,
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<VerifiedDocuments> {
  const found = await firstChecksums(seen, tag, workspace);
  if (found === undefined) {
    for (const { target } of seen) findings.file(target, checksumsName, 'missing');
    return { checksums: undefined, bundleSha256: undefined };
  }
  const { bytes } = found;
  const lines = readLines(found, findings);
  for (const fault of lines === undefined ? [] : lineFaults(lines, manifest, tag, manifestSha256)) {
    findings.fault(found.target, checksumsName, fault);
  }
  const bundleSha256 = lines?.find(({ name }) => name === bundleName)?.sha256;
  for (const one of seen) {
    const expected = { name: checksumsName, sizeBytes: bytes.length, sha256: sha256(bytes), url: undefined, bytes };
    await verifyDocument(one, expected, tag, findings, workspace);
    if (bundleSha256 !== undefined) await verifyBundle(one, bundleSha256, tag, findings, workspace);
  }
  return { checksums: bytes, bundleSha256 };
}

async function firstChecksums(
  seen: readonly SeenTarget[],
  tag: string,
  workspace: Workspace,
): Promise<(SeenTarget & { readonly bytes: Buffer }) | undefined> {
  for (const one of seen) {
    if (!one.inspection.files.some(({ name }) => name === checksumsName)) continue;
    const bytes = await one.target.readDocument(tag, checksumsName, workspace);
    if (bytes !== undefined) return { ...one, bytes };
  }
  return undefined;
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
    const format = entry.format ?? 'tar.gz';
    expected.set(archiveName(model, format), entry.sha256);
    if (entry.index) expected.set(indexName(model, format), entry.index.sha256);
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
  { target, inspection }: SeenTarget,
  expected: ExpectedFile & { readonly bytes: Buffer },
  tag: string,
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  const state = judge(expected, inspection);
  if (state !== 'no digest') return findings.file(target, expected.name, state);
  const stored = await target.readDocument(tag, expected.name, workspace);
  findings.file(target, expected.name, stored?.equals(expected.bytes) ? 'ok' : 'different');
}

async function verifyBundle(
  { target, inspection }: SeenTarget,
  expected: Sha256,
  tag: string,
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  const found = inspection.files.find(({ name }) => name === bundleName);
  if (found === undefined) return findings.file(target, bundleName, 'missing');
  if (found.state === 'unfinished') return findings.file(target, bundleName, 'unfinished');
  let digest = found.digest?.algorithm === 'sha256' ? found.digest.hex : undefined;
  if (digest === undefined) {
    const bytes = await target.readDocument(tag, bundleName, workspace);
    digest = bytes === undefined ? undefined : sha256(bytes);
  }
  findings.file(target, bundleName, digest === expected ? 'ok' : 'different');
}
