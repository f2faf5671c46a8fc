import type { Writable } from 'node:stream';

/** The last lines of a terminal, which are drawn anew in their place; what is printed goes above them and stays. */
export interface LiveRegion {
  /**
   * @param printed stay.
   * @param live are shown instead of those before, as far as the terminal has room for them.
   */
  show(printed: readonly string[], live: readonly string[]): void;
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
    show(printed, live) {
      const shown = isTerminal ? live.slice(0, (out.rows || DEFAULT_ROWS) - 1).map(fit) : [];
      if (printed.length === 0 && shown.join('\n') === drawn.join('\n')) return;
      // Up to the first line of the region, and everything below it is cleared.
      const back = drawn.length === 0 ? '' : `\u001b[${drawn.length}A\r\u001b[J`;
      drawn = shown;
      out.write(back + [...printed, ...shown].map((line) => `${line}\n`).join(''));
    },
  };

  /** A line that wraps would be two, and the next picture would leave one of them. */
  function fit(line: string): string {
    return line.slice(0, (out.columns || DEFAULT_COLUMNS) - 1);
  }
}
