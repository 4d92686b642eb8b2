import type { SourceFile } from '../../archive/pack-archive.ts';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { weightsAfter } from '../../model/version-rules.ts';
import { describePlace, describeWeightsChanges, weightsChanges } from '../../model/weights-changes.ts';
import { weightFormatOf } from '../../weights/read-weights.ts';
import { type PackRecord, readPackRecord } from '../pack/pack-record.ts';
import { archiveForm, sourceState } from '../pack/source-state.ts';
import { requireVectors } from '../prove/vectors-of-model.ts';
import type { Workspace } from '../workspace.ts';
import type { PlannedModel, PlannedWeights } from './plan-record.ts';

/**
 * What becomes of each of the published weights where a model is packed, as far as that is known
 * without reading the files: all of it, where these very files were packed here before; else only
 * which are gone for certain.
 */
export async function plannedWeights(
  name: string,
  previous: ManifestModel | undefined,
  files: readonly SourceFile[],
  config: ReleaseConfig,
  workspace: Workspace,
): Promise<readonly PlannedWeights[]> {
  if (previous === undefined) return [];
  const record = await readPackRecord(name, workspace).catch(() => undefined);
  const state = record && (await sourceState(name, files, record.facts.weights, archiveForm(config, workspace)));
  if (record !== undefined && record.made_from === state) {
    const model = config.models[name];
    const proved =
      model?.reference && (await requireVectors(model, record, previous, workspace).catch(() => undefined));
    if (proved) return weightsChanges(previous, proved.spaces.weights);
    return weightsByFingerprints(previous, record, model?.keep_space);
  }
  const { weights = [] } = previous;
  const here = new Set(files.map(({ path }) => path));
  const known = new Set(previous.files?.map(({ path }) => path));
  const hasNew = files.some(({ path }) => weightFormatOf(path) !== undefined && !known.has(path));
  return weights.map(({ path, default: isDefault, space }) => {
    // Others may have its space, and another default is compared with this one.
    const mayGoOn = hasNew || isDefault || weights.some((other) => other.space === space && here.has(other.path));
    return { path, ...(isDefault && { default: isDefault }), space_change: mayGoOn ? 'unknown' : 'gone' };
  });
}

/**
 * The same of a packed model, before it is proved: whether a space that is to be kept is, vectors
 * must tell.
 */
export function weightsByFingerprints(
  previous: ManifestModel,
  record: PackRecord,
  keepSpace = false,
): readonly PlannedWeights[] {
  return weightsChanges(previous, weightsAfter(previous, record)).map((one) =>
    keepSpace && one.space_change === 'changes' ? { ...one, space_change: 'unknown' } : one,
  );
}

/**
 * Lines about models that had weights before. Where nothing is known yet of one, a line says so,
 * and which step will tell.
 */
export function describePlannedWeights(
  models: readonly PlannedModel[],
  config: Pick<ReleaseConfig, 'models'>,
): readonly string[] {
  return models.flatMap(({ name, action, weights }) => {
    if (weights.length === 0 || (action === 'carry' && weights.every(isSame))) return [];
    const keeps = config.models[name]?.keep_space;
    if (weights.every(({ space_change }) => space_change === 'unknown')) {
      return [
        keeps
          ? `${name}: \`prove\` will measure whether the space is kept, so that indices stay valid`
          : `${name}: \`pack\` will tell whether indices stay valid`,
      ];
    }
    return weights.map((one) => `${name}, ${describePlannedChange(one, keeps ? 'prove' : 'pack')}`);
  });
}

/** `onnx/model.onnx: indices must be rebuilt`; where it is unknown, the step that will tell. */
export function describePlannedChange({ space_change, ...place }: PlannedWeights, step: string): string {
  return space_change === 'unknown'
    ? `${describePlace(place)}: \`${step}\` will tell`
    : describeWeightsChanges([{ ...place, space_change }]).join();
}

function isSame({ space_change }: PlannedWeights): boolean {
  return space_change === 'same';
}
