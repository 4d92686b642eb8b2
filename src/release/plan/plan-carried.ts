import type { ManifestModel } from '../../contract/manifest.ts';
import { jsonPath } from '../../contract/problems-of.ts';
import type { ModelConfig, ReleaseConfig } from '../../contract/release-config.ts';
import { warn } from '../../core/events.ts';
import type { Http } from '../../http/http-client.ts';
import { weightsChanges } from '../../model/weights-changes.ts';
import type { RemoteTuning } from '../../targets/remote.ts';
import type { Target } from '../../targets/target.ts';
import type { Workspace } from '../workspace.ts';
import { isOfEncoding, withEncodings } from './carried-encodings.ts';
import type { CarriedFiles } from './carried-files.ts';
import { type CarryVerdict, carryVerdict } from './carry-forward.ts';
import type { PlannedModel } from './plan-record.ts';

/** Where published models are looked at; `carried` is undefined offline. */
export interface Hosts {
  readonly targets: readonly Target[];
  readonly carried: CarriedFiles | undefined;
  /** Likewise undefined offline. */
  readonly http: Http | undefined;
  /** For the Hub's lists of source files. */
  readonly tuning?: RemoteTuning | undefined;
}

/** Whether an entry is carried forward, also by what the hosts report of its files. */
export async function verdictOnHosts(
  name: string,
  entry: ManifestModel,
  baseTag: string,
  config: ReleaseConfig,
  { carried: files }: Hosts,
): Promise<CarryVerdict> {
  const verdict = carryVerdict(config, name, entry, baseTag);
  if (!verdict.carry) return verdict;
  const faults = (await files?.faults(name, verdict.entry)) ?? [];
  const { encodings = [] } = verdict.entry;
  const fault = faults.find((one) => !encodings.some((encoding) => isOfEncoding(one.name, encoding)));
  if (fault === undefined) {
    const whole = encodings.filter((encoding) => !faults.some((one) => isOfEncoding(one.name, encoding)));
    return { ...verdict, entry: withEncodings(verdict.entry, whole) };
  }
  return { carry: false, reason: `same version, but ${fault.name} is ${fault.state} at ${fault.target.kind}` };
}

/** What a carried-forward entry keeps, whatever release.json says by now. */
export function warnOfUnpublished(name: string, model: ModelConfig, entry: ManifestModel, workspace: Workspace): void {
  for (const key of ['license', 'commercial_use', 'quality_score', 'changes'] as const) {
    if (model[key] === undefined || entry[key] === undefined || model[key] === entry[key]) continue;
    warn(workspace, {
      file: workspace.configFile,
      path: jsonPath(['models', name, key]),
      message: `is ${JSON.stringify(model[key])}, but ${name} ${entry.version} was published with ${JSON.stringify(entry[key])}, which stays`,
      hint: 'Raise the version of the model to publish the change.',
    });
  }
}

/** Nobody needs them: a model is carried forward without what a host lacks of them. */
export function tellDroppedEncodings(
  name: string,
  { version, encodings = [] }: ManifestModel,
  kept: ManifestModel,
  { onEvent }: Workspace,
): void {
  for (const encoding of encodings) {
    if (kept.encodings?.some((other) => other.name === encoding.name)) continue;
    const message = `${name} ${version} is carried forward without ${encoding.name}, which is not at every host as it was published`;
    onEvent?.({ type: 'notice', message });
  }
}

/** A model as the plan has it whose published entry stands for itself. */
export function carriedModel(
  name: string,
  model: ModelConfig,
  entry: ManifestModel,
  reason: string,
  previous: ManifestModel | undefined,
): PlannedModel {
  return {
    name,
    version: entry.version,
    action: 'carry',
    reason,
    source_bytes: null,
    source_file_count: null,
    targets: [],
    primary: null,
    source: model.source,
    entry,
    previous: previous ?? null,
    weights: previous === undefined ? [] : weightsChanges(previous, entry.weights),
  };
}
