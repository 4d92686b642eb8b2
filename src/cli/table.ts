import { oneLine } from '../core/printable.ts';

/** Columns aligned by two spaces, numbers to the right. Lines carry no trailing spaces. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = rows.map((row) => row.map(oneLine));
  const all = [head, ...lines];
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(row[column] ?? ''))));
  return all
    .map((row) =>
      row
        .map((cell, column) => pad(cell, widths[column] ?? 0, isNumeric(column, rows)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function isNumeric(column: number, rows: readonly (readonly string[])[]): boolean {
  return rows.length > 0 && rows.every((row) => /^(–|[\d.,]+( [KMGT]?B)?)$/.test(row[column] ?? ''));
}

function pad(cell: string, columns: number, right: boolean): string {
  const gap = ' '.repeat(columns - width(cell));
  return right ? gap + cell : cell + gap;
}

function width(text: string): number {
  return [...text].length;
}
