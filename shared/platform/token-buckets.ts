import type { Clock } from './clock.ts';
import { RecentMap } from './recent-map.ts';

/** Buckets that are remembered; whoever is forgotten begins with a full one. */
const MAX_BUCKETS = 10_000;

export interface BucketPolicy {
  /** What flows into a bucket in a second. */
  readonly perSecond: number;
  /** What a full one holds. */
  readonly burst: number;
}

/**
 * Token buckets by name, in memory that is bounded however many names there are. Of each only the time is kept at which it
 * will be full again (the generic cell rate algorithm, ITU-T I.371, which is a token bucket without its timer).
 */
export class TokenBuckets {
  readonly #clock: Clock;
  /** Milliseconds that one token takes, and that filling takes. */
  readonly #interval: number;
  readonly #fillTime: number;
  readonly #fullAt: RecentMap<string, number>;

  constructor({ perSecond, burst }: BucketPolicy, clock: Clock, maxBuckets = MAX_BUCKETS) {
    this.#clock = clock;
    this.#interval = 1000 / perSecond;
    this.#fillTime = burst * this.#interval;
    this.#fullAt = new RecentMap(maxBuckets);
  }

  /** Takes a token where there is one: 0; or else how many milliseconds it takes until there is one. */
  take(name: string): number {
    const now = this.#clock.now();
    const fullAt = this.#fullAtWithout(name, now);
    const wait = this.#waitFor(fullAt, now);
    if (wait === 0) {
      this.#fullAt.set(name, fullAt);
    }
    return wait;
  }

  /** As `take`, but takes none. */
  look(name: string): number {
    const now = this.#clock.now();
    return this.#waitFor(this.#fullAtWithout(name, now), now);
  }

  #waitFor(fullAt: number, now: number): number {
    return Math.max(0, fullAt - this.#fillTime - now);
  }

  /**
   * When a bucket is full again once a token is taken. Before that it is never further away than an empty one is from being full, should
   * the clock be set back.
   */
  #fullAtWithout(name: string, now: number): number {
    const fullAt = Math.min(Math.max(this.#fullAt.get(name) ?? 0, now), now + this.#fillTime);
    return fullAt + this.#interval;
  }
}
