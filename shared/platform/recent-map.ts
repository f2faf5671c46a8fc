/** A map that keeps what was used most recently, and forgets the rest beyond its limit. */
export class RecentMap<Key, Value> {
  readonly #limit: number;
  /** In order of use, the most recent last. */
  readonly #entries = new Map<Key, Value>();

  /** @param limit entries that are kept at the most. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Looking at an entry is using it. */
  get(key: Key): Value | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#limit) {
      const [leastRecent] = this.#entries.keys();
      this.#entries.delete(leastRecent as Key);
    }
  }
}
