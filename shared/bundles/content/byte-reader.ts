/** Bytes that come as they like, read by so many as are asked for. */
export class ByteReader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #endedEarly: () => Error;
  #piece: Uint8Array = new Uint8Array();

  /** @param endedEarly what is thrown when there is less than was asked for. */
  constructor(pieces: AsyncIterable<Uint8Array>, endedEarly: () => Error) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#endedEarly = endedEarly;
  }

  async take(bytes: number): Promise<Buffer> {
    const taken: Uint8Array[] = [];
    for (let missing = bytes; missing > 0; ) {
      const part = await this.#next(missing);
      taken.push(part);
      missing -= part.length;
    }
    const [first] = taken;
    return first !== undefined && taken.length === 1
      ? Buffer.from(first.buffer, first.byteOffset, first.length)
      : Buffer.concat(taken);
  }

  async skip(bytes: number): Promise<void> {
    for (let missing = bytes; missing > 0; ) {
      missing -= (await this.#next(missing)).length;
    }
  }

  /** All that is left. */
  async *rest(): AsyncGenerator<Uint8Array> {
    yield this.#piece;
    for (;;) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return;
      yield value;
    }
  }

  /** Whoever does not read on tells the source so. */
  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** Up to so many bytes. */
  async #next(bytes: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done === true) throw this.#endedEarly();
      this.#piece = value;
    }
    const part = this.#piece.subarray(0, bytes);
    this.#piece = this.#piece.subarray(part.length);
    return part;
  }
}
