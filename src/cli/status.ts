import type { Command } from 'commander';
import { formatBytes, plural } from '../core/format.ts';
import { loadConfig } from '../release/load-config.ts';
import {
  type ReleaseStatus,
  type ReleasesStatus,
  releaseStatus,
  releasesStatus,
  type TargetStatus,
} from '../release/publish/release-status.ts';
import { type CommandDependencies, endWithProblems, printResult, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

export function statusCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('status')
    .description(
      'what exists where: releases, drafts and pointers; of a tag: files, digests, downloads, what is missing',
    )
    .argument('[tag]', 'the tag of a release, such as models-v1.0.0')
    .action(async (tag: string | undefined, _options: object, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const { config } = await loadConfig(workspace);
      const targets = await dependencies.targets(config, workspace);
      if (tag === undefined) {
        const status = await releasesStatus(targets, workspace);
        printResult(command, dependencies, status, () => describeReleases(status));
        endWithProblems('remote', 'not every target could be asked', status.problems);
      } else {
        const status = await releaseStatus(config, tag, targets, workspace);
        printResult(command, dependencies, status, () => describeRelease(status));
        endWithProblems('remote', 'not every target could be asked', status.problems);
      }
    });
}

function describeReleases(status: ReleasesStatus): string {
  const kinds = status.targets.map(({ target }) => target);
  const cell = (release: ReleasesStatus['releases'][number], kind: string): string => {
    const states = release.targets.filter(({ target }) => target === kind).map(({ state }) => state);
    const pointer = status.targets.find(({ target }) => target === kind)?.pointer?.tag === release.tag;
    return states.length === 0 ? '–' : `${states.join(' + ')}${pointer ? ' (newest)' : ''}`;
  };
  const pointers = status.targets.map(({ place, pointer }) =>
    pointer === null ? `${place}: no answer` : `${place}: ${pointer.name} is ${pointer.tag ?? 'nothing yet'}`,
  );
  const table =
    status.releases.length === 0
      ? `nothing is published${status.targets.some(({ pointer }) => pointer === null) ? ' where an answer came' : ''}`
      : formatTable(
          ['release', ...kinds],
          status.releases.map((release) => [release.tag, ...kinds.map((kind) => cell(release, kind))]),
        );
  return [
    table,
    '',
    'What clients read to find the newest release:',
    ...pointers.map((line) => `  ${line}`),
    ...describeDownloads(status),
  ].join('\n');
}

function describeDownloads({ targets, releases }: ReleasesStatus): readonly string[] {
  if (releases.length === 0) return [];
  const cell = (count: number | null | undefined): string => (count == null ? '–' : String(count));
  const rows = releases.map((release) => [
    release.tag,
    ...targets.map(({ target }) =>
      cell(release.targets.find((on) => on.target === target && on.state === 'public')?.downloads),
    ),
  ]);
  const totals = ['in all', ...targets.map(({ downloads }) => cell(downloads))];
  return [
    '',
    formatTable(['downloads', ...targets.map(({ target }) => target)], [...rows, totals]),
    '',
    ...targets.flatMap(({ target, counted }) => (counted === null ? [] : [`  ${target}: ${counted}`])),
  ];
}

function describeRelease(status: ReleaseStatus): string {
  return status.targets.map((target) => describeTarget(target, status)).join('\n\n');
}

function describeTarget(target: TargetStatus, { tag, compared_with: from }: ReleaseStatus): string {
  const facts = [
    `${tag} is ${target.state}`,
    ...(target.revision === null ? [] : [`revision ${target.revision}`]),
    ...target.remarks,
  ];
  const lines = [`${target.place} (${target.target}): ${facts.join(', ')}`];
  if (target.files.length > 0) {
    const rows = target.files.map(({ name, size_bytes: size, digest, state, downloads }) => [
      name,
      formatBytes(size),
      digest === null ? 'none' : `${digest.algorithm} ${digest.hex.slice(0, 12)}`,
      state,
      downloads === null ? 'not counted' : String(downloads),
    ]);
    lines.push(formatTable(['file', 'size', 'digest', 'state', 'downloads'], rows));
  }
  if (target.missing !== null && target.missing.length > 0) {
    lines.push(`${plural(target.missing.length, 'file')} of ${from} missing: ${target.missing.join(', ')}`);
  } else if (target.missing !== null) lines.push(`everything of ${from} is there`);
  return lines.join('\n');
}
