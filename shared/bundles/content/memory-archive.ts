import type { ArchiveSink, RandomAccess } from './bundle-input.ts';

/** An archive in memory. */
export class MemoryArchive implements ArchiveSink, RandomAccess {
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #whole: Uint8Array | undefined;

  /** @param bytes what is there already. */
  constructor(bytes?: Uint8Array) {
    if (bytes !== undefined) this.#push(bytes);
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): Uint8Array {
    this.#whole ??= this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces);
    return this.#whole ?? new Uint8Array();
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#push(bytes);
  }

  async reserve(bytes: number): Promise<{ fill(bytes: Uint8Array): Promise<void> }> {
    const place = new Uint8Array(bytes);
    this.#push(place);
    return {
      fill: async (content) => {
        place.set(content);
        this.#whole = undefined;
      },
    };
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    return this.bytes.subarray(start, end);
  }

  async *stream(start: number, end: number): AsyncGenerator<Uint8Array> {
    yield this.bytes.subarray(start, end);
  }

  #push(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    this.#whole = undefined;
  }
}
