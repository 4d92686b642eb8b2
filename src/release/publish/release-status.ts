import { join } from 'node:path';
import semver from 'semver';
import { archiveName, indexName } from '../../contract/artifacts.ts';
import type { HostKind } from '../../contract/fields.ts';
import { type Manifest, parseManifest } from '../../contract/manifest.ts';
import { compareBytes } from '../../contract/names.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem } from '../../core/errors.ts';
import { exists, readFileIfThere } from '../../core/read-files.ts';
import type { InspectedFile, Pointer, Target, TargetInspection } from '../../targets/target.ts';
import { minisignNames } from '../documents/signed-documents.ts';
import { manifestPath } from '../documents/write-manifest.ts';
import { readPlan } from '../plan/plan-record.ts';
import { expectedFiles, judge } from '../verify/expected-files.ts';
import type { Workspace } from '../workspace.ts';
import { documentsOn, signatureNames } from './release-files.ts';

/** All releases, whatever their state, and where pointers stand. */
export interface ReleasesStatus {
  readonly targets: readonly {
    readonly target: HostKind;
    readonly place: string;
    /** Null where the target couldn't be asked. */
    readonly pointer: Pointer | null;
    /** Of everything there; null where it isn't known. */
    readonly downloads: number | null;
    /** What `downloads` counts, or who would know. */
    readonly counted: string | null;
  }[];
  /** Newest first. */
  readonly releases: readonly {
    readonly tag: string;
    readonly release: string;
    /** A target can have several of one tag: a draft beside the public release, two drafts. */
    readonly targets: readonly {
      readonly target: HostKind;
      readonly state: 'draft' | 'public';
      /** Null: the host does not count, or does not tell releases apart. */
      readonly downloads: number | null;
    }[];
  }[];
  readonly problems: readonly Problem[];
}

/** One release on each target. */
export interface ReleaseStatus {
  readonly tag: string;
  readonly targets: readonly TargetStatus[];
  /**
   * What `missing` was told by: a manifest or plan of this tag in the output directory; null where
   * there is none.
   */
  readonly compared_with: string | null;
  readonly problems: readonly Problem[];
}

export interface TargetStatus {
  readonly target: HostKind;
  readonly place: string;
  readonly state: TargetInspection['state'];
  readonly revision: string | null;
  readonly remarks: readonly string[];
  readonly files: readonly {
    readonly name: string;
    readonly size_bytes: number;
    readonly digest: { readonly algorithm: 'sha256' | 'git-blob'; readonly hex: string } | null;
    readonly state: InspectedFile['state'];
    /** Null: the host does not count. */
    readonly downloads: number | null;
  }[];
  /**
   * What isn't there yet, or isn't there as it should be; null where there is nothing to compare
   * with.
   */
  readonly missing: readonly string[] | null;
}

/**
 * Asks every target for all its releases. What a target refuses or can't answer is a problem, and
 * hides nothing of the others.
 */
export async function releasesStatus(targets: readonly Target[], workspace: Workspace): Promise<ReleasesStatus> {
  const problems: Problem[] = [];
  type Found = ReleasesStatus['releases'][number];
  const releases = new Map<string, { release: string; targets: Found['targets'][number][] }>();
  const asked = await Promise.all(
    targets.map(async (target) => {
      const answer = await attempt(target, problems, async () => ({
        list: await target.list(workspace),
        pointer: await target.pointer(workspace),
        downloads: await target.downloads(workspace),
      }));
      return { target, answer };
    }),
  );
  for (const { target, answer } of asked) {
    for (const { tag, version, state } of answer?.list ?? []) {
      const known = releases.get(tag) ?? { release: version, targets: [] };
      const downloads = state === 'public' ? answer?.downloads.byTag?.get(tag) : undefined;
      known.targets.push({ target: target.kind, state, downloads: downloads ?? null });
      releases.set(tag, known);
    }
  }
  return {
    targets: asked.map(({ target: { kind, place }, answer }) => ({
      target: kind,
      place,
      pointer: answer?.pointer ?? null,
      downloads: answer?.downloads.total ?? null,
      counted: answer?.downloads.counted ?? null,
    })),
    releases: [...releases]
      .map(([tag, found]) => ({ tag, ...found }))
      .sort((a, b) => semver.rcompare(a.release, b.release)),
    problems,
  };
}

/**
 * Asks every target for one release: state, files with sizes, digests and downloads, and what is
 * still missing. That no target has anything of it is a problem of code `invalid`.
 */
export async function releaseStatus(
  config: ReleaseConfig,
  tag: string,
  targets: readonly Target[],
  workspace: Workspace,
): Promise<ReleaseStatus> {
  const problems: Problem[] = [];
  const planned = await plannedRelease(config, tag, workspace);
  const found = await Promise.all(
    targets.map(async (target): Promise<TargetStatus | undefined> => {
      const inspection = await attempt(target, problems, () => target.inspect(tag, workspace));
      if (inspection === undefined) return undefined;
      return {
        target: target.kind,
        place: target.place,
        state: inspection.state,
        revision: inspection.revision ?? null,
        remarks: inspection.remarks,
        files: [...inspection.files]
          .sort((a, b) => compareBytes(a.name, b.name))
          .map(({ name, sizeBytes, digest, state, downloads }) => ({
            name,
            size_bytes: sizeBytes,
            digest: digest ?? null,
            state,
            downloads: downloads ?? null,
          })),
        missing: planned === undefined ? null : [...planned.missingOn(target.kind, inspection)].sort(compareBytes),
      };
    }),
  );
  if (problems.length === 0 && found.every((status) => status?.state === 'absent')) {
    problems.push({
      level: 'error',
      code: 'invalid',
      message: `${tag} is at none of ${targets.map(({ place }) => place).join(', ')}`,
      hint: 'See `aircher-models status` for what is there.',
    });
  }
  return {
    tag,
    targets: found.filter((status) => status !== undefined),
    compared_with: planned?.from ?? null,
    problems,
  };
}

async function attempt<T>(target: Target, problems: Problem[], ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AircherError) || error.code === 'interrupted') throw error;
    problems.push({
      level: 'error',
      // As `plan` has it: a repository that isn't found may be one that the token doesn't see.
      code: error.details.status === 404 ? 'remote' : error.code,
      file: target.place,
      message: error.message.replace(`${target.place}: `, ''),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
    return undefined;
  }
}

interface PlannedRelease {
  readonly from: string;
  missingOn(kind: HostKind, inspection: TargetInspection): readonly string[];
}

/** What the output directory says that this release is to have, as far as it has got. */
async function plannedRelease(
  config: ReleaseConfig,
  tag: string,
  workspace: Workspace,
): Promise<PlannedRelease | undefined> {
  const bytes = await readFileIfThere(manifestPath(workspace));
  const manifest = bytes === undefined ? undefined : readable(bytes, manifestPath(workspace));
  const signatures: string[] = [];
  for (const name of signatureNames) if (await exists(join(workspace.out, name))) signatures.push(name);
  if (config.signing?.public_keys?.length) signatures.push(...minisignNames);
  if (config.signing?.gpg_fingerprint !== undefined) signatures.push('manifest.json.asc');
  const documents = (kind: HostKind): readonly string[] => [
    ...documentsOn(kind).filter((name) => name !== 'manifest.json'),
    ...new Set(signatures),
  ];
  const absent = (names: readonly string[], { files }: TargetInspection): readonly string[] =>
    names.filter((name) => files.find((file) => file.name === name)?.state !== 'whole');
  if (bytes !== undefined && manifest?.release === tag) {
    return {
      from: manifestPath(workspace),
      missingOn: (kind, inspection) => [
        ...expectedFiles(manifest, kind, tag, bytes)
          .filter((expected) => !['ok', 'no digest'].includes(judge(expected, inspection)))
          .map(({ name }) => name),
        ...absent(documents(kind), inspection),
      ],
    };
  }
  const plan = await readPlan(workspace).catch(() => undefined);
  if (plan?.tag !== tag) return undefined;
  const format = config.archive?.format ?? 'tar.gz';
  return {
    from: join(workspace.out, 'plan.json'),
    missingOn: (kind, inspection) => {
      const packed = plan.models.filter(({ action, targets }) => action === 'pack' && targets.includes(kind));
      const artifacts = packed.flatMap(({ name }) => [archiveName(name, format), indexName(name, format)]);
      return absent([...artifacts, 'manifest.json', ...documents(kind)], inspection);
    },
  };
}

function readable(bytes: Buffer, file: string): Manifest | undefined {
  try {
    return parseManifest(bytes, file);
  } catch (error) {
    if (error instanceof AircherError) return undefined;
    throw error;
  }
}
