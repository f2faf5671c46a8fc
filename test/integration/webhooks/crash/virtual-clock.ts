import type { Clock as BrokerClock } from '../../../../infra/local/servicebus/broker/clock.ts';
import type { Clock } from '../../../../shared/platform/clock.ts';

interface Timer {
  readonly at: number;
  readonly action: () => void;
}

/** Time that passes only when a test says so, for the bus and the processes alike. */
export class VirtualClock implements Clock, BrokerClock {
  #now = Date.now();
  readonly #timers = new Set<Timer>();
  /** When, in real time, each virtual moment began; ascending in both. */
  readonly #moments: { readonly at: number; readonly realAt: number }[] = [];

  now(): number {
    return this.#now;
  }

  async sleep(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.schedule(this.#now + milliseconds, resolve);
    });
  }

  schedule(at: number, action: () => void): () => void {
    const timer = { at, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass, but nothing happen yet. */
  pass(milliseconds: number): void {
    this.#moments.push({ at: this.#now, realAt: Date.now() });
    this.#now += Math.ceil(milliseconds);
  }

  /** Lets happen what is due. */
  ring(): void {
    const due = [...this.#timers].filter(({ at }) => at <= this.#now).sort((one, other) => one.at - other.at);
    for (const timer of due) {
      if (this.#timers.delete(timer)) {
        timer.action();
      }
    }
  }

  /** Lets time pass until something is due, if it is within a time; returns whether it is. */
  skip(milliseconds: number): boolean {
    const next = [...this.#timers].reduce((first, { at }) => Math.min(first, at), Number.POSITIVE_INFINITY);
    if (next > this.#now + milliseconds) {
      return false;
    }
    this.pass(Math.max(0, next - this.#now));
    this.ring();
    return true;
  }

  /** A moment in real time before which nothing happened that is as late as `at` by this clock. */
  toReal(at: number): number {
    return (this.#moments.findLast((moment) => moment.at < at) ?? this.#moments[0])?.realAt ?? 0;
  }
}

/** The clock of a process, which is fast by so many milliseconds. */
export function skewed(clock: Clock, skew: number): Clock {
  return { now: () => clock.now() + skew, sleep: (milliseconds) => clock.sleep(milliseconds) };
}
