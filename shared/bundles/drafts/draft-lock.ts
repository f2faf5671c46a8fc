/**
 * One at a time in this process: a client that repeats a commit which is still under way would else have all of it done twice at once.
 * What other processes do is for storage and records to settle.
 */
export class DraftLock {
  readonly #held = new Map<string, Promise<unknown>>();

  /** Runs `work` once nothing else runs under `key`. */
  async hold<Answer>(key: string, work: () => Promise<Answer>): Promise<Answer> {
    const before = this.#held.get(key) ?? Promise.resolve();
    const running = before.then(work, work);
    this.#held.set(key, running);
    try {
      return await running;
    } finally {
      if (this.#held.get(key) === running) this.#held.delete(key);
    }
  }
}
