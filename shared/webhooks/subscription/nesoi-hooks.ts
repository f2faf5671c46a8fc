import { checkPublicKey } from '../../keyspace/index.ts';
import { conflict, notFound, type SkerryError } from '../../platform/errors.ts';
import { makerOf } from '../../platform/http/caller.ts';
import type { Author } from '../../platform/http/request.ts';
import { checkEndpoint, type EndpointPolicy } from '../endpoint/endpoint-policy.ts';
import {
  currentValue,
  nesoiSubscriptionId,
  type Subscription,
  type SubscriptionValue,
} from './subscription.ts';
import { putIfChanged, type Subscriptions } from './subscriptions.ts';

export interface NesoiHooksOptions {
  readonly subscriptions: Subscriptions;
  readonly endpointPolicy: EndpointPolicy;
}

/** A hook as Nesoi registers it. */
export interface HookInput {
  readonly name: string;
  readonly endpoint: string;
  /** The base URL through which it is registered, without a slash at its end. */
  readonly baseUrl: string;
}

/**
 * The hooks that Nesoi keeps on applications and services: subscriptions that are addressed by resource and name, have its
 * format, and are neither signed nor asked for consent.
 *
 * All methods throw SkerryError `unavailable` when the database does not answer.
 */
export class NesoiHooks {
  readonly #subscriptions: Subscriptions;
  readonly #endpointPolicy: EndpointPolicy;

  constructor({ subscriptions, endpointPolicy }: NesoiHooksOptions) {
    this.#subscriptions = subscriptions;
    this.#endpointPolicy = endpointPolicy;
  }

  /**
   * Registers a hook on an application or a service, which need not exist.
   *
   * @param resource `/app/NAME` or `/srv/NAME`.
   * @throws SkerryError `conflict` when the resource has a hook of that name; `invalid` for an endpoint that may not be called.
   */
  async create(ns: string, resource: string, input: HookInput, author: Author): Promise<Subscription> {
    const { name, endpoint, baseUrl } = input;
    checkPublicKey(resource);
    checkEndpoint(endpoint, this.#endpointPolicy);
    const since = await this.#subscriptions.beginning(ns, resource);
    const value: SubscriptionValue = {
      name,
      key: resource,
      endpoint,
      format: 'nesoi',
      state: 'active',
      baseUrl,
      since,
      maker: makerOf(author),
    };
    return await this.#subscriptions.write(ns, nesoiSubscriptionId(ns, resource, name), author, (current) => {
      if (current !== undefined) {
        throw conflict(`${resource} has a web hook "${name}" already.`, {
          field: 'name',
          fix: 'Choose another name, or replace that one.',
        });
      }
      return { type: 'put', value };
    });
  }

  /** Those of a resource, by name. */
  async list(ns: string, resource: string): Promise<readonly Subscription[]> {
    const hooks: Subscription[] = [];
    for await (const subscription of this.#subscriptions.all(ns)) {
      if (subscription.format === 'nesoi' && subscription.key === resource) {
        hooks.push(subscription);
      }
    }
    return hooks.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** @throws SkerryError `not-found`. */
  async get(ns: string, resource: string, name: string): Promise<Subscription> {
    const hook = await this.#subscriptions.find(ns, nesoiSubscriptionId(ns, resource, name));
    if (hook === undefined) {
      throw unknownHook(resource, name);
    }
    return hook;
  }

  /** @throws SkerryError `not-found`, and `invalid` as `create` does. */
  async replace(ns: string, resource: string, input: HookInput, author: Author): Promise<Subscription> {
    const { name, endpoint, baseUrl } = input;
    checkEndpoint(endpoint, this.#endpointPolicy);
    return await this.#subscriptions.write(ns, nesoiSubscriptionId(ns, resource, name), author, (current) => {
      if (current === undefined) {
        throw unknownHook(resource, name);
      }
      return putIfChanged(current.value, {
        ...currentValue(current.value),
        endpoint,
        baseUrl,
        maker: makerOf(author),
      });
    });
  }

  /** @throws SkerryError `not-found`. */
  async remove(ns: string, resource: string, name: string, author: Author): Promise<void> {
    await this.#subscriptions.erase(ns, nesoiSubscriptionId(ns, resource, name), author, (current) => {
      if (current === undefined) {
        throw unknownHook(resource, name);
      }
    });
  }
}

/** The error for a hook that a resource does not have. */
export function unknownHook(resource: string, name: string): SkerryError {
  return notFound(`${resource} has no web hook "${name}".`);
}
