const LONGEST_PAUSE = 10;
/** After so many milliseconds without an end the next one counts as the first again. */
const CALM = 60_000;

/** How long to wait before a process that ended by itself is started again: not at all at first, then ever longer. */
export class RestartPauses {
  #ends = 0;
  #lastEnd = Number.NEGATIVE_INFINITY;

  /** Notes that a process ended, and returns the seconds to wait: 0, 1, 2, 4, 8, 10, 10… */
  next(): number {
    const now = performance.now();
    if (now - this.#lastEnd > CALM) this.#ends = 0;
    this.#lastEnd = now;
    const pause = this.#ends === 0 ? 0 : Math.min(2 ** (this.#ends - 1), LONGEST_PAUSE);
    this.#ends++;
    return pause;
  }
}
