import { startDeadline } from '../transport/deadline.ts';
import type { Timing } from '../transport/timing.ts';

/** A moment by two clocks: one stands still while a machine sleeps, somebody may set the other. */
export interface Moment {
  readonly now: number;
  readonly steady: number;
}

export function momentOf(timing: Timing): Moment {
  return { now: timing.now(), steady: timing.steady() };
}

/** Milliseconds since a moment, by the clock that says more. */
export function millisecondsSince(moment: Moment, timing: Timing): number {
  return Math.max(timing.now() - moment.now, timing.steady() - moment.steady);
}

export interface RenewalOptions {
  /** What is held, for messages. */
  readonly name: string;
  /** Seconds. */
  readonly ttl: number;
  /** When the request was *sent* that was granted: Skerry's time began later. */
  readonly sentAt: Moment;
  /** Whether it is still held; throws what may pass. */
  readonly renew: (signal: AbortSignal) => Promise<boolean>;
  readonly timing: Timing;
}

/**
 * Holds something of Skerry that ends unless it is renewed in time. The local deadline is a ttl after the last successful renewal was
 * sent, so that it is over here before it is over there.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #end = new AbortController();
  #sentAt: Moment;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#sentAt = options.sentAt;
    void this.#keep();
    void this.#watchDeadline();
  }

  /** Aborted when it is lost or ended, with the reason. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** By the clock, not only by the signal, whose timer is late where the process was stopped. */
  get isHeld(): boolean {
    return !this.signal.aborted && this.#left > 0;
  }

  /** Renews it no longer. */
  end(reason: unknown): void {
    this.#end.abort(reason);
  }

  /** Milliseconds. */
  get #left(): number {
    return this.#options.ttl * 1000 - millisecondsSince(this.#sentAt, this.#options.timing);
  }

  async #keep(): Promise<void> {
    const { timing } = this.#options;
    const third = (this.#options.ttl * 1000) / 3;
    await this.#pause(third * (0.9 + timing.random() / 5) - millisecondsSince(this.#sentAt, timing));
    while (!this.signal.aborted) {
      const isDone = await this.#renew(third);
      await this.#pause(
        isDone ? third * (0.9 + timing.random() / 5) : Math.min(third / 4, 1000) * timing.random(),
      );
    }
  }

  /** @param patience milliseconds: an attempt that hangs must not cost more than its share of the time. */
  async #renew(patience: number): Promise<boolean> {
    const { timing, renew, name } = this.#options;
    const sentAt = momentOf(timing);
    const attempt = startDeadline(patience, this.signal);
    try {
      if (await renew(attempt.signal)) this.#sentAt = sentAt;
      else this.end(new Error(`${name} is held no more.`));
      return true;
    } catch {
      return false;
    } finally {
      attempt.end();
    }
  }

  /** Ends at once when it is lost. */
  async #pause(milliseconds: number): Promise<void> {
    await this.#options.timing.wait(Math.max(0, milliseconds), this.signal).catch(() => {});
  }

  async #watchDeadline(): Promise<void> {
    const { name } = this.#options;
    while (!this.signal.aborted) {
      if (this.#left <= 0) this.end(new Error(`${name} could not be renewed in time.`));
      else await this.#pause(this.#left);
    }
  }
}
