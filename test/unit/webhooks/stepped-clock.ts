import type { Clock } from '../../../shared/platform/clock.ts';

/** A clock that stands still until it is told to move, and then wakes who slept for less. */
export class SteppedClock implements Clock {
  #now = Date.parse('2026-01-01T00:00:00Z');
  readonly #sleepers = new Set<{ readonly at: number; readonly wake: () => void }>();

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number): Promise<void> {
    return milliseconds <= 0
      ? Promise.resolve()
      : new Promise((wake) => this.#sleepers.add({ at: this.#now + milliseconds, wake }));
  }

  /** Moves on, and lets what was started on the way finish. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#sleepers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) {
        break;
      }
      this.#sleepers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}
