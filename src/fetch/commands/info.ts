import { formatBytes } from '../../core/format.ts';
import { oneLine } from '../../core/printable.ts';
import { describeModel, type ModelInfo } from '../operations/describe-model.ts';
import type { Command } from './command.ts';

export const infoCommand: Command = {
  name: 'info',
  aliases: ['show'],
  operands: 'NAME[@VERSION]',
  summary: 'all about one model: licence, dimensions, weights, versions and their embedding spaces',
  examples: {
    'gte-large': 'the newest version, and what of it is here',
    'gte-large@1.0.0 --json': 'an older one, for programs',
  },
  async run({ client, models, output, context }) {
    for (const { name, range } of models) {
      const info = await describeModel(client, name, range, context);
      output.document(info);
      for (const [what, value] of rows(info)) output.print(`${what.padEnd(12)}${oneLine(value)}`);
    }
    return;
  },
};

function rows(info: ModelInfo): readonly (readonly [string, string])[] {
  const { here, weights, history, prompts = {} } = info;
  const vectors = [
    info.dimensions === undefined ? undefined : `${info.dimensions} dimensions`,
    info.max_tokens === undefined ? undefined : `at most ${info.max_tokens} tokens`,
    info.pooling,
    info.normalized ? 'normalised' : undefined,
    info.similarity,
  ];
  const terms = info.commercial_use === false ? ' (no commercial use)' : '';
  const all: readonly (readonly [string, string | undefined])[] = [
    ['model', `${info.name} ${info.version}${info.tag === undefined ? '' : `, of ${info.tag}`}`],
    ['withdrawn', info.yanked],
    ['licence', `${info.license ?? 'not stated'}${terms}`],
    ['code', info.allow_code ? 'holds program code that loaders may run' : undefined],
    ['vectors', joined(vectors)],
    ['prompts', joined(Object.keys(prompts))],
    ['on disk', formatBytes(info.size_bytes)],
    ...weights.map((one) => ['weights', weightsLine(one)] as const),
    ['changes', info.changes],
    ...history.map((one) => ['earlier', `${one.version}, ${spaceBeside(one.space, info)}`] as const),
    ['made from', info.hub_source],
    ['hosts', joined(info.mirrors)],
    ...here.map(({ version, current, pinned, cache, path }) => {
      const place = cache === 'system' ? 'system cache' : undefined;
      const use = joined([current ? 'in use' : undefined, pinned ? 'pinned' : undefined, place]);
      return ['here', `${version}${use === undefined ? '' : ` (${use})`}: ${path}`] as const;
    }),
    ['here', here.length === 0 ? `nothing: install ${info.name}` : undefined],
  ];
  return all.flatMap(([what, value]) => (value === undefined ? [] : [[what, value] as const]));
}

function weightsLine({ path, default: isDefault, size_bytes, space }: ModelInfo['weights'][number]): string {
  return `${path}${isDefault ? ' (default)' : ''}, ${formatBytes(size_bytes)} on disk, space ${space.slice(0, 12)}`;
}

/** Whether vectors of another version can be compared with those of this one. */
function spaceBeside(space: string | undefined, info: ModelInfo): string {
  if (space === undefined || info.space === undefined) return 'space unknown';
  return space === info.space ? 'the same space' : 'another space: its indices must be rebuilt';
}

function joined(parts: readonly (string | undefined)[]): string | undefined {
  return parts.filter((part) => part !== undefined && part !== '').join(', ') || undefined;
}
