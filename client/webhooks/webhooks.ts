import type { PageOptions } from '../config/apps.ts';
import type { Listing } from '../store/store.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { Call, CallOptions, Transport } from '../transport/transport.ts';
import type { Delivery, DeliveryState, TestResult } from './delivery.ts';
import type { EndpointStatistics } from './statistics.ts';
import type { Subscription, SubscriptionInput, SubscriptionWithSecret } from './subscription.ts';
import type { SignatureVersion } from './verification-key.ts';

/** Milliseconds for a test: as long as an endpoint may take to answer, and Skerry to tell. */
const TEST_TIMEOUT = 25_000;

export interface DeliveryFilter extends CallOptions {
  readonly state?: DeliveryState | undefined;
}

export interface RotationOptions extends WriteOptions {
  /** How long the earlier keys sign beside the new one, up to 7 days (604,800); a day unless told. */
  readonly overlapSeconds?: number | undefined;
  /** Of the new key; as before unless told. */
  readonly signature?: SignatureVersion | undefined;
}

/** Subscriptions: endpoints that are told of changes, and what became of it. */
export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Has an endpoint told of all changes under a key from now on. Keep the `secret`: it is told this once. */
  async create(input: SubscriptionInput, { signal }: CallOptions = {}): Promise<SubscriptionWithSecret> {
    const call = { method: 'POST', path: 'subscriptions', body: input, signal } as const;
    return await this.#transport.json<SubscriptionWithSecret>(call);
  }

  /** @returns undefined where there is no such subscription. */
  async get(id: string, { signal }: CallOptions = {}): Promise<Subscription | undefined> {
    return await orUndefined(this.#transport.json<Subscription>({ path: pathOf(id), signal }));
  }

  async listPage({ limit, after, signal }: PageOptions = {}): Promise<Listing<Subscription>> {
    const call = { path: 'subscriptions', query: { limit, after }, signal };
    return await this.#transport.json<Listing<Subscription>>(call);
  }

  /** All subscriptions of the namespace. */
  list(options: CallOptions = {}): AsyncGenerator<Subscription, void, undefined> {
    return pages((after) => this.listPage({ ...options, after }));
  }

  /** Replaces a subscription whole, but for its signing keys and whether it is paused or disabled. */
  async update(
    id: string,
    input: SubscriptionInput,
    { ifRevision, signal }: WriteOptions = {},
  ): Promise<Subscription> {
    return await this.#transport.json<Subscription>({
      method: 'PUT',
      path: pathOf(id),
      headers: guard(ifRevision),
      body: input,
      signal,
    });
  }

  /** What was not delivered yet is dropped. @returns whether it was there. */
  async delete(id: string, { ifRevision, signal }: WriteOptions = {}): Promise<boolean> {
    return await this.#transport.remove({ path: pathOf(id), headers: guard(ifRevision), signal });
  }

  /** One page of what became of the changes, the newest first. */
  async deliveriesPage(
    id: string,
    { state, limit, after, signal }: DeliveryFilter & PageOptions = {},
  ): Promise<Page<Delivery>> {
    const call = { path: `${pathOf(id)}/deliveries`, query: { state, limit, after }, signal };
    return await this.#transport.json<Page<Delivery>>(call);
  }

  /**
   * What became of the changes, the newest first.
   *
   * @param options.limit most items of a page.
   */
  deliveries(
    id: string,
    options: DeliveryFilter & { readonly limit?: number | undefined } = {},
  ): AsyncGenerator<Delivery, void, undefined> {
    return pages((after) => this.deliveriesPage(id, { ...options, after }));
  }

  /** With what the endpoint answered last; undefined where there is no such delivery. */
  async delivery(id: string, delivery: string, { signal }: CallOptions = {}): Promise<Delivery | undefined> {
    return await orUndefined(this.#transport.json<Delivery>({ path: deliveryPath(id, delivery), signal }));
  }

  /**
   * Makes a delivery again at once, whatever became of it before, with the same `webhook-id`.
   *
   * @returns it as it was before.
   */
  async retry(id: string, delivery: string, options: CallOptions = {}): Promise<Delivery> {
    return await this.#transport.json<Delivery>(post(`${deliveryPath(id, delivery)}/retry`, options));
  }

  /**
   * Delivers what the subscription asks for and did not get since a time, which may be before it: what is dead, held, or was never
   * tried, as far back as the history goes. It goes on after the answer.
   *
   * @param since RFC 3339 where it is a text.
   */
  async recover(
    id: string,
    since: Date | string,
    options: CallOptions = {},
  ): Promise<{ readonly run: string }> {
    const time = typeof since === 'string' ? since : since.toISOString();
    return await this.#transport.json({ ...post(`${pathOf(id)}/recover`, options), body: { since: time } });
  }

  /** Calls the endpoint with an event of type `skerry.test`, and tells what it answered. */
  async test(id: string, options: CallOptions = {}): Promise<TestResult> {
    const call = { ...post(`${pathOf(id)}/test`, options), attemptTimeout: TEST_TIMEOUT };
    return await this.#transport.json<TestResult>(call);
  }

  /** Holds what there is to deliver until it is resumed. */
  async pause(id: string, options: CallOptions = {}): Promise<Subscription> {
    return await this.#transport.json<Subscription>(post(`${pathOf(id)}/pause`, options));
  }

  /** Makes a paused or disabled subscription active, and delivers what it missed. */
  async resume(id: string, options: CallOptions = {}): Promise<Subscription> {
    return await this.#transport.json<Subscription>(post(`${pathOf(id)}/resume`, options));
  }

  /** Asks the endpoint for its consent again. */
  async confirm(id: string, options: CallOptions = {}): Promise<Subscription> {
    return await this.#transport.json<Subscription>(post(`${pathOf(id)}/confirm`, options));
  }

  /** Makes a new signing key, beside which the earlier ones go on for a while. Keep the `secret`: it is told this once. */
  async rotateSecret(
    id: string,
    { overlapSeconds, signature, ifRevision, signal }: RotationOptions = {},
  ): Promise<SubscriptionWithSecret> {
    return await this.#transport.json<SubscriptionWithSecret>({
      method: 'POST',
      path: `${pathOf(id)}/rotate-secret`,
      headers: guard(ifRevision),
      body: { overlapSeconds, signature },
      signal,
    });
  }

  async statistics(id: string, { signal }: CallOptions = {}): Promise<EndpointStatistics> {
    return await this.#transport.json<EndpointStatistics>({ path: `${pathOf(id)}/statistics`, signal });
  }
}

/** A POST that does no harm when it is done twice. */
function post(path: string, { signal }: CallOptions): Call {
  return { method: 'POST', path, isRepeatable: true, signal };
}

function pathOf(id: string): string {
  return `subscriptions/${segment(id)}`;
}

function deliveryPath(id: string, delivery: string): string {
  return `${pathOf(id)}/deliveries/${segment(delivery)}`;
}
