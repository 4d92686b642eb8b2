import { usageError } from '../../core/errors.ts';
import { formatBytes, plural } from '../../core/format.ts';
import { copyReleases } from '../copy/copy-releases.ts';
import type { Command } from './command.ts';
import { numberOption } from './number-option.ts';

export const mirrorCommand: Command = {
  name: 'mirror',
  operands: '[NAME…] --to DIR',
  summary: 'copies releases into a directory that other clients have as their source',
  details:
    'All of the newest release, each file checked by its digest. Only what is missing is fetched. See docs/mirrors.md.',
  examples: {
    '--to /srv/models': 'others have its manifest.json as their source',
    'my-model --to /srv/models --releases 3 --prune': 'exactly this model, of three releases',
  },
  options: {
    '--to DIR': 'made where it is missing',
    '--releases N': 'how many releases, from the newest on; default 1. What was copied before stays',
    '--prune': 'delete what older releases and other models alone have',
    '--dry-run': 'only say what would be copied and deleted',
  },
  async run({ client, names, options, output, context }) {
    const to = options.to?.at(-1);
    if (to === undefined) throw usageError('Where to? mirror --to DIR');
    const [prune, dryRun] = [options.prune !== undefined, options['dry-run'] !== undefined];
    const releases = numberOption(options, 'releases', 9_999);
    const report = await copyReleases(client, to, { ...context, names, releases, prune, dryRun });
    output.document(report);
    for (const file of report.files) output.print(file);
    for (const file of report.removed) output.print(`${file}  ${dryRun ? 'would be deleted' : 'deleted'}`);
    const fetched = `${plural(report.files.length, 'file')}, ${formatBytes(report.bytes)}`;
    output.note(`${report.tags.join(', ')}: ${fetched} ${dryRun ? 'to copy' : 'copied'} to ${to}.`);
    return;
  },
};
