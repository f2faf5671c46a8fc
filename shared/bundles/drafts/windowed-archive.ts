import type { RandomAccess } from '../content/bundle-input.ts';

const WINDOW_BYTES = 1024 * 1024;
/** How many are held; more than the files that are read at a time. */
const WINDOWS = 24;
/** How many bytes of windows what is asked for pays for, per byte. */
const WORTH = 2;

/**
 * An archive of which small parts are read near each other, such as ten thousand files one after the other: whole windows of it are read
 * and held for a while. Where that does not pay, since the parts come in no order, they are read as they are asked for.
 */
export class WindowedArchive implements RandomAccess {
  readonly size: number;
  readonly #archive: RandomAccess;
  readonly #windows = new Map<number, Promise<Uint8Array>>();
  /** Bytes of windows that may still be read: as many as are held, and what those that were read have been worth. */
  #credit = WINDOWS * WINDOW_BYTES;

  constructor(archive: RandomAccess) {
    this.size = archive.size;
    this.#archive = archive;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const first = Math.floor(start / WINDOW_BYTES);
    const last = Math.floor((end - 1) / WINDOW_BYTES);
    if (end <= start || last - first > 1 || !(this.#has(first) && this.#has(last))) {
      return await this.#archive.read(start, end);
    }
    const begin = first * WINDOW_BYTES;
    const windows = await Promise.all(
      last === first ? [this.#window(first)] : [this.#window(first), this.#window(last)],
    );
    this.#credit += WORTH * (end - start);
    // Copied, since a part that is kept for a while would keep its window.
    return Buffer.concat(
      windows.map((window, index) =>
        window.subarray(
          Math.max(start - begin - index * WINDOW_BYTES, 0),
          Math.max(end - begin - index * WINDOW_BYTES, 0),
        ),
      ),
    );
  }

  stream(start: number, end: number): AsyncIterable<Uint8Array> {
    return this.#archive.stream(start, end);
  }

  /** Whether a window is held, or may be read. */
  #has(index: number): boolean {
    return this.#windows.has(index) || this.#credit > 0;
  }

  #window(index: number): Promise<Uint8Array> {
    const held = this.#windows.get(index);
    const window = held ?? this.#read(index);
    this.#windows.delete(index);
    this.#windows.set(index, window);
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size <= WINDOWS) break;
      this.#windows.delete(oldest);
    }
    return window;
  }

  #read(index: number): Promise<Uint8Array> {
    const start = index * WINDOW_BYTES;
    const end = Math.min(start + WINDOW_BYTES, this.size);
    this.#credit -= end - start;
    const window = this.#archive.read(start, end);
    // What failed is asked for again.
    window.catch(() => this.#windows.delete(index));
    return window;
  }
}
