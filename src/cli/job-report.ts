import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import type { ReleaseConfig } from '../contract/release-config.ts';
import { type AircherError, formatPlace, type Problem } from '../core/errors.ts';
import { formatBytes, plural } from '../core/format.ts';
import { markdownText } from '../core/markdown.ts';
import type { Plan } from '../release/plan/plan-record.ts';
import { describePlannedWeights } from '../release/plan/planned-weights.ts';
import type { PublishReport } from '../release/publish/publish-release.ts';
import type { VerifyReport } from '../release/verify/verify-release.ts';
import { verifiedHosts } from './describe-verify.ts';
import { problemPlace } from './problem-place.ts';
import { workflowCommand } from './workflow-command.ts';

/**
 * What GitHub Actions gives a step to report by. Elsewhere nothing of it is there, and nothing is
 * reported.
 */
export interface JobEnvironment {
  /** GITHUB_ACTIONS is `true`: workflow commands on stderr are understood. */
  readonly inActions: boolean;
  /** GITHUB_STEP_SUMMARY: a file that Markdown is appended to. */
  readonly summaryFile: string | undefined;
  /** GITHUB_OUTPUT: a file that `name=value` lines are appended to. */
  readonly outputFile: string | undefined;
}

/**
 * Tells the job that a command runs in what came of it: step outputs, the job's summary,
 * annotations of problems.
 */
export interface JobReport {
  /** Outputs: tag, pack, matrix, carried. */
  planned(plan: Plan, config: ReleaseConfig, matrix: object): Promise<void>;
  /** Outputs: tag, state. `notes` is RELEASE_NOTES.md, with the release's table. */
  published(report: PublishReport, notes: string): Promise<void>;
  verified(report: VerifyReport): Promise<void>;
  warned(problem: Problem): void;
  /** The end of the command: annotations of all warnings, and of the error's problems. */
  ended(error?: AircherError): Promise<void>;
}

/**
 * `write` takes workflow commands: the runner reads them on stderr as well as on stdout, which
 * carries data.
 */
export function createJobReport(
  job: JobEnvironment,
  options: {
    readonly directory: string;
    readonly write: (text: string) => void;
    readonly mask: (text: string) => string;
  },
): JobReport {
  const warnings: Problem[] = [];
  const summarize = async (text: string): Promise<void> => {
    if (job.summaryFile !== undefined) await appendFile(job.summaryFile, `${options.mask(text).trimEnd()}\n\n`);
  };
  const output = async (values: Readonly<Record<string, string>>): Promise<void> => {
    if (job.outputFile !== undefined) await appendFile(job.outputFile, formatOutputs(values));
  };
  // Before it is escaped, which would make another text of a secret.
  const textOf = (problem: Problem, beforeHint: string): string => {
    const hint = problem.hint === undefined ? '' : `${beforeHint}${problem.hint}`;
    return options.mask(`${formatPlace(problem)}${problem.message}${hint}`);
  };
  const annotate = async (problem: Problem): Promise<void> => {
    const { file, line } = (await problemPlace(problem, options.directory)) ?? {};
    options.write(workflowCommand(problem.level, { file, line: line?.toString() }, textOf(problem, '\n')));
  };
  return {
    planned: async (plan, config, matrix) => {
      const names = (action: string) => plan.models.filter((model) => model.action === action).map(({ name }) => name);
      const packed = names('pack');
      await output({
        tag: plan.tag,
        pack: String(packed.length > 0),
        matrix: JSON.stringify(matrix),
        carried: names('carry').join(' '),
      });
      await summarize(planSummary(plan, config));
    },
    published: async (report, notes) => {
      await output({ tag: report.tag, state: report.state });
      await summarize(publishSummary(report, notes));
    },
    verified: async (report) => await summarize(verifySummary(report)),
    warned: (problem) => {
      warnings.push(problem);
    },
    ended: async (error) => {
      if (job.inActions) {
        for (const problem of warnings) await annotate(problem);
        if (error) for (const problem of told(error)) await annotate(problem);
      }
      if (error) await summarize(failureSummary(told(error).map((problem) => textOf(problem, ' '))));
    },
  };
}

/** The errors that make up one, or that one. */
function told({ message, hint, problems }: AircherError): readonly Problem[] {
  const errors = problems.filter((problem) => problem.level === 'error');
  return errors.length > 0 ? errors : [{ level: 'error', message, ...(hint === undefined ? {} : { hint }) }];
}

/**
 * [GitHub docs, "Setting an output parameter": `name=value`, and a delimiter of one's own for
 * several lines]
 */
function formatOutputs(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (!/[\r\n]/.test(value)) return `${name}=${value}\n`;
      const delimiter = `end-${randomUUID()}`;
      return `${name}<<${delimiter}\n${value}\n${delimiter}\n`;
    })
    .join('');
}

function planSummary(plan: Plan, config: ReleaseConfig): string {
  const rows = plan.models.map((model) => [
    model.name,
    model.version,
    model.action === 'pack' ? 'pack' : 'carry forward',
    model.source_bytes === null ? '–' : formatBytes(model.source_bytes),
    model.targets.join(', ') || '–',
    model.reason,
  ]);
  const base = plan.base === null ? 'the first release' : `after ${plan.base.tag}`;
  return [
    `## Plan of ${plan.tag}, ${base}`,
    '',
    markdownTable(['model', 'version', 'action', 'source', 'to', 'why'], rows),
    ...describePlannedWeights(plan.models, config).map((line, at) => `${at === 0 ? '\n' : ''}- ${markdownText(line)}`),
    ...(plan.dropped.length > 0 ? ['', `No longer offered: ${plan.dropped.join(', ')}`] : []),
  ].join('\n');
}

function publishSummary(report: PublishReport, notes: string): string {
  const title = {
    public: `${report.tag} is public`,
    waiting: `${report.tag} waits for ${report.waiting_for.join(' and ')}`,
    'dry-run': `${report.tag}: a dry run, nothing was sent`,
  }[report.state];
  const verb = report.state === 'dry-run' ? 'to send' : 'sent';
  const rows = report.sent.map(({ place, files, bytes }) => [place, plural(files.length, 'file'), formatBytes(bytes)]);
  const places = report.state === 'public' ? Object.values(report.public_urls).map((url) => `- ${url}`) : [];
  return [`## ${title}`, '', markdownTable(['target', verb, 'size'], rows), '', ...places, '', notes].join('\n');
}

function verifySummary(report: VerifyReport): string {
  const rows = verifiedHosts(report).map(({ host, summary, deviating }) => [
    host,
    summary,
    deviating.join('; ') || '–',
  ]);
  return [
    `## ${report.tag} ${report.ok ? 'is whole on every host' : 'has faults'}`,
    '',
    markdownTable(['host', 'files', 'what deviates'], rows),
  ].join('\n');
}

function failureSummary(problems: readonly string[]): string {
  const lines = problems.map((text) => `- ${text.split('\n').map(markdownText).join('\\\n  ')}`);
  return ['## Failed', '', ...lines].join('\n');
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(markdownText).join(' | ')} |`;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}
