import { type Database, open, type RootDatabase } from 'lmdb';
import { GroupCommit } from '../storage/group-commit.ts';
import { CosmosError } from './cosmos-error.ts';
import type { IndexedValue } from './indexed-value.ts';
import type { JsonValue } from './json.ts';

/** What is known of an item without its body; scans read nothing else. */
export interface ItemHead {
  readonly etag: string;
  /** Where the item's last change stands in the feed of its physical partition. */
  readonly lsn: number;
  readonly sequence: number;
  /** Seconds since 1970, as `_ts`. */
  readonly timestamp: number;
  /** Seconds since 1970; 0 = never. */
  readonly expiresAt: number;
  readonly itemNumber: number;
  readonly bodyBytes: number;
  readonly terms: readonly number[];
  /** The values of the container's scalar index paths, in their order. */
  readonly indexed: readonly IndexedValue[];
}

export type FeedEntry = readonly [partitionKey: string, id: string];
export type KeyPart = string | number | boolean | Uint8Array;
type StorageKey = KeyPart[];

/** Sorts after every other part of a key: the end of a prefix. */
export const AFTER_ALL = new Uint8Array([0xff]);
export const EMPTY = Buffer.alloc(1);
/** Raised when the keys or values of a table change their meaning. */
const LAYOUT = 3;

/** Data whose keys another version of this emulator wrote differently; the message says what to do. */
export class ForeignDataError extends Error {
  override readonly name = 'ForeignDataError';

  constructor(folder: string) {
    super(
      `The Cosmos DB data in ${folder} was written by another version of the emulator. Remove the folder or name another.`,
    );
  }
}

/**
 * The emulator's tables in one LMDB environment.
 *
 * noSync: a commit reaches the page cache, so it survives `kill -9` of this process (and is 7,200 creates a second
 * where fsync gives 2,100); a crash of the *machine* may lose the last seconds or the file.
 */
export class Store {
  readonly meta: Database<JsonValue, StorageKey>;
  readonly heads: Database<ItemHead, StorageKey>;
  readonly bodies: Database<Buffer, StorageKey>;
  /** [container, range, lsn, sequence] -> where the item is. */
  readonly feed: Database<FeedEntry, StorageKey>;
  /** [container, partition key, lsn, sequence] -> id. */
  readonly partitionFeed: Database<string, StorageKey>;
  /** [container, path number, partition key, rank, value, id]. */
  readonly index: Database<Buffer, StorageKey>;
  /** [expiresAt, container, partition key, id]. */
  readonly expiry: Database<Buffer, StorageKey>;
  readonly #root: RootDatabase;
  readonly #commits: GroupCommit;

  constructor(folder: string) {
    this.#root = open({ path: folder, noSync: true, maxDbs: 8, encoding: 'binary' });
    this.#commits = new GroupCommit(this.#root, (error) => error instanceof CosmosError);
    this.meta = this.#root.openDB('meta', { encoding: 'json' });
    this.heads = this.#root.openDB('heads', { encoding: 'json' });
    this.bodies = this.#root.openDB('bodies', { encoding: 'binary' });
    this.feed = this.#root.openDB('feed', { encoding: 'json' });
    this.partitionFeed = this.#root.openDB('partitionFeed', { encoding: 'string' });
    this.index = this.#root.openDB('index', { encoding: 'binary' });
    this.expiry = this.#root.openDB('expiry', { encoding: 'binary' });
    this.#claimLayout(folder);
  }

  /**
   * Runs `job` inside the next transaction and resolves once that is committed. A job that throws a CosmosError must
   * not have written yet; any other error undoes the whole transaction.
   */
  commit<T>(job: () => T): Promise<T> {
    return this.#commits.commit(job);
  }

  /** @throws ForeignDataError */
  #claimLayout(folder: string): void {
    const layout = this.meta.get(['layout']);
    if (layout === LAYOUT) return;
    if (this.meta.getKeysCount() > 0) {
      void this.#root.close();
      throw new ForeignDataError(folder);
    }
    this.meta.putSync(['layout'], LAYOUT);
  }

  /** One snapshot for reads that yield to other work; call `done()` on it. */
  snapshot() {
    return this.#root.useReadTransaction();
  }

  close(): Promise<void> {
    return this.#commits.close();
  }
}

/** Bounds of all keys that begin with `prefix`. */
export function withPrefix(...prefix: StorageKey): { start: StorageKey; end: StorageKey } {
  return { start: prefix, end: [...prefix, AFTER_ALL] };
}
