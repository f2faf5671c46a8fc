import type { Clock } from '../../../infra/local/servicebus/broker/clock.ts';

/** A clock that stands still until it is told to move, and then runs what has become due, in order. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  readonly #alarms = new Set<{ readonly at: number; readonly action: () => void }>();

  now(): number {
    return this.#now;
  }

  schedule(at: number, action: () => void): () => void {
    const alarm = { at, action };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  }

  /** Moves on, and lets what was started on the way finish. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#alarms]
        .filter(({ at }) => at <= end)
        .sort((left, right) => left.at - right.at);
      if (next === undefined) break;
      this.#alarms.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }
}
