/** A map that keeps what was used most recently, and forgets the rest beyond its limit. */
export class RecentMap<Key, Value> {
  readonly #limit: number;
  readonly #sizeOf: (value: Value) => number;
  /** In order of use, the most recent last. */
  readonly #entries = new Map<Key, Value>();
  #size = 0;

  /**
   * @param limit entries that are kept at the most; of what `sizeOf` says, where it is given.
   * @param sizeOf how much of the limit a value takes, the same each time.
   */
  constructor(limit: number, sizeOf: (value: Value) => number = () => 1) {
    this.#limit = limit;
    this.#sizeOf = sizeOf;
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

  /** A value that is larger than the limit is forgotten at once. */
  set(key: Key, value: Value): void {
    this.#delete(key);
    this.#entries.set(key, value);
    this.#size += this.#sizeOf(value);
    for (const leastRecent of this.#entries.keys()) {
      if (this.#size <= this.#limit) {
        return;
      }
      this.#delete(leastRecent);
    }
  }

  #delete(key: Key): void {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#size -= this.#sizeOf(value);
    }
  }
}
