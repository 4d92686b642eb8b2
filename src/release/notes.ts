import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import type { ManifestModel } from '../contract/manifest.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { writeFileAtomically } from '../core/files.ts';
import { formatBytes, plural } from '../core/format.ts';
import { toolVersion } from '../core/tool-version.ts';
import { changeKind, contentOf } from '../model/version-rules.ts';
import { fileUrl } from './addresses.ts';
import { bundleName } from './client-bundle.ts';
import { sourceRevision } from './generation-time.ts';
import type { WrittenManifest } from './manifest.ts';
import type { Plan, PlannedModel } from './plan-record.ts';
import type { Workspace } from './workspace.ts';

export const notesName = 'RELEASE_NOTES.md';

/** Writes RELEASE_NOTES.md: what is in the release, what changed, how to install and how to check it. */
export async function writeNotes(
  config: ReleaseConfig,
  plan: Plan,
  written: WrittenManifest,
  workspace: Workspace,
): Promise<string> {
  const notes = composeNotes(config, plan, written.manifest.models, await provenance(workspace));
  await writeFileAtomically(join(workspace.out, notesName), notes);
  return notes;
}

/** Reads the notes that an earlier step wrote. */
export async function readNotes(workspace: Workspace): Promise<string> {
  return await readFile(join(workspace.out, notesName), 'utf8');
}

const provenanceStart = 'Made by aircher-models ';

/** Tool, Node and source revision. The one line that differs between machines that make the same release. */
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
): string {
  const rows = plan.models.map((planned) => ({ planned, entry: models[planned.name]! }));
  const sections = [
    `# ${plan.tag}`,
    summary(plan, rows),
    modelTable(rows),
    changes(plan, rows),
    yanks(config),
    installing(config, plan, rows),
    checking(config, plan),
    madeBy,
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

interface Row {
  readonly planned: PlannedModel;
  readonly entry: ManifestModel;
}

function summary(plan: Plan, rows: readonly Row[]): string {
  const packed = rows.filter((row) => row.planned.action === 'pack').length;
  const since = plan.base === null ? 'The first release.' : `Since ${plan.base.tag}:`;
  const counts = [`${plural(packed, 'model')} new or changed`, `${rows.length - packed} carried forward`];
  if (plan.dropped.length > 0) counts.push(`${plan.dropped.length} no longer offered`);
  const rebuild = rows.filter((row) => spaceChange(row) === 'changed').map((row) => row.planned.name);
  const warning =
    rebuild.length === 0
      ? ''
      : `\n\n> **Indices built with ${list(rebuild)} must be rebuilt:** the embedding space changed, and vectors of the old and the new version must not be compared.`;
  return `${since} ${counts.join(', ')}.${warning}`;
}

function modelTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const { entry, planned } = row;
    const previous = planned.previous?.version;
    const change =
      planned.action === 'carry'
        ? `as in ${entry.release}`
        : previous === undefined || previous === entry.version
          ? previous === undefined
            ? 'new'
            : 'now on more mirrors'
          : `${semver.diff(previous, entry.version)}, was ${previous}`;
    const cells = [
      `\`${planned.name}\``,
      entry.version,
      formatBytes(entry.size_bytes),
      entry.embedding?.dimensions ?? '–',
      entry.license ?? '–',
      change,
      { changed: '**changed: rebuild indices**', same: 'same', new: 'new', unknown: 'unknown' }[spaceChange(row)],
    ];
    return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return [
    '| model | version | download | dimensions | licence | change | embedding space |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

type SpaceChange = 'changed' | 'same' | 'new' | 'unknown';

function spaceChange({ planned, entry }: Row): SpaceChange {
  if (planned.previous === null) return 'new';
  const before = planned.previous.embedding?.space;
  if (before === undefined || entry.embedding?.space === undefined) return 'unknown';
  return before === entry.embedding.space ? 'same' : 'changed';
}

function changes(plan: Plan, rows: readonly Row[]): string {
  if (plan.base === null) {
    const described = rows.filter((row) => row.entry.changes !== undefined && row.planned.action === 'pack');
    if (described.length === 0) return '';
    return [
      '## Models',
      ...described.map((row) => `- **${row.planned.name} ${row.entry.version}**: ${row.entry.changes}`),
    ].join('\n');
  }
  const lines = rows
    .filter((row) => row.planned.action === 'pack' || row.planned.previous?.version !== row.entry.version)
    .flatMap((row) => changeLines(row));
  lines.push(...plan.dropped.map((name) => `- **${name}** is no longer offered. Installed copies go on working.`));
  if (lines.length === 0) lines.push('- No model changed.');
  return [`## Changes since ${plan.base.tag}`, ...lines].join('\n');
}

function changeLines({ planned, entry }: Row): readonly string[] {
  const { previous } = planned;
  if (previous === null) {
    return [`- **${planned.name} ${entry.version}** is new${entry.changes === undefined ? '.' : `: ${entry.changes}`}`];
  }
  const arrow = previous.version === entry.version ? entry.version : `${previous.version} → ${entry.version}`;
  const lines = [`- **${planned.name} ${arrow}**${entry.changes === undefined ? '' : `: ${entry.changes}`}`];
  const { changed } = changeKind(previous, contentOf(entry));
  if (changed.length > 0) lines.push(`  - changed: ${changed.join('; ')}`);
  return lines;
}

function yanks(config: ReleaseConfig): string {
  if (!config.yanked?.length) return '';
  const lines = config.yanked.map((yank) => `- **${yank.model} ${yank.version}**: ${yank.reason}`);
  return ['## Withdrawn versions', 'Do not use these; the client warns where they are installed.', '', ...lines].join(
    '\n',
  );
}

function installing(config: ReleaseConfig, plan: Plan, rows: readonly Row[]): string {
  const kind = config.github ? 'github' : config.huggingface ? 'huggingface' : 'mirror';
  const name = rows[0]?.planned.name ?? 'NAME';
  const which = plan.prerelease ? ` --release ${plan.tag}` : '';
  return [
    '## Install',
    'The client is one file without dependencies; it needs Node 20.19 or newer.',
    '',
    '```sh',
    `curl -fLO ${fileUrl(config, kind, plan.tag, bundleName)}`,
    `node ${bundleName} model install ${name}${which}`,
    `node ${bundleName} model update --all${which}`,
    '```',
  ].join('\n');
}

function checking(config: ReleaseConfig, plan: Plan): string {
  const lines = [
    '## Check',
    'The client verifies every byte by itself. To check files that you downloaded by hand, in their directory:',
    '',
    '```sh',
    'sha256sum -c --ignore-missing checksums.sha256',
  ];
  for (const key of config.signing?.public_keys ?? []) lines.push(`minisign -Vm manifest.json -P ${key}`);
  if (config.signing?.gpg_fingerprint) lines.push('gpg --verify manifest.json.asc manifest.json');
  lines.push('```');
  if (plan.models.some((model) => model.action === 'carry')) {
    lines.push('', 'Models that are carried forward are listed in the checksums of the release that packed them.');
  }
  return lines.join('\n');
}

function list(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
