import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { formatTable } from './format-table.ts';
import { type LiveRegion, openLiveRegion } from './live-region.ts';
import { type Progress, showProgress } from './progress-bar.ts';

/** Where results go, as people or as programs read them. Standard output holds nothing but results. */
export interface Output {
  readonly isJson: boolean;
  /** Whether a person reads the results on a terminal. */
  readonly isTerminal: boolean;
  /** The whole result: one JSON document, or the text. */
  document(value: unknown, text: () => string): void;
  /** One event of a stream: a line of JSON, or the text. */
  event(value: unknown, text: () => string): void;
  /** Like {@link document}, with a table for people. */
  table(value: unknown, columns: readonly string[], rows: () => readonly (readonly unknown[])[]): void;
  /** Content as it is. */
  raw(content: Uint8Array): void;
  /** What a person should know and a program need not, on standard error. */
  note(text: string): void;
  /** Shows on a terminal, on standard error, how far something of so many bytes is. */
  progress(label: string, total?: number): Progress;
  /** Results for people that change while they are shown: in their place on a terminal. */
  live(): LiveRegion;
  /** A text in a colour, where standard output is a terminal that has some. */
  paint(colour: 'red' | 'green' | 'cyan' | 'bold', text: string): string;
}

export function createOutput({
  isJson,
  out,
  err,
}: {
  isJson: boolean;
  out: Writable;
  err: Writable;
}): Output {
  const isTerminal = !isJson && 'isTTY' in out && out.isTTY === true;
  const output: Output = {
    isJson,
    isTerminal,
    document(value, text) {
      writeLine(isJson ? JSON.stringify(value, null, 2) : text());
    },
    event(value, text) {
      writeLine(isJson ? JSON.stringify(value) : text());
    },
    table(value, columns, rows) {
      output.document(value, () => formatTable(columns, rows()));
    },
    raw(content) {
      out.write(content);
    },
    note(text) {
      err.write(`${text}\n`);
    },
    progress(label, total) {
      const isShown = !isJson && 'isTTY' in err && err.isTTY === true;
      return showProgress(label, total, isShown ? err : undefined);
    },
    live() {
      return openLiveRegion(out, isTerminal);
    },
    paint(colour, text) {
      return styleText(colour, text, { stream: out });
    },
  };
  return output;

  function writeLine(line: string): void {
    if (line !== '') out.write(line.endsWith('\n') ? line : `${line}\n`);
  }
}
