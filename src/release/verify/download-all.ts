import type { Manifest } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import { plural } from '../../core/format.ts';
import { sha256 } from '../../core/hashing.ts';
import type { Http } from '../../http/http-client.ts';
import { hostOf } from '../../http/remote-error.ts';
import type { Target } from '../../targets/target.ts';
import { fileUrl } from '../addresses.ts';
import { bundleName } from '../documents/client-bundle.ts';
import { checksumsName } from '../documents/write-checksums.ts';
import type { Workspace } from '../workspace.ts';
import type { VerifiedDocuments } from './documents.ts';
import { expectedOfModel } from './expected-files.ts';
import { hashRemote, type RemoteFile } from './hash-remote.ts';
import { createHostsClient, type DownloadPatience } from './hosts-client.ts';
import type { VerifyFindings } from './verify-findings.ts';

/** Downloads at once from one host; hosts don't wait for each other. */
const parallelPerHost = 3;
/** Files in a row that a host doesn't give, after which the rest isn't asked for. */
const maxUnreachable = 3;

export interface DownloadReport {
  readonly file_count: number;
  readonly bytes: number;
}

/**
 * Downloads and hashes every byte of every artifact from every mirror, as clients get them: models
 * of this release and carried forward, indexes, raw files, and the documents.
 */
export async function downloadAll(
  config: ReleaseConfig,
  tag: string,
  release: { readonly manifest: Manifest; readonly bytes: Buffer } & VerifiedDocuments,
  targets: readonly Target[],
  findings: VerifyFindings,
  workspace: Workspace,
  patience: DownloadPatience = {},
): Promise<DownloadReport> {
  const http = createHostsClient(config, workspace, patience);
  try {
    const jobs = targets.flatMap((target) =>
      [...modelFiles(release.manifest, target), ...documents(config, tag, release, target)].map((file) => ({
        target,
        file,
      })),
    );
    const hosts = new Set(jobs.map(({ file }) => placed(file, http)));
    const came = await Promise.all(
      [...hosts].map((host) =>
        downloadHost(
          host,
          jobs.filter(({ file }) => placed(file, http) === host),
          http,
          findings,
          workspace,
        ),
      ),
    );
    const sum = (key: keyof DownloadReport): number => came.reduce((total, host) => total + host[key], 0);
    return { file_count: sum('file_count'), bytes: sum('bytes') };
  } finally {
    http.close();
  }
}

function placed(file: RemoteFile, http: Http): string {
  return hostOf(http.place(file.url, file.kind));
}

/** Everything of one host. One that is down is given up soon. Answers with what came. */
async function downloadHost(
  host: string,
  jobs: readonly { readonly target: Target; readonly file: RemoteFile }[],
  http: Http,
  findings: VerifyFindings,
  workspace: Workspace,
): Promise<DownloadReport> {
  let file_count = 0;
  let bytes = 0;
  let unreachable = 0;
  await mapConcurrently(jobs, parallelPerHost, async ({ target, file }) => {
    if (unreachable >= maxUnreachable) {
      return findings.file(
        target,
        file.name,
        'unreachable',
        `${host}: not asked any more, as it did not answer before`,
      );
    }
    const result = await hashRemote(file, http, workspace);
    unreachable = result.state === 'unreachable' ? unreachable + 1 : 0;
    bytes += result.bytes;
    if (result.state === 'ok' || result.state === 'different') file_count++;
    findings.file(target, file.name, result.state, result.detail);
  });
  workspace.onEvent?.({ type: 'done', task: 'verify', subject: host, detail: plural(file_count, 'file') });
  return { file_count, bytes };
}

function modelFiles(manifest: Manifest, { kind }: Target): readonly RemoteFile[] {
  return Object.entries(manifest.models).flatMap(([model, entry]) =>
    expectedOfModel(model, entry, kind).flatMap(({ name, url, sizeBytes, sha256: digest }) =>
      url === undefined ? [] : [{ kind, name, url, sizeBytes, sha256: digest }],
    ),
  );
}

function documents(
  config: ReleaseConfig,
  tag: string,
  release: { readonly bytes: Buffer } & VerifiedDocuments,
  { kind }: Target,
): readonly RemoteFile[] {
  const file = (name: string, sizeBytes: number | undefined, digest: string): RemoteFile => ({
    kind,
    name,
    url: fileUrl(config, kind, tag, name),
    sizeBytes,
    sha256: digest,
  });
  const { bytes, checksums, bundleSha256 } = release;
  return [
    file('manifest.json', bytes.length, sha256(bytes)),
    ...(checksums === undefined ? [] : [file(checksumsName, checksums.length, sha256(checksums))]),
    ...(bundleSha256 === undefined ? [] : [file(bundleName, undefined, bundleSha256)]),
  ];
}
