import { createHash } from 'node:crypto';
import type { HostKind } from '../contract/fields.ts';
import { type Manifest, parseManifest } from '../contract/manifest.ts';
import { AircherError, type Problem } from '../core/errors.ts';
import { plural } from '../core/format.ts';
import { type Sha256, sha256 } from '../core/hashing.ts';
import type { InspectedFile, Target, TargetInspection } from '../targets/target.ts';
import { archiveName, indexName } from './addresses.ts';
import type { Workspace } from './workspace.ts';

export type VerifyState = 'ok' | 'missing' | 'different' | 'unfinished' | 'no digest';

export interface VerifyReport {
  readonly tag: string;
  readonly ok: boolean;
  /** One row a file and target. */
  readonly files: readonly { readonly target: HostKind; readonly name: string; readonly state: VerifyState }[];
  readonly problems: readonly Problem[];
}

export interface VerifyOptions {
  /** A manifest that expires within so many days is a problem. */
  readonly expiresWithinDays?: number;
}

/**
 * Compares a published release with its manifest by the digests that the hosts report; downloads nothing but the manifest. Throws
 * `invalid` where no target has the release.
 */
export async function verifyRelease(
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const seen = await Promise.all(
    targets.map(async (target) => ({
      target,
      bytes: await target.readDocument(tag, 'manifest.json', workspace),
      inspection: await target.inspect(tag, workspace),
    })),
  );
  const reference = seen.find((entry) => entry.bytes !== undefined)?.bytes;
  if (reference === undefined) {
    throw new AircherError(
      'invalid',
      `${tag} is published at none of ${targets.map((target) => target.place).join(', ')}`,
      {
        hint: 'See `aircher-models status` for what is there.',
      },
    );
  }
  const manifest = parseManifest(reference, `manifest.json of ${tag}`);
  const files: VerifyReport['files'][number][] = [];
  const problems: Problem[] = [];
  for (const { target, bytes, inspection } of seen) {
    if (inspection.state !== 'public') {
      problems.push(
        problem(target, tag, inspection.state === 'absent' ? 'the release is not there' : 'the release is not public'),
      );
    }
    for (const expected of expectedFiles(manifest, target.kind, tag, reference)) {
      const state = judge(expected, inspection);
      files.push({ target: target.kind, name: expected.name, state });
      if (state !== 'ok' && state !== 'no digest') problems.push(problem(target, expected.name, `is ${state}`));
    }
    if (bytes !== undefined && !bytes.equals(reference))
      problems.push(problem(target, 'manifest.json', 'differs between the targets'));
  }
  if (options.expiresWithinDays !== undefined)
    problems.push(...expiryProblems(manifest, tag, options.expiresWithinDays));
  return { tag, ok: problems.length === 0, files, problems };
}

/** Clients refuse updates from a manifest that is past its `expires_at`: it must be renewed before. */
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

function problem(target: Target, file: string, message: string): Problem {
  return { level: 'error', code: 'integrity', file: `${target.place} ${file}`, message };
}

interface ExpectedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: Sha256;
  /** Where the bytes are known, the digests of other algorithms follow from them. */
  readonly bytes?: Buffer;
}

/** What the manifest promises of one target under its own tag. */
function expectedFiles(manifest: Manifest, kind: HostKind, tag: string, bytes: Buffer): readonly ExpectedFile[] {
  const files: ExpectedFile[] = [{ name: 'manifest.json', sizeBytes: bytes.length, sha256: sha256(bytes), bytes }];
  for (const [name, entry] of Object.entries(manifest.models)) {
    if (entry.release !== tag || entry.download_urls[kind] === undefined) continue;
    const format = entry.format ?? 'tar.gz';
    files.push({ name: archiveName(name, format), sizeBytes: entry.size_bytes, sha256: entry.sha256 });
    if (entry.index)
      files.push({ name: indexName(name, format), sizeBytes: entry.index.size_bytes, sha256: entry.index.sha256 });
    for (const file of entry.files ?? []) {
      if (file.download_urls?.[kind] === undefined) continue;
      files.push({ name: `${name}/${file.path}`, sizeBytes: file.size_bytes, sha256: file.sha256 });
    }
  }
  return files;
}

function judge(expected: ExpectedFile, inspection: TargetInspection): VerifyState {
  const found = inspection.files.find((file) => file.name === expected.name);
  if (found === undefined) return 'missing';
  if (found.state === 'unfinished') return 'unfinished';
  if (found.sizeBytes !== expected.sizeBytes) return 'different';
  return digestVerdict(found.digest, expected);
}

function digestVerdict(digest: InspectedFile['digest'], expected: ExpectedFile): VerifyState {
  if (digest?.algorithm === 'sha256') return digest.hex === expected.sha256 ? 'ok' : 'different';
  if (digest?.algorithm === 'git-blob' && expected.bytes) {
    return digest.hex === gitBlobId(expected.bytes) ? 'ok' : 'different';
  }
  return 'no digest';
}

/** The id that git gives to these bytes as a file. [git-hash-object] */
function gitBlobId(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
