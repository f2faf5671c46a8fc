import { Listeners } from '../transport/listeners.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { Transport } from '../transport/transport.ts';
import { follow } from '../watch/follow.ts';
import type { WatchOptions } from '../watch/watch.ts';
import type { Instance, Service } from './services.ts';
import { weightedPick } from './weighted-pick.ts';

export interface DiscoverOptions extends Omit<WatchOptions, 'position' | 'types'> {
  /** Where instances are preferred, as long as there is one. */
  readonly zone?: string | undefined;
}

/** The instances of a service as they are, in memory: kept current by a watch, and kept as they were while Skerry is out of reach. */
export class ServiceView {
  readonly service: string;
  /** Done when the instances are known, of which there may be none; fails when Skerry refuses for good, or when it is closed before. */
  readonly ready: Promise<void>;
  readonly #transport: Transport;
  readonly #options: DiscoverOptions;
  readonly #closing = new AbortController();
  readonly #listeners = new Listeners<readonly Instance[]>();
  #instances: readonly Instance[] = [];
  /** Ends the wait for the moment at which an instance may have expired. */
  #expiry: AbortController | undefined;

  constructor(service: string, transport: Transport, options: DiscoverOptions) {
    this.service = service;
    this.#transport = transport;
    this.#options = options;
    if (options.signal?.aborted) this.close();
    options.signal?.addEventListener('abort', () => this.close(), { signal: this.#closing.signal });
    this.ready = new Promise((resolve, reject) => {
      const refresh = async () => {
        await this.#refresh();
        resolve();
      };
      const watchOptions = { ...options, signal: this.#closing.signal };
      follow(transport, `/srv/${service}`, refresh, watchOptions).catch((error) => {
        reject(error);
        if (!this.#closing.signal.aborted) options.onFault?.(error);
      });
    });
    // Whoever does not wait for it is told by `onFault`.
    this.ready.catch(() => {});
  }

  /** All that are registered, expired ones included. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }

  /** Those that live and take requests. */
  get passing(): readonly Instance[] {
    return this.#instances.filter(({ health }) => health === 'passing');
  }

  /** One of those that live, by weight; of the preferred zone if there is one. Undefined where there is none. */
  pick({ zone = this.#options.zone }: { readonly zone?: string | undefined } = {}): Instance | undefined {
    const random = this.#transport.timing.random();
    const near = zone === undefined ? [] : this.passing.filter((instance) => instance.zone === zone);
    return weightedPick(near, random) ?? weightedPick(this.passing, random);
  }

  /**
   * Calls a listener whenever instances come, go, or change.
   *
   * @returns what ends it.
   */
  onChange(listener: (instances: readonly Instance[]) => void): () => void {
    return this.#listeners.add(listener);
  }

  close(): void {
    this.#closing.abort(new Error(`The view of "${this.service}" was closed.`));
    this.#expiry?.abort();
    this.#listeners.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Not from the cache: a service's entity tag covers the health of its instances, and not how long it will last. */
  async #refresh(): Promise<void> {
    const path = `services/${segment(this.service)}`;
    const call = { path, isUncached: true, signal: this.#closing.signal };
    const service = await orUndefined(this.#transport.json<Service>(call));
    const before = this.#instances;
    this.#instances = service?.instances ?? [];
    this.#awaitExpiry();
    if (fingerprint(before) === fingerprint(this.#instances)) return;
    this.#listeners.tell(this.#instances, (error) => this.#options.onFault?.(error));
  }

  /** No change tells at once that an instance missed its heartbeats; so whoever may have is looked at when its time is over. */
  #awaitExpiry(): void {
    this.#expiry?.abort();
    const { timing } = this.#transport;
    const ends = this.#instances.map(({ expiresAt, health, ttl = 0 }) =>
      // Who has expired comes back or goes by a change. A clock that goes wrong makes this neither a busy loop nor an endless wait.
      expiresAt === undefined || health === 'expired'
        ? Number.POSITIVE_INFINITY
        : Math.min(Math.max(Date.parse(expiresAt) - timing.now(), ttl * 100, 500), ttl * 2000),
    );
    const next = Math.min(...ends);
    if (next === Number.POSITIVE_INFINITY || this.#closing.signal.aborted) return;
    this.#expiry = new AbortController();
    const refresh = async () => await this.#refreshAfterExpiry();
    timing.wait(next + 100 * timing.random(), this.#expiry.signal).then(refresh, () => {});
  }

  async #refreshAfterExpiry(): Promise<void> {
    try {
      await this.#refresh();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#options.onFault?.(error);
      this.#awaitExpiry();
    }
  }
}

/** What listeners care for: heartbeats move `expiresAt` all the time. */
function fingerprint(instances: readonly Instance[]): string {
  return JSON.stringify(instances.map(({ expiresAt: _, ...instance }) => instance));
}
