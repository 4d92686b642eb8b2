import type { ManifestModel } from '../../contract/manifest.ts';
import { sizeOnDisk } from '../../contract/wanted-weights.ts';
import { formatBytes } from '../../core/format.ts';
import { markdownText } from '../../core/markdown.ts';
import { describePlace, weightsChanges } from '../../model/weights-changes.ts';
import type { MeasuredChange, PlannedModel } from '../plan/plan-record.ts';

/** A model in the notes. */
export interface NotedModel {
  readonly planned: PlannedModel;
  readonly entry: ManifestModel;
  /** What readers of these notes have: the entry of the release that these notes count from. */
  readonly before: ManifestModel | null;
  readonly measured?: MeasuredChange | undefined;
}

/** What must be rebuilt: indices of a model, or, where some stay valid, of these weights of it. */
export function indicesToRebuild(model: NotedModel): readonly string[] {
  const { name } = model.planned;
  const { kept, lost } = weightsOfIndices(model);
  if (lost.length === 0) return spaceChange(model) === 'changed' ? [name] : [];
  return kept.length === 0 ? [name] : lost.map((place) => `${name}'s ${place}`);
}

export function spaceCell(model: NotedModel): string {
  const { kept, lost } = weightsOfIndices(model);
  if (kept.length > 0 && lost.length > 0) {
    return `same for ${listed(kept)}, **changed for ${listed(lost)}: rebuild indices**`;
  }
  return { changed: '**changed: rebuild indices**', same: 'same', new: 'new', unknown: 'unknown' }[spaceChange(model)];
}

/** Of models with several weights: which there are, how large each is, and which comes unasked. */
export function renditions(models: readonly NotedModel[]): string {
  const lines = models.flatMap(({ planned, entry }) => {
    const { weights = [] } = entry;
    if (weights.length < 2) return [];
    const each = weights.map(({ path, default: isDefault }) => {
      const size = formatBytes(sizeOnDisk(entry, [path]));
      return `${markdownText(path)} (${size}${isDefault ? ', the default' : ''})`;
    });
    return [
      `- **${planned.name}**: ${each.join(', ')}; the archive with all of them has ${formatBytes(entry.size_bytes)}`,
    ];
  });
  if (lines.length === 0) return '';
  const how =
    '`install` fetches the default weights, or those that `--weights PATH` names, with tokenizer and configs:';
  return [how, '', ...lines].join('\n');
}

/** The weights that readers may have indices of: those whose indices stay valid, and the others. */
function weightsOfIndices({ entry, before }: NotedModel): {
  readonly kept: readonly string[];
  readonly lost: readonly string[];
} {
  const changes = before === null ? [] : weightsChanges(before, entry.weights);
  const those = (...wanted: readonly string[]): readonly string[] =>
    changes.filter((one) => wanted.includes(one.space_change)).map((one) => markdownText(describePlace(one)));
  return { kept: those('same'), lost: those('changes', 'gone') };
}

type SpaceChange = 'changed' | 'same' | 'new' | 'unknown';

function spaceChange({ entry, before }: NotedModel): SpaceChange {
  if (before === null) return 'new';
  const space = before.embedding?.space;
  if (space === undefined || entry.embedding?.space === undefined) return 'unknown';
  return space === entry.embedding.space ? 'same' : 'changed';
}

export function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
