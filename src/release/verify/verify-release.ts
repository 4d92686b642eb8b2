import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import type { Problem } from '../../core/errors.ts';
import { plural } from '../../core/format.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Target } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';
import { verifyCarriedForward } from './carried-forward.ts';
import { verifyDocuments } from './documents.ts';
import { type DownloadReport, downloadAll } from './download-all.ts';
import { expectedFiles } from './expected-files.ts';
import type { DownloadPatience } from './hosts-client.ts';
import { judgeFile } from './judge-file.ts';
import { lookAtTargets, type SeenTarget } from './look-at-target.ts';
import { findReference } from './reference-manifest.ts';
import { verifySignatures } from './signatures.ts';
import { type VerifiedFile, VerifyFindings } from './verify-findings.ts';

export interface VerifyReport {
  readonly tag: string;
  readonly ok: boolean;
  /** One row a file and target. */
  readonly files: readonly VerifiedFile[];
  /** What was downloaded and hashed, where that was asked for. */
  readonly downloaded?: DownloadReport;
  readonly problems: readonly Problem[];
}

export interface VerifyOptions {
  /** A manifest that expires within so many days is a problem. */
  readonly expiresWithinDays?: number;
  /** Also downloads and hashes every byte of every artifact from every mirror. */
  readonly deep?: boolean;
  /** How patient those downloads are. */
  readonly patience?: DownloadPatience;
}

/** Small files of one target that are read at once. */
const parallelReads = 4;

/**
 * Compares a published release with its manifest, on every target, by the digests that the hosts
 * report; downloads the documents (manifest, checksums, signatures) and the small files of which
 * the Hub has no sha256. Models that are carried forward are looked for in the releases that
 * published them. Faults are problems: code `integrity` for mismatches, `remote` for a target that
 * can't be reached. Throws `invalid` where no target has the release, `remote` where none can be
 * reached.
 */
export async function verifyRelease(
  config: ReleaseConfig,
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const looks = await lookAtTargets(tag, targets, workspace);
  const { seen, unreachable } = looks;
  const findings = new VerifyFindings();
  const reference = await findReference(config, tag, targets, looks, findings, workspace);
  const { manifest, bytes } = reference;
  await Promise.all(seen.map((one) => verifyListed(one, tag, manifest, bytes, findings, workspace)));
  for (const { target, failure } of unreachable) {
    const names = expectedFiles(manifest, target.kind, tag, bytes).map(({ name }) => name);
    findings.cause(target, names, 'unreachable', tag, failure.message);
  }
  const whole = seen.filter(({ inspection }) => inspection.state === 'public');
  const documents = await verifyDocuments(whole, tag, { ...reference, sha256: sha256(bytes) }, findings);
  await verifySignatures(config, whole, tag, { ...reference, ...documents }, findings, workspace);
  const reachable = seen.map(({ target }) => target);
  await verifyCarriedForward(config, tag, manifest, reachable, findings, workspace);
  const downloaded = options.deep
    ? await downloadAll(config, tag, { ...reference, ...documents }, targets, findings, workspace, options.patience)
    : undefined;
  const expiry =
    options.expiresWithinDays === undefined ? [] : expiryProblems(manifest, tag, options.expiresWithinDays);
  const problems = [...findings.problems, ...expiry].sort((a, b) => rank(a) - rank(b));
  return {
    tag,
    ok: problems.length === 0,
    files: findings.files,
    ...(downloaded === undefined ? {} : { downloaded }),
    problems,
  };
}

/** What decides the exit code comes first: wrong bytes weigh more than a host that is down. */
function rank({ code }: Problem): number {
  return code === 'integrity' ? 0 : code === 'remote' ? 2 : 1;
}

async function verifyListed(
  { target, manifest: own, inspection }: SeenTarget,
  tag: string,
  manifest: Manifest,
  bytes: Buffer,
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<void> {
  const files = expectedFiles(manifest, target.kind, tag, bytes);
  if (inspection.state === 'absent') {
    const names = files.map(({ name }) => name);
    findings.cause(target, names, 'missing', tag, 'the release is not there');
    return;
  }
  if (inspection.state === 'draft') findings.fault(target, tag, 'the release is not public');
  if (own !== undefined && !own.equals(bytes)) {
    findings.file(target, 'manifest.json', 'different', 'differs from the one on another target');
  }
  await mapConcurrently(files, parallelReads, async (expected) => {
    const { state, detail } = await judgeFile(target, tag, expected, inspection, workspace);
    findings.file(target, expected.name, state, detail);
  });
}

/**
 * Clients refuse updates from a manifest that is past its `expires_at`: it must be renewed before.
 */
function expiryProblems(manifest: Manifest, tag: string, days: number): readonly Problem[] {
  if (manifest.expires_at === undefined) return [];
  const left = Math.floor((Date.parse(manifest.expires_at) - Date.now()) / 86_400_000);
  if (left >= days) return [];
  return [
    {
      level: 'error',
      code: left < 0 ? 'integrity' : 'invalid',
      file: `manifest.json of ${tag}`,
      path: '$.expires_at',
      message:
        left < 0
          ? `expired at ${manifest.expires_at}: clients take no updates from it`
          : `expires at ${manifest.expires_at}, in ${plural(left, 'day')}`,
      hint: 'Raise "release" in release.json and run `aircher-models release`: models are carried forward, the expiry is renewed.',
    },
  ];
}
