import { tooManyRequests } from '../../platform/errors.ts';
import { rateLimited } from '../../platform/rate-limited.ts';
import { metrics } from '../../platform/telemetry/index.ts';

/** Until some watch has ended, as most do within less. */
const RETRY_SECONDS = 5;

/** A place that somebody holds. */
export interface Place {
  /** Gives it back; all calls but the first do nothing. */
  release(): void;
}

export interface PlaceLimits {
  /** Watches that this process may hold at a time. */
  readonly maxHeld: number;
  /** Those among them that one caller may hold. */
  readonly maxHeldByOne?: number | undefined;
}

/** The places for watches that this process holds. */
export class WatchPlaces {
  readonly #limits: PlaceLimits;
  readonly #takenBy = new Map<string, number>();
  #taken = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  /**
   * @param holder who has it, where there is a limit for each.
   * @throws SkerryError `too-many-requests` when there is none left, or the holder has as many as they may.
   */
  take(holder?: string): Place {
    const { maxHeld, maxHeldByOne = Number.POSITIVE_INFINITY } = this.#limits;
    if (this.#taken >= maxHeld) {
      throw tooManyRequests(`${maxHeld} watches are held by this process, as many as it may hold.`, {
        fix: 'Wait before the next try, or ask with "wait=0".',
      });
    }
    if (holder !== undefined && this.#heldBy(holder) >= maxHeldByOne) {
      throw rateLimited(
        { name: 'watches', quota: maxHeldByOne, unit: 'concurrent-requests' },
        RETRY_SECONDS,
        {
          detail: `${maxHeldByOne} watches of this caller are held, as many as one may hold here.`,
          fix: 'End some of them, watch a common prefix of their keys by one, or ask with "wait=0".',
        },
      );
    }
    this.#count(holder, 1);
    let isHeld = true;
    return {
      release: () => {
        if (isHeld) this.#count(holder, -1);
        isHeld = false;
      },
    };
  }

  #heldBy(holder: string): number {
    return this.#takenBy.get(holder) ?? 0;
  }

  #count(holder: string | undefined, by: 1 | -1): void {
    this.#taken += by;
    metrics.watchesHeld.add({}, by);
    if (holder === undefined) {
      return;
    }
    const held = this.#heldBy(holder) + by;
    if (held === 0) {
      this.#takenBy.delete(holder);
    } else {
      this.#takenBy.set(holder, held);
    }
  }
}
