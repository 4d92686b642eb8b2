import type { ManifestModel } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { mapConcurrently } from '../../core/concurrency.ts';
import type { Problem } from '../../core/errors.ts';
import type { Http } from '../../http/http-client.ts';
import type { Target, TargetInspection } from '../../targets/target.ts';
import { type ExpectedFile, expectedOfModel, judge, type VerifyState } from '../verify/expected-files.ts';
import { hashRemote } from '../verify/hash-remote.ts';
import { createHostsClient } from '../verify/hosts-client.ts';
import type { Workspace } from '../workspace.ts';

/** A file of a carried model that a host hasn't as its entry says. */
export interface CarriedFault {
  readonly target: Target;
  readonly name: string;
  readonly state: Exclude<VerifyState, 'ok'>;
}

/** Looks at carried models on the hosts. What a host shows of a release is asked once. */
export interface CarriedFiles {
  /**
   * What is wrong by sizes and by the digests that hosts report. A file of which a host reports
   * none passes.
   */
  faults(model: string, entry: ManifestModel): Promise<readonly CarriedFault[]>;
  /** Likewise, and what a host reports no digest of is downloaded and hashed. */
  provenFaults(model: string, entry: ManifestModel): Promise<readonly CarriedFault[]>;
}

const parallelDownloads = 4;

export function carriedFiles(config: ReleaseConfig, targets: readonly Target[], workspace: Workspace): CarriedFiles {
  const looks = new Map<string, Promise<TargetInspection>>();
  const look = (target: Target, tag: string): Promise<TargetInspection> => {
    const key = `${target.kind} ${tag}`;
    const answer = looks.get(key) ?? target.inspect(tag, workspace);
    looks.set(key, answer);
    return answer;
  };
  const judged = async (model: string, entry: ManifestModel) => {
    const byTarget = await Promise.all(
      targets.map(async (target) => {
        const files = expectedOfModel(model, entry, target.kind);
        if (files.length === 0) return [];
        const inspection = await look(target, entry.release ?? '');
        const isPublic = inspection.state === 'public';
        return files.map((file) => ({ target, file, state: isPublic ? judge(file, inspection) : 'missing' }) as const);
      }),
    );
    return byTarget.flat();
  };
  return {
    faults: async (model, entry) =>
      (await judged(model, entry)).flatMap(({ target, file, state }) =>
        state === 'ok' || state === 'no digest' ? [] : [{ target, name: file.name, state }],
      ),
    provenFaults: async (model, entry) => {
      const rows = await judged(model, entry);
      if (rows.every(({ state }) => state === 'ok')) return [];
      const http = createHostsClient(config, workspace);
      try {
        const proven = await mapConcurrently(rows, parallelDownloads, async ({ target, file, state }) =>
          state === 'ok'
            ? []
            : [
                {
                  target,
                  name: file.name,
                  state: state === 'no digest' ? await download(target, file, http, workspace) : state,
                },
              ],
        );
        return proven.flat().flatMap(({ state, ...fault }) => (state === 'ok' ? [] : [{ ...fault, state }]));
      } finally {
        http.close();
      }
    },
  };
}

async function download(target: Target, file: ExpectedFile, http: Http, workspace: Workspace): Promise<VerifyState> {
  if (file.url === undefined) return 'missing';
  const remote = { kind: target.kind, name: file.name, url: file.url, sizeBytes: file.sizeBytes, sha256: file.sha256 };
  return (await hashRemote(remote, http, workspace)).state;
}

/** What is wrong with carried models on the hosts, before anything that names them goes public. */
export async function carriedProblems(
  carried: readonly { readonly name: string; readonly entry: ManifestModel }[],
  files: CarriedFiles,
): Promise<readonly Problem[]> {
  const problems = await mapConcurrently(carried, parallelDownloads, async ({ name, entry }) =>
    (await files.provenFaults(name, entry)).map((fault): Problem => {
      const { target, name: file, state } = fault;
      return {
        level: 'error',
        code: state === 'different' ? 'integrity' : state === 'unreachable' ? 'remote' : 'conflict',
        file: target.place,
        message: `${file} of ${entry.release} is ${state}: ${name} ${entry.version} can't be carried forward`,
        hint: `Put back what was published, or run \`aircher-models release\` with the source of ${name} ${entry.version} at hand: it is packed again.`,
      };
    }),
  );
  return problems.flat();
}
