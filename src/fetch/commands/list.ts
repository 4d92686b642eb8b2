import { formatBytes } from '../../core/format.ts';
import { listInstalled, listOffered } from '../operations/list-models.ts';
import { table } from '../render/table.ts';
import type { Command } from './command.ts';

export const listCommand: Command = {
  name: 'list',
  operands: '',
  count: [0, 0],
  summary: 'what is installed, or with --remote what is offered',
  examples: [
    ['list', 'installed models and versions'],
    ['list --remote', 'what the newest release offers'],
    ['list --json', 'the same for programs'],
  ],
  options: { remote: { type: 'boolean', help: 'what can be installed, from the newest release' } },
  async run({ client, options, output, context }) {
    if (options.remote) {
      const offered = await listOffered(client, context);
      if (output.json) output.printJson(offered);
      else {
        output.note(`Release ${offered.release ?? 'without a name'}:`);
        output.print(
          table(
            ['MODEL', 'VERSION', 'INSTALLED', 'SIZE', 'DIMENSIONS', 'LICENCE', 'SPACE'],
            offered.models.map((model) => [
              model.name,
              model.yanked === undefined ? model.version : `${model.version} (withdrawn)`,
              model.installed ?? '-',
              formatBytes(model.size_bytes),
              model.dimensions === undefined ? '-' : String(model.dimensions),
              model.license ?? 'not stated',
              shortSpace(model.space),
            ]),
          ),
        );
      }
      return 0;
    }
    const installed = await listInstalled(client);
    if (output.json) output.printJson({ models: installed });
    else if (installed.length === 0) output.note('No model is installed. See what there is: list --remote');
    else {
      output.print(
        table(
          ['MODEL', 'VERSION', '', 'SIZE', 'DIMENSIONS', 'LICENCE', 'SPACE'],
          installed.map((version) => [
            version.name,
            version.version,
            [version.current ? 'current' : '', version.pinned ? 'pinned' : ''].filter(Boolean).join(', '),
            formatBytes(version.size_bytes),
            version.dimensions === undefined ? '-' : String(version.dimensions),
            version.license ?? 'not stated',
            shortSpace(version.space),
          ]),
        ),
      );
    }
    return 0;
  },
};

/** Enough of the digest to see by eye whether two are equal. */
export function shortSpace(space: string | undefined): string {
  return space?.slice(0, 12) ?? '-';
}
