import { oneLine } from './one-line.ts';

/** Wider cells would wrap, and a table that wraps cannot be read. */
const WIDEST = 72;

/** A table of left-aligned columns under a heading; absent cells are shown as `-`. */
export function formatTable(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const lines = [columns, ...rows.map((row) => row.map(showCell))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines
    .map((line) => {
      const cells = line.map((cell, index) => cell.padEnd(widths[index] ?? 0));
      return cells.join('  ').trimEnd();
    })
    .join('\n');
}

function showCell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  const line = oneLine(typeof value === 'string' ? value : JSON.stringify(value));
  return line.length <= WIDEST ? line : `${line.slice(0, WIDEST - 1)}…`;
}
