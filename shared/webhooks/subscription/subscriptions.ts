import { scopeOfPrefix } from '../../keyspace/index.ts';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { Coalesced } from '../../platform/coalesced.ts';
import { conflict } from '../../platform/errors.ts';
import { makerOf } from '../../platform/http/caller.ts';
import { checkPrecondition, type Precondition } from '../../platform/http/precondition.ts';
import type { Author } from '../../platform/http/request.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Random } from '../../platform/random.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import type { Sealer } from '../../platform/sealer.ts';
import {
  attributesOf,
  type Decision,
  type ListOptions,
  type Records,
  type StoredRecord,
  scopeId,
} from '../../records/index.ts';
import type { EndpointPolicy } from '../endpoint/endpoint-policy.ts';
import { removeFailingEndpoint } from '../endpoint/failing-endpoints.ts';
import { withOrdering } from './ordering.ts';
import { checkHeaders, headersPlace, sealHeaders } from './own-headers.ts';
import { checkHookInput, checkSignature } from './replaceable.ts';
import { newSigningKey, signingKeyPlace, withNewKey, withoutExpiredKeys } from './signing-keys.ts';
import {
  currentValue,
  type SealedHeaders,
  type SignatureVersion,
  type Since,
  type Subscription,
  type SubscriptionValue,
  subscriptionKey,
  subscriptionScope,
  toSubscription,
  unknownSubscription,
} from './subscription.ts';
import { checkSubscriptionInput, type SubscriptionInput, statedValue } from './subscription-input.ts';
import { literalBeginning } from './watched-key.ts';

export interface SubscriptionsOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly sealer: Sealer;
  readonly endpointPolicy: EndpointPolicy;
}

/** A subscription that was given a signing key just now. */
export interface IssuedSubscription extends Subscription {
  /** `whsec_…`, which is shown this once; a key of v1a has none that receivers need. */
  readonly secret?: string;
}

export interface CreateOptions {
  readonly id?: string;
  /** Says what is stored instead of what the input alone would make. */
  readonly settle?: (value: SubscriptionValue) => SubscriptionValue;
  /** Signs, instead of one that is made up. */
  readonly secret?: string | undefined;
  /** Milliseconds since the Unix epoch: it ends by itself then. */
  readonly expiresAt?: number;
  /** Whether one of that id that is there already stays as it is, and is the answer. */
  readonly isKept?: true;
}

export interface SecretRotation {
  /** For how long older keys still sign. */
  readonly overlapSeconds: number;
  /** The version of the new key; that of the newest one unless told. */
  readonly signature?: SignatureVersion | undefined;
}

/** A page of a namespace's subscriptions, in the order of their ids. */
export interface SubscriptionListing {
  readonly subscriptions: readonly Subscription[];
  /** Of the scope of all subscriptions of the namespace. */
  readonly revision: number;
  readonly ageSeconds: number;
  readonly next?: string;
}

/** Subscriptions that are looked for at a time; of one beyond that several may look. */
const MAX_FINDING = 1_000;

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
  readonly #sealer: Sealer;
  readonly #endpointPolicy: EndpointPolicy;
  readonly #finding = new RecentMap<string, Coalesced<Subscription | undefined>>(MAX_FINDING);

  constructor({ records, clock, random, sealer, endpointPolicy }: SubscriptionsOptions) {
    this.#records = records;
    this.#clock = clock;
    this.#random = random;
    this.#sealer = sealer;
    this.#endpointPolicy = endpointPolicy;
  }

  /**
   * @throws SkerryError `invalid` for a key that cannot be watched, an endpoint that may not be called, or what else the
   *   input says; `unavailable` also when no key is configured that secrets could be sealed with.
   */
  async create(
    ns: string,
    input: SubscriptionInput,
    author: Author,
    options: CreateOptions = {},
  ): Promise<IssuedSubscription> {
    const { id = `sub_${this.#random.id()}`, settle = (value) => value, expiresAt } = options;
    this.check(input);
    const headers = this.#seal(ns, id, input, undefined);
    const { key, secret } = newSigningKey(ns, id, input.signature ?? 'v1', this.#keyMaker(), options.secret);
    const value: SubscriptionValue = {
      ...statedValue(input),
      ...(headers !== undefined && { headers }),
      signing: [key],
      state: 'active',
      since: await this.beginning(ns, input.key),
      maker: makerOf(author),
    };
    const subscription = await this.write(ns, id, author, (current) =>
      current !== undefined && options.isKept === true
        ? { type: 'keep' }
        : { type: 'put', value: settle(value), ...(expiresAt !== undefined && { expiresAt }) },
    );
    return { ...subscription, ...(secret !== undefined && { secret }) };
  }

  async list(ns: string, options?: ListOptions): Promise<SubscriptionListing> {
    const { records, ...page } = await this.#records.list<SubscriptionValue>(subscriptionScope(ns), options);
    return { ...page, subscriptions: records.map(toSubscription) };
  }

  /** @throws SkerryError `not-found`. */
  async get(ns: string, id: string): Promise<Subscription> {
    const subscription = await this.find(ns, id);
    if (subscription === undefined) {
      throw unknownSubscription(id);
    }
    return subscription;
  }

  /**
   * Replaces what a client may say of a subscription: what the input leaves out is gone. Its keys and its state stay. A Nesoi
   * hook keeps all but its endpoint. The author is its maker from then on, also of what is replaced by the same.
   *
   * @throws SkerryError `not-found`, `precondition-failed`, `conflict` for what cannot be replaced, and `invalid` and `unavailable` as `create` does.
   */
  async replace(
    ns: string,
    id: string,
    input: SubscriptionInput,
    author: Author,
    precondition?: Precondition,
    settle: (value: SubscriptionValue, current: SubscriptionValue) => SubscriptionValue = (value) => value,
  ): Promise<Subscription> {
    this.check(input);
    const { key, endpoint } = input;
    const since = await this.beginning(ns, key);
    const now = toTimestamp(this.#clock.now());
    return await this.write(ns, id, author, (current) => {
      const value = currentValue(existing(current, id, precondition).value);
      if (value.format === 'nesoi') {
        checkHookInput(value, input);
        return putIfChanged(value, { ...value, endpoint, maker: makerOf(author) });
      }
      checkSignature(id, value, input);
      const { mode: _, types: __, changed: ___, fields: ____, ordered, unordered, headers, ...kept } = value;
      const sealed = this.#seal(ns, id, input, headers);
      const replaced = {
        ...kept,
        ...statedValue(input),
        ...withOrdering({ ordered, unordered }, input.ordered === true, now),
        ...(sealed !== undefined && { headers: sealed }),
        since: key === value.key ? value.since : since,
        maker: makerOf(author),
      };
      return putIfChanged(value, settle(replaced, value));
    });
  }

  /**
   * Gives a subscription a new signing key. Older ones sign beside it for a while, so that receivers can be told the new one.
   *
   * @throws SkerryError `not-found`, `precondition-failed`, `conflict` for a Nesoi hook or too many keys, `unavailable` as `create` does.
   */
  async rotateSecret(
    ns: string,
    id: string,
    { overlapSeconds, signature }: SecretRotation,
    author: Author,
    precondition?: Precondition,
  ): Promise<IssuedSubscription> {
    const { format, signing: [newest] = [] } = await this.get(ns, id);
    if (format === 'nesoi') {
      throw conflict('Hooks that were registered through /app or /srv are not signed.', {
        fix: 'Create a subscription by POST /api/v1/subscriptions instead.',
      });
    }
    const maker = this.#keyMaker();
    const { key, secret } = newSigningKey(ns, id, signature ?? newest?.version ?? 'v1', maker);
    const subscription = await this.write(ns, id, author, (current) => {
      const value = currentValue(existing(current, id, precondition).value);
      const signing = withNewKey(value.signing ?? [], key, overlapSeconds, maker.now);
      return { type: 'put', value: { ...value, signing } };
    });
    return { ...subscription, ...(secret !== undefined && { secret }) };
  }

  /**
   * @returns the revision of the change that removed it.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async remove(ns: string, id: string, author: Author, precondition?: Precondition): Promise<number> {
    return await this.erase(ns, id, author, (current) => {
      existing(current, id, precondition);
    });
  }

  /** The secret that the newest key signs with, as far as it is one that receivers need: to be shown to nobody but who made the subscription. */
  secretOf(ns: string, { id, signing: [newest] = [] }: Subscription): string | undefined {
    return newest?.version === 'v1'
      ? this.#sealer.open(newest.sealed, signingKeyPlace(ns, id, newest.id))
      : undefined;
  }

  /**
   * Has a subscription end by itself; nothing where there is none.
   *
   * @param expiresAt milliseconds since the Unix epoch.
   */
  async endAt(ns: string, id: string, expiresAt: number, author: Author): Promise<void> {
    await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide: (current) =>
        current === undefined || current.expiresAt === expiresAt
          ? { type: 'keep' }
          : { type: 'put', value: current.value, expiresAt },
    });
  }

  /**
   * Writes what only this program says of a subscription: its state, its consent.
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
    return await this.write(ns, id, author, (current) => {
      const { value } = existing(current, id, undefined);
      const changed = change(currentValue(value));
      return changed === undefined ? { type: 'keep' } : putIfChanged(value, changed);
    });
  }

  /** All subscriptions of a namespace, proven current. */
  async *all(ns: string): AsyncGenerator<Subscription> {
    for (let page = await this.list(ns); ; page = await this.list(ns, { after: page.next })) {
      yield* page.subscriptions;
      if (page.next === undefined) return;
    }
  }

  /** The subscription as it stands, by one strong point read that all who ask at a time share; undefined when there is none. */
  async find(ns: string, id: string): Promise<Subscription | undefined> {
    const place = `${ns}:${id}`;
    const finding = this.#finding.get(place) ?? new Coalesced(() => this.#read(ns, id));
    this.#finding.set(place, finding);
    return await finding.ask();
  }

  async #read(ns: string, id: string): Promise<Subscription | undefined> {
    const record = await this.#records.get<SubscriptionValue>(subscriptionScope(ns), subscriptionKey(id));
    return record && toSubscription(record);
  }

  /** Where a subscription to `key` begins. To be asked before it is committed: then no change after the commit is missed. */
  async beginning(ns: string, key: string): Promise<Since> {
    const scope = scopeOfPrefix(ns, literalBeginning(key));
    return scope === undefined
      ? { at: toTimestamp(this.#clock.now()) }
      : { scope: scopeId(scope), revision: await this.#records.position(scope) };
  }

  /**
   * The one way to write a subscription: signing keys that have expired leave with it, and its end stays.
   *
   * @param decide is called with the newest state, perhaps repeatedly, and may throw.
   */
  async write(
    ns: string,
    id: string,
    author: Author,
    decide: (current: Current) => Decision<SubscriptionValue>,
  ): Promise<Subscription> {
    let isAnew = false;
    const { record } = await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide: (current) => {
        const decision = decide(current);
        isAnew =
          current !== undefined && decision.type === 'put' && beginsAnew(current.value, decision.value);
        return decision.type === 'put'
          ? {
              ...(current && attributesOf(current)),
              ...decision,
              value: withoutExpiredKeys(decision.value, this.#clock.now()),
            }
          : decision;
      },
    });
    if (record === undefined) {
      throw new Error(`The subscription ${id} vanished in the commit that wrote it.`);
    }
    if (isAnew) {
      await removeFailingEndpoint(this.#records, ns, id, author);
    }
    return toSubscription(record);
  }

  /**
   * @param check throws unless the newest state may be removed.
   * @returns the revision of the change that removed it.
   */
  async erase(ns: string, id: string, author: Author, check: (current: Current) => void): Promise<number> {
    const { revision } = await this.#records.commit<SubscriptionValue>(subscriptionScope(ns), {
      key: subscriptionKey(id),
      ...author,
      decide(current) {
        check(current);
        return { type: 'delete' };
      },
    });
    await removeFailingEndpoint(this.#records, ns, id, author);
    return revision;
  }

  /** @throws SkerryError `invalid` as `create` does, but for headers. */
  check(input: SubscriptionInput): void {
    checkSubscriptionInput(input, this.#endpointPolicy);
  }

  #keyMaker() {
    return { sealer: this.#sealer, random: this.#random, now: this.#clock.now() };
  }

  #seal(
    ns: string,
    id: string,
    { headers }: SubscriptionInput,
    known: SealedHeaders | undefined,
  ): SealedHeaders | undefined {
    return headers && sealHeaders(checkHeaders(headers), known, this.#sealer, headersPlace(ns, id));
  }
}

export function putIfChanged(
  current: SubscriptionValue,
  value: SubscriptionValue,
): Decision<SubscriptionValue> {
  return jsonEquals(value, current) ? { type: 'keep' } : { type: 'put', value };
}

/** Whether what was said of the endpoint is so no more: another one is called, or the same one again. */
function beginsAnew(current: SubscriptionValue, value: SubscriptionValue): boolean {
  const isResumed = currentValue(current).state !== 'active' && value.state === 'active';
  return isResumed || current.endpoint !== value.endpoint;
}

function existing(
  current: Current,
  id: string,
  precondition: Precondition | undefined,
): StoredRecord<SubscriptionValue> {
  if (current === undefined) {
    throw unknownSubscription(id);
  }
  checkPrecondition(precondition, current);
  return current;
}
