import type { CallOptions } from '../transport/transport.ts';
import type { Content } from './content.ts';
import type { Store } from './store.ts';
import type { Operation } from './transaction.ts';

/** Writes that become visible together or not at all; at most 49. Of several for one key the last counts. */
export class BrokerTransaction<Value extends Content = Content> {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #operations = new Map<string, Operation>();

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  put(
    key: string,
    value: Value,
    { ttl, lease }: { readonly ttl?: number; readonly lease?: string } = {},
  ): this {
    const whole = this.#prefix + key;
    return this.#add(whole, { put: { key: whole, value, ttl, lease } });
  }

  delete(key: string): this {
    const whole = this.#prefix + key;
    return this.#add(whole, { delete: { key: whole } });
  }

  /** Without any writes there is nothing to do. */
  async commit(options: CallOptions = {}): Promise<void> {
    const success = [...this.#operations.values()];
    if (success.length > 0) await this.#store.transact({ success }, options);
  }

  #add(key: string, operation: Operation): this {
    this.#operations.delete(key);
    this.#operations.set(key, operation);
    return this;
  }
}
