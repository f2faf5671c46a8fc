import { rateLimited } from '../../platform/rate-limited.ts';

/** Until some watch has ended, as most do within less. */
const RETRY_SECONDS = 5;

/** How many places each holder has. */
export class Holders {
  readonly #limit: number;
  readonly #taken = new Map<string, number>();

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  /**
   * @returns what gives the place back, to be called once.
   * @throws SkerryError `too-many-requests` when the holder has as many as they may.
   */
  take(holder: string): () => void {
    const taken = this.#taken.get(holder) ?? 0;
    if (taken >= this.#limit) {
      throw rateLimited({ name: 'watches', quota: this.#limit, unit: 'concurrent-requests' }, RETRY_SECONDS, {
        detail: `${this.#limit} watches of this caller are held, as many as one may hold here.`,
        fix: 'End some of them, watch a common prefix of their keys by one, or ask with "wait=0".',
      });
    }
    this.#taken.set(holder, taken + 1);
    return () => {
      const left = (this.#taken.get(holder) ?? 1) - 1;
      if (left === 0) {
        this.#taken.delete(holder);
      } else {
        this.#taken.set(holder, left);
      }
    };
  }
}
