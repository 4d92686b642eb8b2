import { createHash } from 'node:crypto';
import { artifactsOf } from '../../contract/artifacts.ts';
import type { HostKind } from '../../contract/fields.ts';
import type { Manifest, ManifestModel } from '../../contract/manifest.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import type { InspectedFile, TargetInspection } from '../../targets/target.ts';

/**
 * How a file of a release stands on a target. `no digest`: it is there with the right size, and the
 * host reports no digest that the manifest's could be compared with. `not checked`: nothing here
 * can tell.
 */
export type VerifyState =
  | 'ok'
  | 'missing'
  | 'different'
  | 'unfinished'
  | 'bad signature'
  | 'no digest'
  | 'not checked'
  | 'unreachable';

/** States that are faults of the release. */
export const faultyStates: ReadonlySet<VerifyState> = new Set(['missing', 'different', 'unfinished', 'bad signature']);

/** A file that a manifest promises. */
export interface ExpectedFile {
  /** As on GitHub and the mirror; the path on the Hub. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: Sha256;
  /** Where the manifest says that clients find it. */
  readonly url: string | undefined;
  /** Where the bytes are known, the digests of other algorithms follow from them. */
  readonly bytes?: Buffer;
}

/** The manifest itself, and what it promises of one target under its own tag. */
export function expectedFiles(manifest: Manifest, kind: HostKind, tag: string, bytes: Buffer): readonly ExpectedFile[] {
  return [
    { name: 'manifest.json', sizeBytes: bytes.length, sha256: sha256(bytes), url: undefined, bytes },
    ...Object.entries(manifest.models)
      .filter(([, entry]) => entry.release === tag)
      .flatMap(([name, entry]) => expectedOfModel(name, entry, kind)),
  ];
}

/**
 * Artifacts and raw files of one entry on one kind of host: none where it has no URL there.
 */
export function expectedOfModel(model: string, entry: ManifestModel, kind: HostKind): readonly ExpectedFile[] {
  if (entry.download_urls[kind] === undefined) return [];
  const file = (name: string, of: { size_bytes: number; sha256: string }, at: string | undefined): ExpectedFile => ({
    name,
    sizeBytes: of.size_bytes,
    sha256: of.sha256,
    url: at,
  });
  const files = artifactsOf(model, entry).map((artifact) =>
    file(artifact.name, artifact, artifact.download_urls[kind]),
  );
  for (const raw of entry.files ?? []) {
    const at = raw.download_urls?.[kind];
    if (at === undefined) continue;
    files.push(file(`${model}/${raw.path}`, raw, at));
    // What a plain Hub client asks for stands beside the folder.
    const suffix = `/${model}/model.safetensors`;
    if (raw.path === 'model.safetensors' && at.endsWith(suffix)) {
      files.push(file(`${model}.safetensors`, raw, `${at.slice(0, -suffix.length)}/${model}.safetensors`));
    }
  }
  return files;
}

/** What the host's report says of an expected file. */
export function judge(expected: ExpectedFile, inspection: TargetInspection): VerifyState {
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
