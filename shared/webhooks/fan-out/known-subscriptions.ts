import { Coalesced } from '../../platform/coalesced.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { PrefixIndex, type Records, recordAfter } from '../../records/index.ts';
import {
  type Subscription,
  type SubscriptionValue,
  subscriptionId,
  subscriptionScope,
  toSubscription,
} from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { literalBeginning } from '../subscription/watched-key.ts';

interface Entry {
  readonly ns: string;
  readonly prefix: string;
  readonly subscription: Subscription;
}

/** Namespaces whose subscriptions a process remembers; callers choose the namespaces. */
const MAX_NAMESPACES = 1_000;

/** Changes that are followed one by one; beyond that all is read anew. */
const MAX_CHANGES_FOLLOWED = 500;

/** The subscriptions of one namespace, found by the keys that they watch. */
export class NamespaceSubscriptions {
  readonly #ns: string;
  readonly #entries = new Map<string, Entry>();
  readonly #index = new PrefixIndex<Entry>();
  /** Of the log of subscriptions: how far they are followed. */
  revision = 0;

  constructor(ns: string) {
    this.#ns = ns;
  }

  put(subscription: Subscription): void {
    this.remove(subscription.id);
    const entry = { ns: this.#ns, prefix: prefixOf(subscription), subscription };
    this.#entries.set(subscription.id, entry);
    this.#index.add(entry);
  }

  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) {
      this.#entries.delete(id);
      this.#index.delete(entry);
    }
  }

  /** All that may hear of a key: more than do, never less. */
  *near(key: string): Generator<Subscription> {
    for (const { subscription } of this.#index.covering(this.#ns, key)) {
      yield subscription;
    }
  }
}

/**
 * The subscriptions of namespaces as the fan-out needs them: in memory, proven current by one point read, and brought up to
 * date by what changed.
 */
export class KnownSubscriptions {
  readonly #records: Records;
  readonly #subscriptions: Subscriptions;
  readonly #namespaces = new RecentMap<string, Coalesced<NamespaceSubscriptions>>(MAX_NAMESPACES);

  constructor(records: Records, subscriptions: Subscriptions) {
    this.#records = records;
    this.#subscriptions = subscriptions;
  }

  /** @throws SkerryError `unavailable`. */
  async of(ns: string): Promise<NamespaceSubscriptions> {
    const following = this.#namespaces.get(ns) ?? this.#follow(ns);
    this.#namespaces.set(ns, following);
    return await following.ask();
  }

  #follow(ns: string): Coalesced<NamespaceSubscriptions> {
    let known: NamespaceSubscriptions | undefined;
    return new Coalesced(async () => {
      const position = await this.#records.position(subscriptionScope(ns));
      if (known === undefined || !(await this.#followTo(ns, known, position))) {
        known = await this.#load(ns, position);
      }
      return known;
    });
  }

  async #load(ns: string, position: number): Promise<NamespaceSubscriptions> {
    const loaded = new NamespaceSubscriptions(ns);
    for await (const subscription of this.#subscriptions.all(ns)) {
      loaded.put(subscription);
    }
    // Pages are read later than this; what they are ahead is followed once more, to no effect.
    loaded.revision = position;
    return loaded;
  }

  /** @returns whether all changes up to there were found. */
  async #followTo(ns: string, known: NamespaceSubscriptions, position: number): Promise<boolean> {
    if (known.revision === position) {
      return true;
    }
    if (position - known.revision > MAX_CHANGES_FOLLOWED) {
      return false;
    }
    const range = { above: known.revision, upTo: position };
    for (const change of await this.#records.changes<SubscriptionValue>(subscriptionScope(ns), range)) {
      if (change.revision !== known.revision + 1) {
        return false;
      }
      const record = recordAfter(change);
      if (record === undefined) {
        known.remove(subscriptionId(change.key));
      } else {
        known.put(toSubscription(record));
      }
      known.revision = change.revision;
    }
    return known.revision === position;
  }
}

/** One that cannot be read may hear of anything: whoever matches it finds out. */
function prefixOf({ key }: Subscription): string {
  return typeof key === 'string' ? literalBeginning(key) || '/' : '/';
}
