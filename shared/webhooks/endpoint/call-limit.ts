import type { Clock } from '../../platform/clock.ts';
import type { SlowCalls } from './slow-calls.ts';

/** Calls of one endpoint at a time, of one process. */
const MAX_CALLS = 10;
/** The same for an endpoint of which this process knows nothing yet. */
const FIRST_CALLS = 1;
const FAST_MILLISECONDS = 1_000;

/** How long a call waits here for its turn: less than the way over the bus takes. */
const MAX_WAIT_MILLISECONDS = 200;
const MAX_WAITING = 200;
/** The soonest that a call which was turned away comes back. */
const MIN_RETURN_MILLISECONDS = 1_000;
/** How far ahead turns are set apart: an endpoint that becomes faster is not kept waiting for longer. */
const TURN_HORIZON_MILLISECONDS = 15 * 60_000;

/** Weight of the newest call in the mean duration. */
const NEWEST_WEIGHT = 0.2;

/** To be called when the call is over. */
export type Leave = () => void;

/** When a call that was turned away is to come back. */
export interface Turn {
  /** In milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whether it is set apart for this call: others that were turned away come at other times. */
  readonly isOwn: boolean;
}

interface RunningCall {
  readonly startedAt: number;
  readonly isSlow: boolean;
}

/**
 * Lets so many calls of an endpoint run at a time. A burst to a fast endpoint waits for its turn; who would wait for too
 * long is turned away at once, so that a slow endpoint holds up nobody but itself. Nor do many slow ones together: they share
 * a part of the process fairly (`slow-calls.ts`), and none of them has more than one call before its first answer.
 *
 * Who is turned away is given a turn, as many in a second as the endpoint takes calls: if all came back together, most would be
 * turned away again, and the endpoint have nothing to do until they come once more.
 */
export class CallLimit {
  readonly #clock: Clock;
  readonly #slowCalls: SlowCalls;
  readonly #ns: string;
  readonly #running = new Set<RunningCall>();
  readonly #waiting = new Set<(leave: Leave | undefined) => void>();
  /** Undefined before the first call is over. */
  #meanMilliseconds: number | undefined;
  #lastTurnAt = 0;

  /** @param slowCalls shared by all endpoints of a process. @param ns the namespace of this one. */
  constructor(clock: Clock, slowCalls: SlowCalls, ns: string) {
    this.#clock = clock;
    this.#slowCalls = slowCalls;
    this.#ns = ns;
  }

  /** Undefined when it is not this call's turn within a moment. */
  async enter(): Promise<Leave | undefined> {
    if (!this.#isFast() && this.#running.size >= this.#slowCalls.room(this.#ns)) {
      return undefined;
    }
    if (this.#hasRoom()) {
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

  /** When a call that was turned away just now is to come back. */
  nextTurn(): Turn {
    const now = this.#clock.now();
    const youngest = [...this.#running].at(-1);
    // As long as all of them hang, the last one that was let in tells how slow it is.
    const age = youngest === undefined ? 0 : now - youngest.startedAt;
    const soonest = now + Math.max(MIN_RETURN_MILLISECONDS, age);
    if (this.#meanMilliseconds === undefined) {
      return { at: soonest, isOwn: false };
    }
    const at = Math.max(soonest, this.#lastTurnAt + Math.max(this.#meanMilliseconds, age) / MAX_CALLS);
    if (at > now + TURN_HORIZON_MILLISECONDS) {
      return { at: now + TURN_HORIZON_MILLISECONDS, isOwn: false };
    }
    this.#lastTurnAt = at;
    return { at, isOwn: true };
  }

  #begin(): Leave {
    const call = { startedAt: this.#clock.now(), isSlow: !this.#isFast() };
    this.#running.add(call);
    if (call.isSlow) {
      this.#slowCalls.begin(this.#ns);
    }
    return () => {
      if (this.#running.delete(call)) {
        this.#end(call);
      }
    };
  }

  #end({ startedAt, isSlow }: RunningCall): void {
    if (isSlow) {
      this.#slowCalls.end(this.#ns);
    }
    const duration = this.#clock.now() - startedAt;
    const mean = this.#meanMilliseconds ?? duration;
    this.#meanMilliseconds = mean + NEWEST_WEIGHT * (duration - mean);
    for (const admit of this.#waiting) {
      if (!this.#hasRoom()) {
        return;
      }
      this.#waiting.delete(admit);
      admit(this.#begin());
    }
  }

  #hasRoom(): boolean {
    return this.#running.size < (this.#meanMilliseconds === undefined ? FIRST_CALLS : MAX_CALLS);
  }

  #isFast(): boolean {
    return this.#meanMilliseconds !== undefined && this.#expectedMilliseconds() <= FAST_MILLISECONDS;
  }

  #isSoon(): boolean {
    const wait = (this.#expectedMilliseconds() * (this.#waiting.size + 1)) / MAX_CALLS;
    return this.#waiting.size < MAX_WAITING && wait <= MAX_WAIT_MILLISECONDS;
  }

  /** What a call takes: the mean of those before, or what the oldest one has taken already, if that is longer. */
  #expectedMilliseconds(): number {
    const [oldest] = this.#running;
    const age = oldest === undefined ? 0 : this.#clock.now() - oldest.startedAt;
    return Math.max(this.#meanMilliseconds ?? 0, age);
  }
}
