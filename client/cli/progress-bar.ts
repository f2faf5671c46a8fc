import { Transform, type Writable } from 'node:stream';
import { formatBytes } from './format-bytes.ts';

/** How far something of so many bytes is. */
export interface Progress {
  /** So many more bytes are done. */
  readonly advance: (bytes: number) => void;
  /** Counts what goes through. */
  count(): Transform;
  /** May be called again. */
  end(): void;
}

const WIDTH = 24;
/** Milliseconds between two pictures. */
const INTERVAL = 100;
/** Moves to the start of the line, and clears it. */
const CLEAR = '\r\u001b[K';

/**
 * @param total bytes; where nobody tells how many are done, only the label is shown.
 * @param terminal where a bar is drawn; without it, nothing is shown.
 */
export function showProgress(
  label: string,
  total: number | undefined,
  terminal: Writable | undefined,
): Progress {
  const startedAt = performance.now();
  let done = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isOver = terminal === undefined;

  const advance = (bytes: number) => {
    done += bytes;
    const now = performance.now();
    if (isOver || now - drawnAt < INTERVAL) return;
    drawnAt = now;
    draw((now - startedAt) / 1000);
  };
  advance(0);
  return {
    advance,
    count: () =>
      new Transform({
        transform(chunk: Buffer, _, next) {
          advance(chunk.byteLength);
          next(null, chunk);
        },
      }),
    end() {
      if (!isOver) terminal?.write(CLEAR);
      isOver = true;
    },
  };

  function draw(seconds: number): void {
    if (total === undefined) {
      terminal?.write(`${CLEAR}${label}…`);
      return;
    }
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const rate = seconds < 0.5 ? '' : `  ${formatBytes(done / seconds)}/s`;
    terminal?.write(
      `${CLEAR}${label}  [${bar}] ${percent}  ${formatBytes(done)} of ${formatBytes(total)}${rate}`,
    );
  }
}
