import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { type HostKind, hostKinds } from '../../contract/fields.ts';
import { limits } from '../../contract/limits.ts';
import { type ManifestModel, manifestModelSchema } from '../../contract/manifest.ts';
import { problemsOf } from '../../contract/problems-of.ts';
import type { ModelConfig } from '../../contract/release-config.ts';
import { parseStrictJson } from '../../contract/strict-json.ts';
import { AircherError, systemErrorCode } from '../../core/errors.ts';
import type { Sha256 } from '../../core/hashing.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Workspace } from '../workspace.ts';

/** What byte planes would come to, in bytes, estimated by a few chunks. */
export interface PlanesEstimate {
  /** More to upload. */
  readonly upload_bytes: number;
  /** Less to fetch for who installs the model anew. */
  readonly saved_bytes: number;
}

/** A version from which a patch is made. */
export interface PlannedPatch {
  readonly version: string;
  /** As it was published, without the versions before it. */
  readonly entry: ManifestModel;
}

/** What a new version means for an index that was made with these weights. */
export interface PlannedWeights {
  /** Where they stand now, or stood if they are gone; `was`: where they stood, if elsewhere. */
  readonly path: string;
  readonly default?: true;
  readonly was?: string;
  /** `unknown`: only packing tells what is in the file, or vectors whether the space is kept. */
  readonly space_change: 'same' | 'changes' | 'gone' | 'new' | 'unknown';
}

/**
 * How far a version's vectors are from those of the last published version (`from`): how many texts
 * both were tried on, and for the weights that both embedded them with, the largest 1 − cosine.
 */
export const measuredChangeSchema = z.strictObject({
  from: z.string(),
  texts: z.int(),
  weights: z.array(z.strictObject({ path: z.string(), max_cosine_distance: z.number() })),
});

export type MeasuredChange = Readonly<z.infer<typeof measuredChangeSchema>>;

/** One model of a plan. */
export interface PlannedModel {
  readonly name: string;
  /** The version that the manifest will name. */
  readonly version: string;
  readonly action: 'pack' | 'carry';
  /** Why it is packed or carried forward. */
  readonly reason: string;
  /** Bytes and number of the source files; null where nothing is packed. */
  readonly source_bytes: number | null;
  readonly source_file_count: number | null;
  readonly targets: readonly HostKind[];
  readonly primary: HostKind | null;
  readonly source: ModelConfig['source'];
  /** The published entry that is carried forward. */
  readonly entry: ManifestModel | null;
  /** The model's entry in the last published manifest that has it. */
  readonly previous: ManifestModel | null;
  /**
   * What becomes of each of the published weights, and which are new; of a packed model as far as
   * that is known without reading its files.
   */
  readonly weights: readonly PlannedWeights[];
  /**
   * The older versions from which patches are made, the newest first; absent where there is none.
   */
  readonly patch_from?: readonly PlannedPatch[];
  /** What byte planes would come to; absent where nothing is packed, or nothing tells. */
  readonly planes?: PlanesEstimate;
  /** The release of that manifest, where it isn't the base: the base had dropped the model. */
  readonly previous_release?: Omit<NonNullable<Plan['base']>, 'public_keys' | 'keys_of'>;
  /** Where `prove` has run already: how far its vectors are from the last version's. */
  readonly measured?: MeasuredChange;
}

/** `plan.json`: what is decided, and the message between the machines of one release. */
export interface Plan {
  readonly plan_version: 1;
  readonly tag: string;
  readonly release: string;
  readonly prerelease: boolean;
  readonly namespace: string;
  readonly generated_at: string;
  /** Of release.json's bytes: a plan belongs to one release.json. */
  readonly config_sha256: Sha256;
  readonly targets: readonly { readonly kind: HostKind; readonly place: string }[];
  /** The last published manifest, which the release builds on. */
  readonly base: {
    readonly tag: string;
    readonly size_bytes: number;
    readonly sha256: Sha256;
    /** The kinds of target that have it. */
    readonly kinds: readonly HostKind[];
    /**
     * The keys that clients trust: those that the last release announced which is no prerelease,
     * and its tag.
     */
    readonly public_keys: readonly string[];
    readonly keys_of: string;
  } | null;
  /** Hosts that were rebuilt, and need not have the base. */
  readonly refill?: readonly HostKind[];
  /**
   * What users have, where the base is a prerelease, which they haven't: the last release that is
   * none.
   */
  readonly users?: { readonly tag: string | null; readonly models: Readonly<Record<string, ManifestModel>> };
  readonly models: readonly PlannedModel[];
  /** Models of the last release that this one has no more. */
  readonly dropped: readonly string[];
}

const kind = z.enum(hostKinds as [HostKind, ...HostKind[]]);
export const planSchema = z.strictObject({
  plan_version: z.literal(1),
  tag: z.string(),
  release: z.string(),
  prerelease: z.boolean(),
  namespace: z.string(),
  generated_at: z.string(),
  config_sha256: z.string(),
  targets: z.array(z.strictObject({ kind, place: z.string() })),
  base: z.nullable(
    z.strictObject({
      tag: z.string(),
      size_bytes: z.int(),
      sha256: z.string(),
      kinds: z.array(kind),
      public_keys: z.array(z.string()),
      keys_of: z.string(),
    }),
  ),
  refill: z.optional(z.array(kind)),
  users: z.optional(z.strictObject({ tag: z.nullable(z.string()), models: z.record(z.string(), manifestModelSchema) })),
  models: z.array(
    z.strictObject({
      name: z.string(),
      version: z.string(),
      action: z.enum(['pack', 'carry']),
      reason: z.string(),
      source_bytes: z.nullable(z.int()),
      source_file_count: z.nullable(z.int()),
      targets: z.array(kind),
      primary: z.nullable(kind),
      source: z.union([
        z.strictObject({ directory: z.string() }),
        z.strictObject({ huggingface: z.string(), revision: z.string() }),
      ]),
      entry: z.nullable(manifestModelSchema),
      previous: z.nullable(manifestModelSchema),
      weights: z.array(
        z.strictObject({
          path: z.string(),
          default: z.optional(z.literal(true)),
          was: z.optional(z.string()),
          space_change: z.enum(['same', 'changes', 'gone', 'new', 'unknown']),
        }),
      ),
      planes: z.optional(z.strictObject({ upload_bytes: z.int(), saved_bytes: z.int() })),
      patch_from: z.optional(z.array(z.strictObject({ version: z.string(), entry: manifestModelSchema }))),
      previous_release: z.optional(
        z.strictObject({ tag: z.string(), size_bytes: z.int(), sha256: z.string(), kinds: z.array(kind) }),
      ),
      measured: z.optional(measuredChangeSchema),
    }),
  ),
  dropped: z.array(z.string()),
});

function planPath(workspace: Workspace): string {
  return join(workspace.out, 'plan.json');
}

export async function writePlan(plan: Plan, workspace: Workspace): Promise<void> {
  await writeFileAtomically(planPath(workspace), `${JSON.stringify(plan, null, 2)}\n`);
}

/** Reads plan.json; undefined where there is none. Throws `invalid` where it isn't a plan. */
export async function readPlan(workspace: Workspace): Promise<Plan | undefined> {
  const file = planPath(workspace);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
  const result = z.safeParse(planSchema, parseStrictJson(bytes, { file, maxBytes: limits.manifestBytes * 4 }));
  if (result.success) return result.data as Plan;
  throw new AircherError('invalid', `${file} is not a plan of this version`, {
    hint: 'Run `aircher-models plan` again.',
    problems: problemsOf(result.error.issues, file),
  });
}

/**
 * The plan that belongs to this release.json. Throws `invalid` where there is none, or it was made
 * of another one.
 */
export async function requirePlan(loaded: LoadedConfig, workspace: Workspace): Promise<Plan> {
  const plan = await readPlan(workspace);
  if (plan === undefined) {
    throw new AircherError('invalid', `${planPath(workspace)} is not there`, {
      hint: 'Run `aircher-models plan` first.',
    });
  }
  if (plan.config_sha256 !== loaded.sha256) {
    throw new AircherError(
      'invalid',
      `${planPath(workspace)} was made of another ${workspace.configFile} (it changed since)`,
      {
        hint: 'Run `aircher-models plan` again.',
      },
    );
  }
  return plan;
}

/** The models that are packed in this release, of those that `--model` names. */
export function packedModels(plan: Plan, workspace: Workspace): readonly PlannedModel[] {
  return plan.models.filter(
    (model) => model.action === 'pack' && (workspace.models === undefined || workspace.models.includes(model.name)),
  );
}
