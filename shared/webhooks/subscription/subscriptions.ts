import { scopeOfPrefix } from '../../keyspace/index.ts';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { conflict, notFound, type SkerryError } from '../../platform/errors.ts';
import { checkPrecondition, type Precondition } from '../../platform/http/precondition.ts';
import type { Author } from '../../platform/http/request.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Random } from '../../platform/random.ts';
import {
  type Decision,
  type ListOptions,
  type Records,
  type StoredRecord,
  scopeId,
} from '../../records/index.ts';
import { checkEndpoint, type EndpointPolicy } from '../endpoint/endpoint-policy.ts';
import { removeFailingEndpoint } from '../endpoint/failing-endpoints.ts';
import {
  currentValue,
  nesoiSubscriptionId,
  type Since,
  type Subscription,
  type SubscriptionValue,
  subscriptionKey,
  subscriptionScope,
  toSubscription,
} from './subscription.ts';
import { checkWatchedKey, literalBeginning } from './watched-key.ts';

export interface SubscriptionsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly endpointPolicy: EndpointPolicy;
}

/** What a client says of a subscription. */
export interface SubscriptionInput {
  readonly name: string;
  readonly key: string;
  readonly endpoint: string;
}

/** A page of a namespace's subscriptions, in the order of their ids. */
export interface SubscriptionListing {
  readonly subscriptions: readonly Subscription[];
  /** Of the scope of all subscriptions of the namespace. */
  readonly revision: number;
  readonly ageSeconds: number;
  readonly next?: string;
}

/** A hook as Nesoi registers it. */
export interface HookInput {
  readonly name: string;
  readonly endpoint: string;
  /** The base URL through which it is registered, without a slash at its end. */
  readonly baseUrl: string;
}

type Current = StoredRecord<SubscriptionValue> | undefined;

/**
 * Who is told of what. A subscription hears only of changes made after it: registering one fires nothing (Nesoi README,
 * section Webhooks), and a changed key counts as a new registration.
 *
 * All methods throw SkerryError `unavailable` when the database does not answer.
 */
export class Subscriptions {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #endpointPolicy: EndpointPolicy;

  constructor({ records, clock, random, endpointPolicy }: SubscriptionsOptions) {
    this.#records = records;
    this.#clock = clock;
    this.#random = random;
    this.#endpointPolicy = endpointPolicy;
  }

  /** @throws SkerryError `invalid` for a key that cannot be watched or an endpoint that may not be called. */
  async create(ns: string, input: SubscriptionInput, author: Author): Promise<Subscription> {
    const { name, key, endpoint } = input;
    this.#check(input);
    const since = await this.#now(ns, key);
    const value: SubscriptionValue = { name, key, endpoint, format: 'standard', state: 'active', since };
    return await this.#write(ns, `sub_${this.#random.id()}`, author, () => ({ type: 'put', value }));
  }

  async list(ns: string, options?: ListOptions): Promise<SubscriptionListing> {
    const { records, ...page } = await this.#records.list<SubscriptionValue>(subscriptionScope(ns), options);
    return { ...page, subscriptions: records.map(toSubscription) };
  }

  /** @throws SkerryError `not-found`. */
  async get(ns: string, id: string): Promise<Subscription> {
    const subscription = await this.find(ns, id);
    if (subscription === undefined) {
      throw noSubscription(id);
    }
    return subscription;
  }

  /**
   * Replaces what a client may say of a subscription. A Nesoi hook keeps its name and key, by which it is addressed.
   *
   * @throws SkerryError `not-found`, `precondition-failed`, `conflict` for the name or key of a Nesoi hook, and `invalid` as `create` does.
   */
  async replace(
    ns: string,
    id: string,
    input: SubscriptionInput,
    author: Author,
    precondition?: Precondition,
  ): Promise<Subscription> {
    this.#check(input);
    const { name, key, endpoint } = input;
    const since = await this.#now(ns, key);
    return await this.#write(ns, id, author, (current) => {
      const value = currentValue(existing(current, id, precondition).value);
      if (value.format === 'nesoi' && (name !== value.name || key !== value.key)) {
        throw conflict('A hook that was registered through /app or /srv keeps its name and key.', {
          field: name === value.name ? 'key' : 'name',
          fix: 'Register another one, and delete this one.',
        });
      }
      return putIfChanged(value, {
        ...value,
        name,
        key,
        endpoint,
        since: key === value.key ? value.since : since,
      });
    });
  }

  /**
   * @returns the revision of the change that removed it.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async remove(ns: string, id: string, author: Author, precondition?: Precondition): Promise<number> {
    const { revision } = await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide(current) {
        existing(current, id, precondition);
        return { type: 'delete' };
      },
    });
    await removeFailingEndpoint(this.#records, ns, id, author);
    return revision;
  }

  /**
   * Writes what only this program says of a subscription: its state, its signing keys, its consent.
   *
   * @param change the new value; undefined leaves everything as it is.
   * @throws SkerryError `not-found`, and whatever `change` throws.
   */
  async update(
    ns: string,
    id: string,
    author: Author,
    change: (value: SubscriptionValue) => SubscriptionValue | undefined,
  ): Promise<Subscription> {
    return await this.#write(ns, id, author, (current) => {
      const { value } = existing(current, id, undefined);
      const changed = change(currentValue(value));
      return changed === undefined ? { type: 'keep' } : putIfChanged(value, changed);
    });
  }

  /**
   * Registers a Nesoi hook on an application or a service, which need not exist.
   *
   * @param resource `/app/NAME` or `/srv/NAME`.
   * @throws SkerryError `conflict` when the resource has a hook of that name; `invalid` for an endpoint that may not be called.
   */
  async createHook(ns: string, resource: string, input: HookInput, author: Author): Promise<Subscription> {
    const { name, endpoint, baseUrl } = input;
    this.#check({ key: resource, endpoint });
    const since = await this.#now(ns, resource);
    const value: SubscriptionValue = {
      name,
      key: resource,
      endpoint,
      format: 'nesoi',
      state: 'active',
      baseUrl,
      since,
    };
    return await this.#write(ns, nesoiSubscriptionId(ns, resource, name), author, (current) => {
      if (current !== undefined) {
        throw conflict(`${resource} has a web hook "${name}" already.`, {
          field: 'name',
          fix: 'Choose another name, or replace that one.',
        });
      }
      return { type: 'put', value };
    });
  }

  /** The Nesoi hooks of a resource, by name. */
  async listHooks(ns: string, resource: string): Promise<readonly Subscription[]> {
    const hooks: Subscription[] = [];
    for await (const subscription of this.all(ns)) {
      if (subscription.format === 'nesoi' && subscription.key === resource) {
        hooks.push(subscription);
      }
    }
    return hooks.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @throws SkerryError `not-found`. */
  async getHook(ns: string, resource: string, name: string): Promise<Subscription> {
    const subscription = await this.find(ns, nesoiSubscriptionId(ns, resource, name));
    if (subscription === undefined) {
      throw noHook(resource, name);
    }
    return subscription;
  }

  /** @throws SkerryError `not-found`, and `invalid` as `createHook` does. */
  async replaceHook(ns: string, resource: string, input: HookInput, author: Author): Promise<Subscription> {
    const { name, endpoint, baseUrl } = input;
    this.#check({ key: resource, endpoint });
    return await this.#write(ns, nesoiSubscriptionId(ns, resource, name), author, (current) => {
      if (current === undefined) {
        throw noHook(resource, name);
      }
      return putIfChanged(current.value, { ...currentValue(current.value), endpoint, baseUrl });
    });
  }

  /** @throws SkerryError `not-found`. */
  async removeHook(ns: string, resource: string, name: string, author: Author): Promise<void> {
    const id = nesoiSubscriptionId(ns, resource, name);
    await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide(current) {
        if (current === undefined) {
          throw noHook(resource, name);
        }
        return { type: 'delete' };
      },
    });
    await removeFailingEndpoint(this.#records, ns, id, author);
  }

  /** All subscriptions of a namespace, proven current. */
  async *all(ns: string): AsyncGenerator<Subscription> {
    let after: string | undefined;
    do {
      const page = await this.list(ns, { after });
      yield* page.subscriptions;
      after = page.next;
    } while (after !== undefined);
  }

  /** The subscription as it stands, by one strong point read; undefined when there is none. */
  async find(ns: string, id: string): Promise<Subscription | undefined> {
    const record = await this.#records.get<SubscriptionValue>(subscriptionScope(ns), subscriptionKey(id));
    return record && toSubscription(record);
  }

  async #write(
    ns: string,
    id: string,
    author: Author,
    decide: (current: Current) => Decision<SubscriptionValue>,
  ): Promise<Subscription> {
    const { record } = await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide,
    });
    if (record === undefined) {
      throw new Error(`The subscription ${id} vanished in the commit that wrote it.`);
    }
    return toSubscription(record);
  }

  /** Where a subscription to `key` begins. To be asked before it is committed: then no change after the commit is missed. */
  async #now(ns: string, key: string): Promise<Since> {
    const scope = scopeOfPrefix(ns, literalBeginning(key));
    return scope === undefined
      ? { at: toTimestamp(this.#clock.now()) }
      : { scope: scopeId(scope), revision: await this.#records.position(scope) };
  }

  #check({ key, endpoint }: Pick<SubscriptionInput, 'key' | 'endpoint'>): void {
    checkWatchedKey(key);
    checkEndpoint(endpoint, this.#endpointPolicy);
  }
}

function existing(
  current: Current,
  id: string,
  precondition: Precondition | undefined,
): StoredRecord<SubscriptionValue> {
  if (current === undefined) {
    throw noSubscription(id);
  }
  checkPrecondition(precondition, current);
  return current;
}

function putIfChanged(current: SubscriptionValue, value: SubscriptionValue): Decision<SubscriptionValue> {
  return jsonEquals(value, current) ? { type: 'keep' } : { type: 'put', value };
}

function noSubscription(id: string): SkerryError {
  return notFound(`There is no subscription "${id}".`);
}

function noHook(resource: string, name: string): SkerryError {
  return notFound(`${resource} has no web hook "${name}".`);
}
