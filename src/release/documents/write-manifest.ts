import { join } from 'node:path';
import { indexName, vectorsName } from '../../contract/artifacts.ts';
import type { HostKind } from '../../contract/fields.ts';
import {
  formatManifest,
  type Manifest,
  type ManifestModel,
  manifestVersion,
  parseManifest,
} from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { AircherError, type Problem, throwProblems } from '../../core/errors.ts';
import { type Sha256, sha256 } from '../../core/hashing.ts';
import { readFileIfThere } from '../../core/read-files.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { defaultWeights } from '../../model/fingerprints.ts';
import { contentOf, versionProblems } from '../../model/version-rules.ts';
import { configuredKinds, fileUrl, fileUrls } from '../addresses.ts';
import type { LoadedConfig } from '../load-config.ts';
import { type PackRecord, requirePackRecord } from '../pack/pack-record.ts';
import { mergePublished } from '../plan/carry-forward.ts';
import { formatTime } from '../plan/generation-time.ts';
import type { Plan, PlannedModel } from '../plan/plan-record.ts';
import { decideSpaces } from '../prove/decide-spaces.ts';
import { requireProof } from '../prove/proof.ts';
import { type ProvedVectors, requireVectors } from '../prove/vectors-of-model.ts';
import type { Workspace } from '../workspace.ts';

/** `manifest.json` as it was written. */
export interface WrittenManifest {
  readonly manifest: Manifest;
  readonly bytes: Buffer;
  readonly sha256: Sha256;
}

export function manifestPath(workspace: Workspace): string {
  return join(workspace.out, 'manifest.json');
}

/**
 * Writes manifest.json from the plan and what is packed. Throws `invalid` with every missing or
 * foreign pack record or proof, and every breach of the version rules.
 */
export async function writeManifest(loaded: LoadedConfig, plan: Plan, workspace: Workspace): Promise<WrittenManifest> {
  const written = await composeManifest(loaded, plan, workspace);
  await writeFileAtomically(manifestPath(workspace), written.bytes);
  return written;
}

/** The manifest that plan and pack records make; writes nothing. Throws like `writeManifest`. */
export async function composeManifest(
  loaded: LoadedConfig,
  plan: Plan,
  workspace: Workspace,
): Promise<WrittenManifest> {
  const { config } = loaded;
  const problems: Problem[] = [];
  const models: Record<string, ManifestModel> = {};
  for (const planned of plan.models) {
    try {
      models[planned.name] = await manifestEntry(config, plan, planned, problems, workspace);
    } catch (error) {
      if (!(error instanceof AircherError)) throw error;
      problems.push({
        level: 'error',
        code: error.code,
        message: error.message,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  }
  throwProblems('invalid', 'the manifest can not be made', problems);
  const keys = config.signing?.public_keys;
  const manifest: Manifest = {
    manifest_version: manifestVersion,
    namespace: config.namespace,
    release: plan.tag,
    generated_at: plan.generated_at,
    models,
    ...(config.yanked?.length ? { yanked: config.yanked } : {}),
    ...(keys?.length ? { signing: { public_keys: keys } } : {}),
    ...(config.signing?.expires_in_days === undefined
      ? {}
      : { expires_at: expiry(plan.generated_at, config.signing.expires_in_days) }),
  };
  const bytes = Buffer.from(formatManifest(manifest));
  // What we write, every reader must be able to read.
  parseManifest(bytes, manifestPath(workspace));
  return { manifest, bytes, sha256: sha256(bytes) };
}

/** Reads the manifest that an earlier step wrote. Throws `invalid` where there is none. */
export async function readManifest(workspace: Workspace): Promise<WrittenManifest> {
  const file = manifestPath(workspace);
  const bytes = await readFileIfThere(file);
  if (bytes === undefined) {
    throw new AircherError('invalid', `${file} is not there`, { hint: 'Run `aircher-models manifest` first.' });
  }
  return { manifest: parseManifest(bytes, file), bytes, sha256: sha256(bytes) };
}

function expiry(generatedAt: string, days: number): string {
  return formatTime(Date.parse(generatedAt) / 1000 + days * 86_400);
}

async function manifestEntry(
  config: ReleaseConfig,
  plan: Plan,
  planned: PlannedModel,
  problems: Problem[],
  workspace: Workspace,
): Promise<ManifestModel> {
  if (planned.action === 'carry') return planned.entry!;
  const record = await requirePackRecord(planned.name, planned.version, workspace);
  const model = config.models[planned.name]!;
  await requireProof(record, { check: config.check, reference: model.reference?.command }, workspace);
  const proved = model.reference && (await requireVectors(model, record, planned.previous, workspace));
  const entry = packedEntry(config, plan, planned, record, proved);
  if (planned.previous) {
    const place = { file: workspace.configFile, path: jsonPath(['models', planned.name, 'version']) };
    problems.push(...versionProblems(planned.previous, contentOf(entry), place));
  }
  return entry;
}

function packedEntry(
  config: ReleaseConfig,
  plan: Plan,
  planned: PlannedModel,
  record: PackRecord,
  proved: ProvedVectors | undefined,
): ManifestModel {
  const model = config.models[planned.name]!;
  const { facts, archive, index } = record;
  const { weights, evidence } = proved?.spaces ?? decideSpaces(record, planned.previous);
  const chosen = defaultWeights(facts.weights);
  const urls = (name: string, kinds: readonly HostKind[] = planned.targets) => fileUrls(config, kinds, plan.tag, name);
  const rawFiles = config.huggingface?.raw_files === true && planned.targets.includes('huggingface');
  return {
    version: planned.version,
    size_bytes: archive.size_bytes,
    sha256: archive.sha256,
    download_urls: urls(archive.name),
    ...(planned.primary === null ? {} : { primary: planned.primary }),
    license: model.license,
    ...(facts.commercial_use === null ? {} : { commercial_use: facts.commercial_use }),
    ...(facts.has_code ? { allow_code: true } : {}),
    ...(model.quality_score === undefined ? {} : { quality_score: model.quality_score }),
    ...(model.changes === undefined ? {} : { changes: model.changes }),
    format: archive.format,
    release: plan.tag,
    index: {
      size_bytes: index.size_bytes,
      sha256: index.sha256,
      download_urls: urls(indexName(planned.name, archive.format)),
    },
    ...(proved === undefined
      ? {}
      : {
          reference: {
            size_bytes: proved.size_bytes,
            sha256: proved.sha256,
            download_urls: urls(vectorsName(planned.name)),
          },
        }),
    ...(record.encodings.length === 0
      ? {}
      : {
          encodings: record.encodings.map(({ index: own, ...encoding }) => ({
            ...encoding,
            download_urls: urls(encoding.name),
            index: { ...own, download_urls: urls(`${encoding.name}.index.json`) },
          })),
        }),
    files: record.files.map((file) => ({
      ...file,
      ...(rawFiles
        ? { download_urls: { huggingface: fileUrl(config, 'huggingface', plan.tag, `${planned.name}/${file.path}`) } }
        : {}),
    })),
    weights: [...weights],
    ...(chosen === undefined ? {} : { tensors: { ...chosen.tensors, dtypes: { ...chosen.tensors.dtypes } } }),
    embedding: { ...facts.embedding, space: defaultWeights(weights)?.space },
    fingerprints: record.fingerprints,
    ...(evidence === undefined ? {} : { space_evidence: evidence }),
    ...('huggingface' in planned.source ? { source: planned.source } : {}),
    ...publishedBefore(config, plan, planned),
  };
}

function publishedBefore(
  config: ReleaseConfig,
  plan: Plan,
  planned: PlannedModel,
): Pick<ManifestModel, 'published_versions'> {
  const from = planned.previous_release ?? plan.base;
  if (planned.previous === null || from === null) return {};
  const kinds = configuredKinds(config).filter((kind) => from.kinds.includes(kind));
  const urls = fileUrls(config, kinds, from.tag, 'manifest.json');
  const base = {
    release: from.tag,
    manifest: { size_bytes: from.size_bytes, sha256: from.sha256, download_urls: urls },
  };
  const versions = mergePublished(planned.previous, base, config).filter((entry) => entry.version !== planned.version);
  return versions.length === 0 ? {} : { published_versions: [...versions] };
}
