import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { keyPath, segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { Call, CallOptions, Transport } from '../transport/transport.ts';
import { Watcher, type WatcherOptions } from '../watch/watcher.ts';
import { Broker } from './broker.ts';
import { type Content, readContent, readValue, writeContent } from './content.ts';
import { KeyLeases } from './key-leases.ts';
import { KeySession } from './key-session.ts';
import { fromWire, type Transaction, type TransactionResult, toWire } from './transaction.ts';

/** A key and what it holds. */
export interface Entry<Value extends Content = Content> {
  readonly key: string;
  readonly value: Value;
  /** Of its last change; a whole number that only grows, in the order of the store's writes. */
  readonly revision: number;
  /** RFC 3339. */
  readonly updatedAt: string;
}

/** A key without what it holds, as listings know it. */
export interface KeyFacts {
  readonly key: string;
  readonly revision: number;
  /** RFC 3339, as the other times. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When it disappears, unless it is written again. */
  readonly expiresAt?: string;
  /** The session lease with which it disappears. */
  readonly lease?: string;
}

export interface ListedEntry<Value extends Content = Content> extends KeyFacts {
  readonly value: Value;
}

export interface GetOptions extends CallOptions {
  /** Reads the store as it was at this revision. */
  readonly revision?: number | undefined;
}

export interface PutOptions extends WriteOptions {
  /** Whole seconds after which the key disappears, 1 to 86,400. */
  readonly ttl?: number | undefined;
  /** Id of a session lease with which the key disappears. */
  readonly lease?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** By whole segments: `a` covers `a` and `a/b`, `a/` only what is below, neither `ab`. Everything without. */
  readonly prefix?: string | undefined;
  /** Lists the store as it was at this revision. */
  readonly revision?: number | undefined;
  /** Most items of a page. */
  readonly limit?: number | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

export interface Listing<Item> extends Page<Item> {
  /** Of the store. */
  readonly revision: number;
}

export interface PrefixDeletion {
  readonly deleted: number;
  readonly revision: number;
  /** Whether all went in one transaction: beyond 49 keys there are several. */
  readonly atomic: boolean;
  readonly batches: number;
}

/** One key-value store: a set of keys that share an order of writes, and that a transaction can span. */
export class Store {
  readonly name: string;
  readonly leases: KeyLeases;
  readonly #transport: Transport;
  readonly #path: string;

  constructor(name: string, transport: Transport) {
    this.name = name;
    this.leases = new KeyLeases(name, transport);
    this.#transport = transport;
    this.#path = `kv/${segment(name)}/`;
  }

  /** @returns undefined where there is no such key. */
  async get<Value extends Content = Content>(
    key: string,
    { revision, signal }: GetOptions = {},
  ): Promise<Entry<Value> | undefined> {
    const answer = await orUndefined(
      this.#transport.send({ path: this.#pathOf(key), query: { revision }, signal }),
    );
    if (answer === undefined) return undefined;
    const { bytes, contentType, lastModified = '' } = answer;
    return {
      key,
      value: readContent(bytes, contentType) as Value,
      // What compresses answers on the way makes a weak tag of it.
      revision: Number(/\d+/.exec(answer.etag ?? '')?.[0] ?? answer.revision),
      updatedAt: new Date(lastModified).toISOString(),
    };
  }

  /**
   * Writes a key; writing what it holds already changes nothing. Without `ttl` and `lease` it stays until it is deleted.
   *
   * @throws SkerryProblem `precondition-failed` where the key is not at `ifRevision`.
   */
  async put(
    key: string,
    value: Content,
    { ttl, lease, ifRevision, signal }: PutOptions = {},
  ): Promise<KeyFacts> {
    return await this.#transport.json<KeyFacts>({
      method: 'PUT',
      path: this.#pathOf(key),
      query: { ttl, lease },
      headers: guard(ifRevision),
      content: writeContent(value),
      signal,
    });
  }

  /**
   * @returns whether the key was there.
   * @throws SkerryProblem `precondition-failed` where the key is not at `ifRevision`.
   */
  async delete(key: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    const answer = await orUndefined(
      this.#transport.send({
        method: 'DELETE',
        path: this.#pathOf(key),
        headers: guard(ifRevision),
        signal,
      }),
    );
    return answer !== undefined;
  }

  /**
   * Deletes all keys under a prefix, by whole segments; the empty prefix is the whole store.
   *
   * @param options.atomic refuses with 422, rather than to need more than one transaction (49 keys).
   */
  async deletePrefix(
    prefix: string,
    { atomic, signal }: CallOptions & { readonly atomic?: boolean } = {},
  ): Promise<PrefixDeletion> {
    return await this.#transport.json<PrefixDeletion>({
      method: 'DELETE',
      path: this.#path + keyPath(prefix),
      query: { prefix: true, atomic: atomic === true ? true : undefined },
      signal,
    });
  }

  /** One page of the store, in the order of keys. */
  async listPage<Value extends Content = Content>(
    options: ListOptions = {},
  ): Promise<Listing<ListedEntry<Value>>> {
    const page = await this.#transport.json<Listing<ListedEntry<Value>>>(this.#listCall(options));
    return { ...page, items: page.items.map((item) => ({ ...item, value: readValue(item.value) as Value })) };
  }

  /** One page of the store's keys without their values. */
  async listKeysPage(options: ListOptions = {}): Promise<Listing<KeyFacts>> {
    return await this.#transport.json<Listing<KeyFacts>>(this.#listCall(options, true));
  }

  /** All entries under a prefix, in the order of keys; page after page, so that writes meanwhile may show in later ones. */
  list<Value extends Content = Content>(
    options: Omit<ListOptions, 'after'> = {},
  ): AsyncGenerator<ListedEntry<Value>, void, undefined> {
    return pages((after) => this.listPage<Value>({ ...options, after }));
  }

  /** All keys under a prefix, as `list` does. */
  listKeys(options: Omit<ListOptions, 'after'> = {}): AsyncGenerator<KeyFacts, void, undefined> {
    return pages((after) => this.listKeysPage({ ...options, after }));
  }

  /**
   * Does the operations of `success` where all comparisons hold, else those of `failure`: all or nothing, seen by nobody halfway.
   *
   * @throws SkerryUncertain where it compares, and the answer was lost.
   */
  async transact<Value extends Content = Content>(
    transaction: Transaction,
    { signal }: CallOptions = {},
  ): Promise<TransactionResult<Value>> {
    return fromWire<Value>(
      await this.#transport.json<TransactionResult<Value>>({
        method: 'POST',
        path: `kv-transactions/${segment(this.name)}`,
        body: toWire(transaction),
        isRepeatable: (transaction.compare ?? []).length === 0,
        signal,
      }),
    );
  }

  /**
   * A view of the keys under a prefix, which every key that goes in gets and every key that comes out lost.
   *
   * @param prefix empty, or ending with a slash.
   */
  broker<Value extends Content = Content>(prefix = ''): Broker<Value> {
    return new Broker<Value>(this, prefix);
  }

  /**
   * Follows the keys under a prefix, which no key that comes out has, for any number of registrations.
   *
   * @param prefix empty, or ending with a slash.
   */
  watcher<Value extends Content = Content>(prefix = '', options: WatcherOptions = {}): Watcher<Value> {
    return new Watcher<Value>(this.#transport, this.name, prefix, options);
  }

  /** Opens a session: keys that are put with its id as `lease` disappear with this process, `ttl` seconds (15 unless told) later at the earliest. */
  async session({ ttl = 15, signal }: CallOptions & { readonly ttl?: number } = {}): Promise<KeySession> {
    return await KeySession.open(this.leases, ttl, this.#transport.timing, { signal });
  }

  /** Forgets changes up to a revision; what the store holds stays. */
  async compact(revision: number, { signal }: CallOptions = {}): Promise<{ readonly compactedTo: number }> {
    return await this.#transport.json({
      method: 'POST',
      path: `kv-compact/${segment(this.name)}`,
      body: { revision },
      isRepeatable: true,
      signal,
    });
  }

  #pathOf(key: string): string {
    if (key === '') throw new TypeError('The key is empty.');
    return this.#path + keyPath(key);
  }

  #listCall({ prefix, revision, limit, after, signal }: ListOptions, keysOnly = false): Call {
    const query = { prefix, revision, limit, after, keysOnly: keysOnly ? true : undefined };
    return { path: this.#path, query, signal };
  }
}
