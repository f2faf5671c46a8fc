/**
 * Limits how many requests run at once and how many may be there at all, counting those that wait
 * (host.json `extensions.http`). -1 is no limit.
 */
export class RequestGate {
  readonly #maxConcurrent: number;
  readonly #maxOutstanding: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(maxConcurrentRequests: number, maxOutstandingRequests: number) {
    this.#maxConcurrent = maxConcurrentRequests < 0 ? Number.POSITIVE_INFINITY : maxConcurrentRequests;
    this.#maxOutstanding = maxOutstandingRequests < 0 ? Number.POSITIVE_INFINITY : maxOutstandingRequests;
  }

  /** Calls `start` now or when there is room; false if the request is to be turned away. Each start needs a `leave`. */
  enter(start: () => void): boolean {
    if (this.#running + this.#waiting.length >= this.#maxOutstanding) return false;
    if (this.#running < this.#maxConcurrent) {
      this.#running++;
      start();
    } else {
      this.#waiting.push(start);
    }
    return true;
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
