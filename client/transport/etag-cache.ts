import type { Answer } from './transport.ts';

/** Entries, and bytes of content. */
const MOST_ENTRIES = 500;
const MOST_BYTES = 8_000_000;

/** Answers that have an entity tag, by address, as they came, so that every caller gets a value of its own; the least recently used go first. */
export class EtagCache {
  readonly #answers = new Map<string, Answer>();
  #bytes = 0;

  get(url: string): Answer | undefined {
    const answer = this.#answers.get(url);
    if (answer !== undefined) {
      this.#answers.delete(url);
      this.#answers.set(url, answer);
    }
    return answer;
  }

  set(url: string, answer: Answer): void {
    this.#remove(url);
    if (answer.etag === undefined || answer.bytes.byteLength > MOST_BYTES) return;
    this.#answers.set(url, answer);
    this.#bytes += answer.bytes.byteLength;
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MOST_ENTRIES && this.#bytes <= MOST_BYTES) return;
      this.#remove(oldest);
    }
  }

  #remove(url: string): void {
    this.#bytes -= this.#answers.get(url)?.bytes.byteLength ?? 0;
    this.#answers.delete(url);
  }
}
