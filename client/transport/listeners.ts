/** Who is told of something new; one that throws keeps nobody else from being told. */
export class Listeners<Value> {
  readonly #listeners = new Set<(value: Value) => void>();

  /** @returns what ends it. */
  add(listener: (value: Value) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  clear(): void {
    this.#listeners.clear();
  }

  /** @param onError told of what a listener throws. */
  tell(value: Value, onError: (error: unknown) => void): void {
    for (const listener of this.#listeners) {
      try {
        listener(value);
      } catch (error) {
        onError(error);
      }
    }
  }
}
