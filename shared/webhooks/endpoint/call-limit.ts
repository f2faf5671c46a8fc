import type { Clock } from '../../platform/clock.ts';

/** Calls of one endpoint at a time, of one process. */
const MAX_CALLS = 10;
/** How long a call waits here for its turn: less than the way over the bus takes. */
const MAX_WAIT_MILLISECONDS = 200;
const MAX_WAITING = 200;

/** Weight of the newest call in the mean duration. */
const NEWEST_WEIGHT = 0.2;

/** To be called when the call is over. */
export type Leave = () => void;

/**
 * Lets so many calls of an endpoint run at a time. A burst to a fast endpoint waits for its turn; who would wait for too
 * long is turned away at once, so that a slow endpoint holds up nobody but itself.
 */
export class CallLimit {
  readonly #clock: Clock;
  readonly #running = new Set<{ readonly startedAt: number }>();
  readonly #waiting = new Set<(leave: Leave | undefined) => void>();
  #meanMilliseconds = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined when it is not this call's turn within a moment. */
  async enter(): Promise<Leave | undefined> {
    if (this.#running.size < MAX_CALLS) {
      return this.#begin();
    }
    if (!this.#isSoon()) {
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<Leave | undefined>();
    this.#waiting.add(resolve);
    void this.#clock.sleep(MAX_WAIT_MILLISECONDS).then(() => {
      if (this.#waiting.delete(resolve)) {
        resolve(undefined);
      }
    });
    return await promise;
  }

  #begin(): Leave {
    const call = { startedAt: this.#clock.now() };
    this.#running.add(call);
    return () => {
      if (!this.#running.delete(call)) {
        return;
      }
      const duration = this.#clock.now() - call.startedAt;
      this.#meanMilliseconds += NEWEST_WEIGHT * (duration - this.#meanMilliseconds);
      const [next] = this.#waiting;
      if (next !== undefined) {
        this.#waiting.delete(next);
        next(this.#begin());
      }
    };
  }

  /** Judged by the mean of the calls before, or by the oldest one that runs, if that takes longer. */
  #isSoon(): boolean {
    const [oldest] = this.#running;
    const age = oldest === undefined ? 0 : this.#clock.now() - oldest.startedAt;
    const expected = (Math.max(this.#meanMilliseconds, age) * (this.#waiting.size + 1)) / MAX_CALLS;
    return this.#waiting.size < MAX_WAITING && expected <= MAX_WAIT_MILLISECONDS;
  }
}
