import type { HostKind } from '../contract/fields.ts';
import { formatBytes, plural } from '../core/format.ts';
import type { VerifyReport } from '../release/verify/verify-release.ts';
import { formatTable } from './table.ts';

/** Names of files in one state that a line has room for. */
const namedFiles = 10;

/**
 * A line a host, and below it what isn't as it should be; with `verbose` a row for every file too.
 */
export function describeVerify(report: VerifyReport, { verbose }: { readonly verbose: boolean }): string {
  const { tag, ok, downloaded } = report;
  const hosts = verifiedHosts(report);
  return [
    ...(verbose ? [fileTable(report), ''] : []),
    ...hosts.flatMap(({ host, summary, deviating }) => [
      `${host}: ${summary}`,
      ...deviating.map((line) => `  ${line}`),
    ]),
    ...(downloaded
      ? [`${plural(downloaded.file_count, 'file')} downloaded and hashed, ${formatBytes(downloaded.bytes)}.`]
      : []),
    ok ? `${tag} is whole on ${hosts.map(({ host }) => host).join(', ')}.` : `${tag} has faults.`,
  ].join('\n');
}

interface VerifiedHost {
  readonly host: HostKind;
  /** `45 files, 44 ok` */
  readonly summary: string;
  /** A line for each state but `ok`, with the files in it. */
  readonly deviating: readonly string[];
}

export function verifiedHosts({ files }: VerifyReport): readonly VerifiedHost[] {
  return unique(files.map(({ target }) => target)).map((host) => {
    const all = files.filter(({ target }) => target === host);
    const count = plural(all.length, 'file');
    const states = unique(all.map(({ state }) => state));
    if (states.length === 1) return { host, summary: `${count}, all ${states[0]}`, deviating: [] };
    const inState = (state: string) => all.filter((file) => file.state === state).map(({ name }) => name);
    return {
      host,
      summary: `${count}, ${inState('ok').length} ok`,
      deviating: states.filter((state) => state !== 'ok').map((state) => `${state}: ${listed(inState(state))}`),
    };
  });
}

function listed(names: readonly string[]): string {
  const more = names.length > namedFiles ? ` and ${names.length - namedFiles} more (--verbose names all)` : '';
  return `${names.slice(0, namedFiles).join(', ')}${more}`;
}

/** A line an artifact, a column a host. */
function fileTable({ files }: VerifyReport): string {
  const kinds = unique(files.map(({ target }) => target));
  return formatTable(
    ['artifact', ...kinds],
    unique(files.map(({ name }) => name)).map((name) => [
      name,
      ...kinds.map((kind) => files.find((file) => file.name === name && file.target === kind)?.state ?? '–'),
    ]),
  );
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
