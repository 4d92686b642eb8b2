import { formatBytes, plural } from '../core/format.ts';
import type { VerifyReport } from '../release/verify.ts';
import { formatTable } from './table.ts';

/** Names of files in one state that a line of a host has room for. */
const namedFiles = 10;

/** A line a host, and below it what isn't as it should be; with `verbose` a row for every file. */
export function describeVerify(report: VerifyReport, { verbose }: { readonly verbose: boolean }): string {
  const { tag, ok, downloaded } = report;
  const hosts = verifiedHosts(report);
  const lines = hosts.flatMap(({ host, summary, deviating }) => [
    `${host}: ${summary}`,
    ...deviating.map((line) => `  ${line}`),
  ]);
  return [
    ...(verbose ? [fileTable(report), ''] : []),
    ...lines,
    ...(downloaded
      ? [`${plural(downloaded.files, 'file')} downloaded and hashed, ${formatBytes(downloaded.bytes)}.`]
      : []),
    ok ? `${tag} is whole on ${hosts.map(({ host }) => host).join(', ')}.` : `${tag} has faults.`,
  ].join('\n');
}

/** Each host: how many of its files are as they should be, and which are not, by state. */
export function verifiedHosts({ files }: VerifyReport): readonly {
  readonly host: string;
  readonly summary: string;
  readonly deviating: readonly string[];
}[] {
  const byHost = Map.groupBy(files, ({ target }) => target);
  return [...byHost].map(([host, all]) => {
    const states = Map.groupBy(all, ({ state }) => state);
    const whole = states.get('ok')?.length ?? 0;
    const others = [...states].filter(([state]) => state !== 'ok');
    const [only] = others;
    if (only !== undefined && only[1].length === all.length) {
      return { host, summary: `${plural(all.length, 'file')}, all ${only[0]}`, deviating: [] };
    }
    const deviating = others.map(([state, some]) => {
      const more = some.length > namedFiles ? ` and ${some.length - namedFiles} more (--verbose shows all)` : '';
      return `${state}: ${some
        .slice(0, namedFiles)
        .map(({ name }) => name)
        .join(', ')}${more}`;
    });
    const summary =
      others.length === 0 ? `${plural(all.length, 'file')}, all ok` : `${plural(all.length, 'file')}, ${whole} ok`;
    return { host, summary, deviating };
  });
}

/** A line an artifact, a column a target. */
function fileTable({ files }: VerifyReport): string {
  const kinds = [...new Set(files.map((file) => file.target))];
  const byName = Map.groupBy(files, ({ name }) => name);
  return formatTable(
    ['artifact', ...kinds],
    [...byName].map(([name, rows]) => [
      name,
      ...kinds.map((kind) => rows.find(({ target }) => target === kind)?.state ?? '–'),
    ]),
  );
}
