import type { Writable } from 'node:stream';

/** The last lines of a terminal, which are drawn anew in their place; what is printed goes above them and stays. */
export interface LiveRegion {
  print(lines: readonly string[]): void;
  /** Shows these lines instead of those that it showed; no more of them than the terminal has room for. */
  draw(lines: readonly string[]): void;
}

interface Terminal extends Writable {
  readonly columns?: number;
  readonly rows?: number;
}

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

/** @param isTerminal without one only what is printed is written. */
export function openLiveRegion(out: Terminal, isTerminal: boolean): LiveRegion {
  let drawn: readonly string[] = [];
  return {
    print(lines) {
      write(lines, drawn);
    },
    draw(lines) {
      if (isTerminal) write([], lines.slice(0, (out.rows || DEFAULT_ROWS) - 1));
    },
  };

  function write(printed: readonly string[], live: readonly string[]): void {
    // Up to the first line of the region, and everything below it is cleared.
    const back = drawn.length === 0 ? '' : `\u001b[${drawn.length}A\r\u001b[J`;
    drawn = live.map((line) => fit(line));
    const text = [...printed, ...drawn].map((line) => `${line}\n`).join('');
    if (back !== '' || text !== '') out.write(`${back}${text}`);
  }

  /** A line that wraps would be two, and the next picture would leave one of them. */
  function fit(line: string): string {
    return line.slice(0, (out.columns || DEFAULT_COLUMNS) - 1);
  }
}
