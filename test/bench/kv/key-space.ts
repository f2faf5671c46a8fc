import type { Entry, KeyValueServer } from './key-value-server.ts';

/** Keys below one prefix: what a listing shows. */
export const GROUP = 100;
const FILLING_CLIENTS = 4;

/** A number of keys in groups of 100, each value a JSON document of the same length. */
export class KeySpace {
  readonly #root: string;
  readonly #size: number;
  readonly #valueBytes: number;

  constructor(root: string, { size, valueBytes }: { size: number; valueBytes: number }) {
    this.#root = root;
    this.#size = size;
    this.#valueBytes = valueBytes;
  }

  allKeys(): string[] {
    return Array.from({ length: this.#size }, (_, number) => this.#key(number));
  }

  anyKey(): string {
    return this.#key(randomBelow(this.#size));
  }

  /** A value that was not stored before. */
  anyEntry(): Entry {
    return this.#entry(randomBelow(this.#size));
  }

  /** Entries of different keys. */
  anyEntries(count: number): Entry[] {
    const numbers = new Set<number>();
    while (numbers.size < count) numbers.add(randomBelow(this.#size));
    return [...numbers].map((number) => this.#entry(number));
  }

  /** The prefix of a group that is full. */
  anyGroup(): string {
    return this.#group(randomBelow(Math.floor(this.#size / GROUP)));
  }

  /** Those with the numbers from `begin` on, before `end`. */
  entries(begin: number, end: number): Entry[] {
    return Array.from({ length: end - begin }, (_, index) => this.#entry(begin + index));
  }

  /** Stores all keys from the number `first` on, in transactions as large as the server takes them. */
  async fill(server: KeyValueServer, first = 0): Promise<void> {
    const client = server.connect(FILLING_CLIENTS);
    let next = first;
    const fillOn = async () => {
      while (next < this.#size) {
        const begin = next;
        next = Math.min(begin + server.transactionLimit, this.#size);
        await client.putAll(this.entries(begin, next));
      }
    };
    await Promise.all(Array.from({ length: FILLING_CLIENTS }, fillOn));
    await client.close();
  }

  #group(number: number): string {
    return `${this.#root}/g${String(number).padStart(4, '0')}/`;
  }

  #key(number: number): string {
    return `${this.#group(Math.floor(number / GROUP))}k${String(number % GROUP).padStart(2, '0')}`;
  }

  #entry(number: number): Entry {
    const begin = `{"count":${randomBelow(2 ** 48)},"text":"`;
    return { key: this.#key(number), value: `${begin.padEnd(this.#valueBytes - 2, 'x')}"}` };
  }
}

function randomBelow(bound: number): number {
  return Math.floor(Math.random() * bound);
}
