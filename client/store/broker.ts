import type { CallOptions } from '../transport/transport.ts';
import { BrokerTransaction } from './broker-transaction.ts';
import type { Content } from './content.ts';
import { checkOwnPrefix } from './key-prefix.ts';
import type { GetOptions, PutOptions, Store } from './store.ts';
import type { Comparison, Operation } from './transaction.ts';

/** A key below the broker's prefix, and what it holds. */
export interface KeyValue<Value extends Content = Content> {
  readonly key: string;
  readonly value: Value;
  readonly revision: number;
}

export type BrokerPutOptions = Omit<PutOptions, 'ifRevision'>;

/**
 * The keys of a store under a prefix, as cn-infra's data broker shows them: the prefix is put before every key that goes in and
 * taken off every key that comes out, and a key that is not there is no error.
 */
export class Broker<Value extends Content = Content> {
  readonly prefix: string;
  readonly #store: Store;

  /** @throws TypeError for a prefix that ends within a segment. */
  constructor(store: Store, prefix: string) {
    checkOwnPrefix(prefix);
    this.prefix = prefix;
    this.#store = store;
  }

  /** Without `ttl` and `lease` the key stays until it is deleted. */
  async put(
    key: string,
    value: Value,
    options: BrokerPutOptions = {},
  ): Promise<{ readonly revision: number }> {
    return await this.#store.put(this.prefix + key, value, options);
  }

  /** @returns undefined where there is no such key. */
  async get(key: string, options: GetOptions = {}): Promise<KeyValue<Value> | undefined> {
    const entry = await this.#store.get<Value>(this.prefix + key, options);
    return entry && { key, value: entry.value, revision: entry.revision };
  }

  /** What is under a prefix, in the order of keys. */
  async *list(prefix = '', options: CallOptions = {}): AsyncGenerator<KeyValue<Value>, void, undefined> {
    for await (const { key, value, revision } of this.#store.list<Value>(this.#under(prefix, options))) {
      yield { key: this.#strip(key), value, revision };
    }
  }

  /** The keys under a prefix, in their order. */
  async *listKeys(prefix = '', options: CallOptions = {}): AsyncGenerator<string, void, undefined> {
    for await (const { key } of this.#store.listKeys(this.#under(prefix, options))) yield this.#strip(key);
  }

  /**
   * @param options.prefix deletes all keys under the key as well.
   * @returns whether anything was there.
   */
  async delete(
    key: string,
    { prefix = false, signal }: CallOptions & { readonly prefix?: boolean } = {},
  ): Promise<boolean> {
    if (!prefix) return await this.#store.delete(this.prefix + key, { signal });
    const { deleted } = await this.#store.deletePrefix(this.prefix + key, { signal });
    return deleted > 0;
  }

  /** Begins a transaction: all of it or nothing, once it is committed. */
  txn(): BrokerTransaction<Value> {
    return new BrokerTransaction<Value>(this.#store, this.prefix);
  }

  /** @returns whether the key was not there, and is now. */
  async putIfNotExists(key: string, value: Value, options: BrokerPutOptions = {}): Promise<boolean> {
    return await this.#putIf({ exists: false }, key, value, options);
  }

  /** @returns whether the key held `expected`, and now holds `value`. */
  async compareAndSwap(
    key: string,
    expected: Value,
    value: Value,
    options: BrokerPutOptions = {},
  ): Promise<boolean> {
    return await this.#putIf({ value: expected }, key, value, options);
  }

  /** @returns whether the key held `expected`, and is gone. */
  async compareAndDelete(key: string, expected: Value, options: CallOptions = {}): Promise<boolean> {
    const whole = this.prefix + key;
    return await this.#tryTo({ delete: { key: whole } }, { key: whole, value: expected }, options);
  }

  async #putIf(
    condition: { readonly exists: false } | { readonly value: Value },
    key: string,
    value: Value,
    { ttl, lease, signal }: BrokerPutOptions,
  ): Promise<boolean> {
    const whole = this.prefix + key;
    return await this.#tryTo(
      { put: { key: whole, value, ttl, lease } },
      { key: whole, ...condition },
      { signal },
    );
  }

  async #tryTo(operation: Operation, comparison: Comparison, { signal }: CallOptions): Promise<boolean> {
    const transaction = { compare: [comparison], success: [operation] };
    return (await this.#store.transact(transaction, { signal })).succeeded;
  }

  #under(prefix: string, options: CallOptions) {
    const whole = this.prefix + prefix;
    return { ...options, prefix: whole === '' ? undefined : whole };
  }

  #strip(key: string): string {
    return key.slice(this.prefix.length);
  }
}
