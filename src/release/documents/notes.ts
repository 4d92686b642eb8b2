import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import type { ManifestModel } from '../../contract/manifest.ts';
import type { ReleaseConfig } from '../../contract/release-config.ts';
import { sizeOnDisk } from '../../contract/wanted-weights.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { markdownText } from '../../core/markdown.ts';
import { toolVersion } from '../../core/tool-version.ts';
import { writeFileAtomically } from '../../core/write-files.ts';
import { changeKind, contentOf } from '../../model/version-rules.ts';
import { describeWeightsChanges, weightsChanges } from '../../model/weights-changes.ts';
import { sourceRevision } from '../plan/generation-time.ts';
import type { MeasuredChange, Plan, PlannedModel } from '../plan/plan-record.ts';
import { describeChange, measuredChange } from '../prove/measured-change.ts';
import type { Workspace } from '../workspace.ts';
import { checking, installing } from './notes-for-users.ts';
import { indicesToRebuild, listed, type NotedModel, renditions, spaceCell } from './notes-on-weights.ts';
import type { WrittenManifest } from './write-manifest.ts';

export const notesName = 'RELEASE_NOTES.md';

/**
 * Writes RELEASE_NOTES.md: what is in the release, what changed, how to install and how to check
 * it.
 */
export async function writeNotes(
  config: ReleaseConfig,
  plan: Plan,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<string> {
  const measured: Record<string, MeasuredChange | undefined> = {};
  for (const planned of plan.models) measured[planned.name] = await measuredChange(planned, workspace);
  const notes = composeNotes(config, plan, written.manifest.models, await provenance(workspace), measured);
  await writeFileAtomically(join(workspace.out, notesName), notes);
  return notes;
}

/** Reads the notes that an earlier step wrote. */
export async function readNotes(workspace: Workspace): Promise<string> {
  return await readFile(join(workspace.out, notesName), 'utf8');
}

const provenanceStart = 'Made by aircher-models ';

/**
 * Tool, Node and source revision. The one line that differs between machines that make the same
 * release.
 */
async function provenance(workspace: Workspace): Promise<string> {
  const commit = await sourceRevision(workspace);
  return `${provenanceStart}${toolVersion} on Node ${process.versions.node}${commit === undefined ? '' : `, from commit ${commit}`}.`;
}

/** Whether two notes say the same of a release, whoever made them. */
export function sameNotes(a: string, b: string): boolean {
  const plain = (notes: string): string =>
    notes
      .split('\n')
      .filter((line) => !line.startsWith(provenanceStart))
      .join('\n');
  return plain(a) === plain(b);
}

export function composeNotes(
  config: ReleaseConfig,
  plan: Plan,
  models: Readonly<Record<string, ManifestModel>>,
  madeBy: string,
  measured: Readonly<Record<string, MeasuredChange | undefined>> = {},
): string {
  const rows = plan.models.map((planned) => ({
    planned,
    measured: measured[planned.name],
    entry: models[planned.name]!,
    before: entryBefore(plan, planned),
  }));
  const sections = [
    `# ${plan.tag}`,
    summary(plan, rows),
    modelTable(rows),
    renditions(rows),
    changes(plan, rows),
    yanks(config),
    installing(config, plan),
    checking(config, plan),
    madeBy,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

/** The release that the notes count from; null for the first one that users see. */
function releaseBefore(plan: Plan): string | null {
  return plan.users === undefined ? (plan.base?.tag ?? null) : plan.users.tag;
}

function entryBefore({ users }: Plan, { name, previous }: PlannedModel): ManifestModel | null {
  if (users === undefined) return previous;
  return Object.hasOwn(users.models, name) ? (users.models[name] ?? null) : null;
}

/** Models that readers had and that are no longer offered. */
function droppedModels(plan: Plan): readonly string[] {
  if (plan.users === undefined) return plan.dropped;
  const offered = new Set(plan.models.map(({ name }) => name));
  return Object.keys(plan.users.models).filter((name) => !offered.has(name));
}

function isChanged({ planned, entry, before }: NotedModel): boolean {
  return planned.action === 'pack' || before?.version !== entry.version || planned.previous_release !== undefined;
}

function summary(plan: Plan, rows: readonly NotedModel[]): string {
  const changed = rows.filter(isChanged).length;
  const last = releaseBefore(plan);
  const since = last === null ? 'The first release.' : `Since ${last}:`;
  const counts = [`${plural(changed, 'model')} new or changed`, `${rows.length - changed} carried forward`];
  const dropped = droppedModels(plan).length;
  if (dropped > 0) counts.push(`${dropped} no longer offered`);
  const rebuild = rows.flatMap(indicesToRebuild);
  const warning =
    rebuild.length === 0
      ? ''
      : `\n\n> **Indices built with ${listed(rebuild)} must be rebuilt:** the embedding space changed, and vectors of the old and the new version must not be compared.`;
  return `${since} ${counts.join(', ')}.${warning}`;
}

function modelTable(rows: readonly NotedModel[]): string {
  const lines = rows.map((row) => {
    const { entry, planned } = row;
    const cells = [
      `\`${planned.name}\``,
      entry.version,
      formatBytes(sizeOnDisk(entry, ['default'])),
      entry.embedding?.dimensions ?? '–',
      markdownText(entry.license ?? '–'),
      changeCell(row),
      spaceCell(row),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| model | version | size | dimensions | licence | change | embedding space |',
    '|---|---|---|---|---|---|---|',
    ...lines,
    '',
    'Sizes are those on disk of what `install` brings, which is fetched compressed.',
  ].join('\n');
}

function changeCell({ planned, entry, before }: NotedModel): string {
  const previous = before?.version;
  if (previous === undefined) return 'new';
  if (previous === entry.version) return planned.action === 'carry' ? `as in ${entry.release}` : 'now on more mirrors';
  if (semver.lt(entry.version, previous)) return `back from ${previous}`;
  return `${semver.diff(previous, entry.version)}, was ${previous}`;
}

function changes(plan: Plan, rows: readonly NotedModel[]): string {
  const last = releaseBefore(plan);
  if (last === null) {
    const described = rows.filter((row) => row.entry.changes !== undefined);
    if (described.length === 0) return '';
    return [
      '## Models',
      '',
      ...described.map(({ planned, entry }) => `- **${planned.name} ${entry.version}**${told(entry)}`),
    ].join('\n');
  }
  const lines = rows.filter(isChanged).flatMap((row) => changeLines(row));
  lines.push(
    ...droppedModels(plan).map((name) => `- **${name}** is no longer offered. Installed copies go on working.`),
  );
  if (lines.length === 0) lines.push('- No model changed.');
  return [`## Changes since ${last}`, '', ...lines].join('\n');
}

function changeLines({ planned, entry, before: previous, measured }: NotedModel): readonly string[] {
  if (previous === null) {
    return [`- **${planned.name} ${entry.version}** is new${told(entry) || '.'}`, ...encodingLines(entry)];
  }
  const arrow = previous.version === entry.version ? entry.version : `${previous.version} → ${entry.version}`;
  const again = planned.previous_release === undefined ? '' : ' is offered again';
  const lines = [`- **${planned.name} ${arrow}**${again}${told(entry)}`];
  const { changed } = changeKind(previous, contentOf(entry));
  if (changed.length > 0) lines.push(`  - changed: ${markdownText(changed.join('; '))}`);
  lines.push(...encodingLines(entry));
  const weights = weightsChanges(previous, entry.weights);
  if (weights.length > 1) lines.push(...describeWeightsChanges(weights).map((line) => `  - ${markdownText(line)}`));
  if (measured) lines.push(`  - ${markdownText(describeChange(measured))}`);
  if (entry.space_evidence && entry.embedding?.space === previous.embedding?.space)
    lines.push(`  - ${evidence(entry)}`);
  return lines;
}

/** Why indices stay valid although fingerprints changed. */
function evidence({ space_evidence: kept }: ManifestModel): string {
  const { origin, texts, max_cosine_distance: distance } = kept!;
  return `indices stay valid: the reference vectors of ${origin.version} come out within ${distance.toPrecision(2)} (1 − cosine, ${plural(texts, 'text')})`;
}

/** What the client fetches instead of the archive. */
function encodingLines({ encodings = [] }: ManifestModel): readonly string[] {
  return encodings.map(({ kind, from, size_bytes: size }) =>
    kind === 'patch'
      ? `  - updates from ${from} take a patch of ${formatBytes(size)}`
      : `  - installs take ${formatBytes(size)} of ${markdownText(kind)} instead of the weights in the archive`,
  );
}

/** What the maintainer says of a version. */
function told({ changes }: ManifestModel): string {
  return changes === undefined ? '' : `: ${markdownText(changes)}`;
}

function yanks(config: ReleaseConfig): string {
  if (!config.yanked?.length) return '';
  const lines = config.yanked.map((yank) => `- **${yank.model} ${yank.version}**: ${markdownText(yank.reason)}`);
  return [
    '## Withdrawn versions',
    '',
    'Do not use these; the client warns where they are installed.',
    '',
    ...lines,
  ].join('\n');
}
