import type { Clock } from '../platform/clock.ts';
import { notFound, SkerryError, unavailable, unprocessable } from '../platform/errors.ts';
import { type Author, canonicalPath, checkPrecondition, type Precondition } from '../platform/http/index.ts';
import type { Json, ListOptions, Records, StoredRecord } from '../records/index.ts';
import { checkValue } from './content.ts';
import { pathOfKey, recordKeyOf, recordPrefixOf, storeScope } from './key.ts';
import { type KeyValue, toKeyValue } from './key-value.ts';
import { checkLife, decidePut, type KeyInput } from './put.ts';
import { StoreTransaction, type TransactionAnswer, type TransactionInput } from './transaction.ts';

/** Keys that are deleted in one transaction. */
const MAX_DELETIONS = 49;
/** How long, in milliseconds, keys are deleted batch by batch for one request, which the host cuts off at 230 s. */
const DELETION_BUDGET = 100_000;

export interface WriteOptions {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
}

export interface KeyListing {
  /** In key order. */
  readonly items: readonly KeyValue[];
  /** Of the store. */
  readonly revision: number;
  /** Whether a key is left out whose time is over: at this revision the page may have shown it before. */
  readonly hidesLapsed: boolean;
  readonly ageSeconds: number;
  readonly next?: string;
}

export interface PrefixDeletion {
  readonly deleted: number;
  /** Of the store, after it. */
  readonly revision: number;
  /** Whether all went in one transaction. */
  readonly atomic: boolean;
  readonly batches: number;
}

/**
 * The key-value stores. A store is a scope of its own and comes to be with its first key. All methods throw SkerryError
 * `unavailable` when storage does not answer, and `invalid` for what is no key.
 */
export class KeyValues {
  readonly #records: Records;
  readonly #clock: Clock;

  constructor(records: Records, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /**
   * A key as it stands, or as the log has it at a revision of the store.
   *
   * @throws SkerryError `compacted` when the revision is gone, `invalid` when it is not reached.
   */
  async get(ns: string, store: string, key: string, revision?: number): Promise<KeyValue | undefined> {
    const scope = storeScope(ns, store);
    const recordKey = recordKeyOf(store, key);
    const record =
      revision === undefined
        ? await this.#records.get<Json>(scope, recordKey)
        : await this.#records.getAt<Json>(scope, recordKey, revision);
    return record && toKeyValue(store, record);
  }

  /** The keys under `prefix`, by whole segments; those of the whole store without it. */
  async list(ns: string, store: string, { prefix = '', ...options }: ListOptions = {}): Promise<KeyListing> {
    const { records, ...listing } = await this.#records.list<Json>(storeScope(ns, store), {
      ...options,
      prefix: recordPrefixOf(store, prefix),
    });
    return { ...listing, items: records.map((record) => toKeyValue(store, record)) };
  }

  /**
   * Creates or replaces a key; putting what it holds already changes nothing, unless a ttl begins or ends with it.
   *
   * @throws SkerryError `too-large` for content over 256 KiB, `precondition-failed`; `not-found` for a lease that is over.
   */
  async put(
    ns: string,
    store: string,
    key: string,
    input: KeyInput,
    { author, precondition }: WriteOptions,
  ): Promise<{ keyValue: KeyValue; created: boolean }> {
    const recordKey = recordKeyOf(store, key);
    checkValue(input.value);
    checkLife(input, 'lease');
    const scope = storeScope(ns, store);
    await this.#records.checkLeases(scope, input.lease === undefined ? [] : [input.lease]);
    const now = this.#clock.now();
    const { record, previous } = await this.#records.commit<Json>(scope, {
      key: recordKey,
      ...author,
      decide(current) {
        checkPrecondition(precondition, current);
        return decidePut(input, current, now);
      },
    });
    if (record === undefined) {
      throw new Error(`The key ${key} of the store ${store} is gone after it was put.`);
    }
    return { keyValue: toKeyValue(store, record), created: previous === undefined };
  }

  /**
   * @returns the revision of the deletion.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async delete(
    ns: string,
    store: string,
    key: string,
    { author, precondition }: WriteOptions,
  ): Promise<number> {
    const { revision } = await this.#records.commit<Json>(storeScope(ns, store), {
      key: recordKeyOf(store, key),
      ...author,
      decide(current) {
        if (current === undefined) {
          throw unknownKey(ns, store, key);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    return revision;
  }

  /**
   * Deletes all keys under a prefix, by whole segments; the empty one is the whole store. Up to 49 keys go in one transaction,
   * more in several, each of which takes the first keys that are left.
   *
   * @param options.atomic refuses rather than to need more than one transaction.
   * @throws SkerryError `unprocessable` where it is to be atomic, and they or their values are too many for one transaction;
   *   `unavailable` when it takes too long, and some keys are deleted.
   */
  async deletePrefix(
    ns: string,
    store: string,
    prefix: string,
    { author, atomic }: { readonly author: Author; readonly atomic: boolean },
  ): Promise<PrefixDeletion> {
    const recordPrefix = recordPrefixOf(store, prefix);
    const startedAt = this.#clock.now();
    let most = MAX_DELETIONS;
    let deleted = 0;
    let batches = 0;
    let after: string | undefined;
    for (;;) {
      let batch: Batch;
      try {
        batch = await this.#deleteFirst(ns, store, { prefix: recordPrefix, after, most }, { author, atomic });
      } catch (error) {
        if (most === 1 || !(error instanceof SkerryError && error.kind === 'too-large')) {
          throw error;
        }
        if (atomic) {
          throw needsSeveral('The keys under the prefix hold more than one transaction can delete.');
        }
        most = Math.ceil(most / 2); // Their values fill a transaction before their number does.
        continue;
      }
      deleted += batch.deleted;
      batches += batch.deleted > 0 ? 1 : 0;
      if (!batch.hasMore) {
        return { deleted, revision: batch.revision, atomic: batches <= 1, batches };
      }
      after = batch.last;
      if (this.#clock.now() - startedAt > DELETION_BUDGET) {
        throw unavailable(`${deleted} keys are deleted, and more are left.`, { fix: 'Repeat the request.' });
      }
    }
  }

  async #deleteFirst(
    ns: string,
    store: string,
    { prefix, after, most }: { prefix: string; after: string | undefined; most: number },
    { author, atomic }: { readonly author: Author; readonly atomic: boolean },
  ): Promise<Batch> {
    const { decided, revision } = await this.#records.transact(storeScope(ns, store), {
      keys: [],
      range: { prefix, after, limit: most + 1 },
      ...author,
      decide(current: ReadonlyMap<string, StoredRecord<Json>>) {
        if (atomic && current.size > most) {
          throw needsSeveral(`More than ${most} keys are under the prefix, which no transaction can delete.`);
        }
        const keys = [...current.keys()].slice(0, most);
        return {
          writes: keys.map((key) => ({ key, decision: { type: 'delete' } as const })),
          hasMore: current.size > most,
        };
      },
    });
    const { writes, hasMore } = decided;
    return { deleted: writes.length, last: writes.at(-1)?.key, hasMore, revision };
  }

  /**
   * Does the operations of one branch or the other, by whether all comparisons hold, together or not at all.
   *
   * @throws SkerryError `unprocessable` for a key twice in a branch, or too many operations; `too-large` for a value over 256 KiB,
   *   and for values that are too large together; `not-found` for a lease that is over, in either branch.
   */
  async transact(
    ns: string,
    store: string,
    input: TransactionInput,
    author: Author,
  ): Promise<TransactionAnswer> {
    const scope = storeScope(ns, store);
    const transaction = new StoreTransaction(store, input, this.#clock.now());
    await this.#records.checkLeases(scope, transaction.leases);
    const outcome = await this.#records.transact(scope, {
      keys: transaction.keys,
      ...author,
      decide: (current: ReadonlyMap<string, StoredRecord<Json>>) => transaction.decide(current),
    });
    return transaction.answer(outcome);
  }
}

function needsSeveral(detail: string): SkerryError {
  return unprocessable(detail, {
    field: 'atomic',
    fix: 'Delete them without "atomic", or by longer prefixes.',
  });
}

/** One transaction of the deletion of a prefix. */
interface Batch {
  readonly deleted: number;
  /** The last of the keys. */
  readonly last: string | undefined;
  readonly hasMore: boolean;
  readonly revision: number;
}

/** The error for a key that does not exist, or did not at a revision of its store. */
export function unknownKey(ns: string, store: string, key: string, revision?: number): SkerryError {
  return revision === undefined
    ? notFound(`There is no key "${key}" in the store "${store}".`, {
        fix: `Create it with PUT ${canonicalPath(ns, pathOfKey(store, key))}.`,
      })
    : notFound(`There was no key "${key}" in the store "${store}" at revision ${revision}.`, {
        fix: `See when there was with GET ${canonicalPath(ns, `history/${pathOfKey(store, key)}`)}.`,
      });
}
