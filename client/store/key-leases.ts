import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';

/** A session lease: the keys that were put with it disappear with it. */
export interface KeyLease {
  readonly id: string;
  /** Seconds. */
  readonly ttl: number;
  /** RFC 3339, by Skerry's clock. */
  readonly expiresAt: string;
}

/** The session leases of one store; `session()` of a store keeps one for you. */
export class KeyLeases {
  readonly #transport: Transport;
  readonly #path: string;

  constructor(store: string, transport: Transport) {
    this.#transport = transport;
    this.#path = `kv-leases/${segment(store)}`;
  }

  /** @param ttl seconds. */
  async grant(ttl: number, { signal }: CallOptions = {}): Promise<KeyLease> {
    return await this.#transport.json<KeyLease>({
      method: 'POST',
      path: this.#path,
      body: { ttl },
      isRepeatable: true,
      signal,
    });
  }

  /** @returns undefined where it is over. */
  async renew(id: string, { signal }: CallOptions = {}): Promise<KeyLease | undefined> {
    const call = { method: 'PUT', path: `${this.#path}/${segment(id)}/renew`, signal } as const;
    return await orUndefined(this.#transport.json<KeyLease>(call));
  }

  /** @returns undefined where it is over. */
  async get(
    id: string,
    { signal }: CallOptions = {},
  ): Promise<(KeyLease & { readonly keys: readonly string[] }) | undefined> {
    return await orUndefined(this.#transport.json({ path: `${this.#path}/${segment(id)}`, signal }));
  }

  /** Ends it and deletes its keys. @returns whether it was alive. */
  async revoke(id: string, { signal }: CallOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: `${this.#path}/${segment(id)}`, signal });
  }
}
