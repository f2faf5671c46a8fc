/** Calls at a time, of one process, of all endpoints that have not proven to be fast: three quarters of what host.json lets it handle. */
const MAX_SLOW_CALLS = 192;
/** What a namespace may have, for each call that all of them leave free: alone it comes to two thirds, 128 calls. */
const CALLS_FOR_EACH_FREE = 2;

/**
 * What slow endpoints have of a process, and those of which it knows nothing yet. Whoever has much stops while there is still
 * room for those who have little: a namespace before others, and in it an endpoint before others. So nobody, by however many
 * endpoints that answer slowly, keeps others from being called.
 */
export class SlowCalls {
  readonly #running = new Map<string, number>();
  #sum = 0;

  /** How many calls more a namespace may have; an endpoint may have no more calls than that. */
  room(ns: string): number {
    return CALLS_FOR_EACH_FREE * (MAX_SLOW_CALLS - this.#sum) - (this.#running.get(ns) ?? 0);
  }

  begin(ns: string): void {
    this.#sum += 1;
    this.#running.set(ns, (this.#running.get(ns) ?? 0) + 1);
  }

  end(ns: string): void {
    this.#sum -= 1;
    const rest = (this.#running.get(ns) ?? 0) - 1;
    rest > 0 ? this.#running.set(ns, rest) : this.#running.delete(ns);
  }
}
