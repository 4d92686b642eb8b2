import { type Command, InvalidArgumentError, Option } from 'commander';
import { type HostKind, hostKinds } from '../contract/fields.ts';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { AircherError } from '../core/errors.ts';
import { warn } from '../core/events.ts';
import { formatBytes, plural } from '../core/format.ts';
import { loadConfig } from '../release/load-config.ts';
import { announcedKeyProblems } from '../release/plan/key-continuity.ts';
import type { Plan } from '../release/plan/plan-record.ts';
import { type PlanOptions, planRelease } from '../release/plan/plan-release.ts';
import { describePlannedWeights } from '../release/plan/planned-weights.ts';
import { describeChange } from '../release/prove/measured-change.ts';
import { type CommandDependencies, printResult, questionPatience, workspaceOf } from './dependencies.ts';
import { formatTable } from './table.ts';

/**
 * GitHub Actions runs at most 256 jobs of one matrix. [GitHub docs, "Workflow syntax":
 * jobs.<job_id>.strategy.matrix]
 */
const maxMatrixJobs = 256;

export function planCommand(program: Command, dependencies: CommandDependencies): void {
  program
    .command('plan')
    .description('what would be released, packed, uploaded and carried forward, and why; writes plan.json')
    .option('--matrix', 'print the GitHub Actions matrix of the models to pack (at most 256 groups)')
    .addOption(refillOption())
    .addHelpText('after', '\nExample:\n  aircher-models plan --json | jq ".models[].action"')
    .action(async (options: { matrix?: boolean } & PlanOptions, command: Command) => {
      const workspace = workspaceOf(command, dependencies);
      const loaded = await loadConfig(workspace);
      const targets = await dependencies.targets(loaded.config, workspace, questionPatience);
      const plan = await planRelease(loaded, targets, workspace, { ...options, tuning: questionPatience }).catch(
        nameOffline,
      );
      // An error only for who releases: here nobody has said yet which key will sign.
      const { public_keys: keys = [] } = loaded.config.signing ?? {};
      for (const fact of announcedKeyProblems(plan, keys, workspace)) warn(workspace, fact);
      await dependencies.job.planned(plan, loaded.config, matrixOf(plan));
      if (options.matrix) dependencies.writeOut(`${JSON.stringify(matrixOf(plan))}\n`);
      else printResult(command, dependencies, plan, () => describePlan(plan, loaded.config));
    });
}

function nameOffline(error: unknown): never {
  // A host that answers, with a refusal or an error, would be no nearer without a network.
  if (!(error instanceof AircherError) || error.code !== 'remote' || error.details.status !== undefined) throw error;
  const { message, hint = '', details, problems } = error;
  const offline = 'Without a network: --offline, which takes what was published last from manifests/published/.';
  throw new AircherError('remote', message, { hint: `${hint} ${offline}`.trim(), details, problems, cause: error });
}

/** `--refill HOST`, which may be repeated. */
export function refillOption(): Option {
  const option = new Option('--refill <host>', 'this host was rebuilt: pack again what it lacks (may be repeated)');
  return option.argParser((value: string, earlier: readonly HostKind[] | undefined): readonly HostKind[] => {
    const kind = hostKinds.find((known) => known === value);
    if (kind === undefined) throw new InvalidArgumentError(`It must be one of ${hostKinds.join(', ')}.`);
    return [...(earlier ?? []), kind];
  });
}

/**
 * One job a model, or, above the limit, models in groups of about equal bytes. `models` is what
 * `--model` takes, by spaces.
 */
function matrixOf(plan: Plan): {
  readonly include: readonly { readonly group: string; readonly models: string }[];
} {
  const packed = plan.models
    .filter((model) => model.action === 'pack')
    .sort((a, b) => (b.source_bytes ?? 0) - (a.source_bytes ?? 0));
  const groups: { names: string[]; bytes: number }[] = [];
  for (const model of packed) {
    const lightest =
      groups.length < maxMatrixJobs
        ? undefined
        : groups.reduce((best, group) => (group.bytes < best.bytes ? group : best));
    if (lightest === undefined) groups.push({ names: [model.name], bytes: model.source_bytes ?? 0 });
    else {
      lightest.names.push(model.name);
      lightest.bytes += model.source_bytes ?? 0;
    }
  }
  return { include: groups.map(({ names }) => ({ group: names[0] ?? '', models: names.join(' ') })) };
}

function describePlan(plan: Plan, config: ReleaseConfig): string {
  const rows = plan.models.map((model) => [
    model.name,
    model.version,
    model.action === 'pack' ? 'pack' : 'carry forward',
    model.source_bytes === null ? '–' : formatBytes(model.source_bytes),
    model.targets.length === 0
      ? '–'
      : model.targets.map((kind) => (kind === model.primary ? `${kind} (primary)` : kind)).join(', '),
    model.reason,
  ]);
  const bytes = plan.models.reduce((sum, model) => sum + (model.source_bytes ?? 0), 0);
  const packed = plan.models.filter((model) => model.action === 'pack').length;
  const lines = [
    `${plan.tag}${plan.prerelease ? ' (prerelease)' : ''}, ${plan.base ? `after ${plan.base.tag}` : 'the first release'}`,
    '',
    formatTable(['model', 'version', 'action', 'source', 'to', 'why'], rows),
    '',
    `${plural(packed, 'model')} to pack (${formatBytes(bytes)}), ${plan.models.length - packed} carried forward`,
  ];
  for (const { name, patch_from = [] } of plan.models) {
    if (patch_from.length > 0)
      lines.push(`${name}: a patch from ${patch_from.map(({ version }) => version).join(', ')}`);
  }
  lines.push(...describePlanes(plan, config));
  const weights = describePlannedWeights(plan.models, config);
  if (weights.length > 0) lines.push('', ...weights);
  lines.push(
    ...plan.models.flatMap(({ name, measured }) => (measured ? [`${name}: ${describeChange(measured)}`] : [])),
  );
  if (plan.dropped.length > 0) lines.push(`no longer offered: ${plan.dropped.join(', ')}`);
  return lines.join('\n');
}

/** What byte planes cost and save, whether release.json asks for them or not. */
function describePlanes({ models }: Plan, { encodings }: ReleaseConfig): readonly string[] {
  const planes = models.flatMap((model) => model.planes ?? []);
  if (planes.length === 0) return [];
  const sum = (key: 'upload_bytes' | 'saved_bytes'): string =>
    formatBytes(planes.reduce((bytes, model) => bytes + model[key], 0));
  const state = encodings?.planes ? 'on' : 'off';
  return [
    `byte planes ("encodings.planes", ${state}): about ${sum('upload_bytes')} more to upload, ${sum('saved_bytes')} less for who downloads all of it`,
  ];
}
