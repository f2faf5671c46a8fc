import type { HostClock } from '../../../infra/local/host/clock.ts';

/** Time that only the test moves. Sleepers wake in the order of their time. */
export class ManualClock implements HostClock {
  #now: number;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** How long each present sleeper still sleeps, in milliseconds. */
  get pending(): number[] {
    return [...this.#sleepers].map(({ until }) => until - this.#now);
  }

  async sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (milliseconds <= 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const sleeper = {
        until: this.#now + milliseconds,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Moves time on, and lets all that was due go on to where it waits again. */
  async advance(milliseconds: number): Promise<void> {
    this.#now += milliseconds;
    for (const sleeper of this.#sleepers) if (sleeper.until <= this.#now) sleeper.wake();
    await this.settle();
  }

  /** Lets what is not asleep run until it sleeps. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
