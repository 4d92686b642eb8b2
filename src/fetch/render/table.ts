import { oneLine } from '../../core/printable.ts';

/** By heading, what an item has there; undefined becomes a dash. */
export type Columns<T> = Readonly<Record<string, (item: T) => string | undefined>>;

/** Lines of columns aligned by blanks; the last one isn't padded. */
export function table<T>(items: readonly T[], columns: Columns<T>): readonly string[] {
  const cells = Object.values(columns);
  const lines = [Object.keys(columns), ...items.map((item) => cells.map((cell) => oneLine(cell(item) ?? '-')))];
  const widths = cells.map((_, column) => Math.max(...lines.map((line) => [...line[column]!].length)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length))
      .join('  ')
      .trimEnd(),
  );
}
