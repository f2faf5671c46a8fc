import type { RandomAccess } from '../../../shared/bundles/content/bundle-input.ts';

/** An archive that tells which parts of it were asked for. */
export class WatchedArchive implements RandomAccess {
  readonly requests: [start: number, end: number][] = [];
  readonly #archive: RandomAccess;

  constructor(archive: RandomAccess) {
    this.#archive = archive;
  }

  get size(): number {
    return this.#archive.size;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    this.requests.push([start, end]);
    return await this.#archive.read(start, end);
  }

  stream(start: number, end: number): AsyncIterable<Uint8Array> {
    this.requests.push([start, end]);
    return this.#archive.stream(start, end);
  }
}
