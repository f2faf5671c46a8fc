import path from 'node:path';
import { open, type RootDatabase } from 'lmdb';

type Key = (string | number)[];

/**
 * A floor for what is written: LMDB alone, in this process. What one call writes is one transaction; LMDB joins those of
 * one turn of the event loop. `remove` takes what `append` wrote, oldest first; both resolve with how many there were.
 */
export class RawStorage {
  readonly #database: RootDatabase<Buffer, Key>;
  readonly #value: Buffer;
  #oldest = 0;
  #next = 0;

  /** @param synced whether a write is on the disk, and not only with the operating system, when it is done */
  constructor(folder: string, { synced, valueBytes }: { synced: boolean; valueBytes: number }) {
    this.#value = Buffer.alloc(valueBytes, 'x');
    this.#database = open({
      path: path.join(folder, synced ? 'synced.mdb' : 'unsynced.mdb'),
      encoding: 'binary',
      noSync: !synced,
      // LMDB would call a write done before it is synced.
      overlappingSync: false,
    });
  }

  get isEmpty(): boolean {
    return this.#oldest === this.#next;
  }

  async append(count: number): Promise<number> {
    await Promise.all(
      Array.from({ length: count }, () => this.#database.put(this.#key(this.#next++), this.#value)),
    );
    return count;
  }

  async overwrite(): Promise<void> {
    await this.#database.put(this.#key(0), this.#value);
  }

  async remove(count: number): Promise<number> {
    const last = Math.min(this.#oldest + count, this.#next);
    const removed: Promise<boolean>[] = [];
    while (this.#oldest < last) removed.push(this.#database.remove(this.#key(this.#oldest++)));
    await Promise.all(removed);
    return removed.length;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #key(number: number): Key {
    return ['bench', 'a partition', number];
  }
}
