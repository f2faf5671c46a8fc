import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { Author } from '../../platform/http/request.ts';
import type { Records, Scope } from '../../records/index.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { withState } from '../subscription/with-state.ts';

/** What everybody may see of an endpoint that fails: the record `/endpoint/SUBSCRIPTION`. There is none of others. */
export interface FailingEndpoint {
  readonly state: 'failing' | 'disabled';
  /** When it began to do nothing but fail; for one that is disabled for another reason, when that was. RFC 3339, UTC. */
  readonly since: string;
  /** When it will be disabled, unless a call succeeds; RFC 3339, UTC. */
  readonly disablesAt?: string;
  readonly reason: string;
}

export interface FailingEndpointsOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
}

const AUTHOR: Author = { actor: 'system:webhooks' };

/**
 * Says of endpoints that they fail, and disables them, by records: whoever watches, subscribed to or takes from the bus what
 * is under `/endpoint` hears of it. All methods may be repeated, and finish what one before them left undone.
 */
export class FailingEndpoints {
  readonly #records: Records;
  readonly #subscriptions: Subscriptions;
  readonly #clock: Clock;

  constructor({ records, subscriptions, clock }: FailingEndpointsOptions) {
    this.#records = records;
    this.#subscriptions = subscriptions;
    this.#clock = clock;
  }

  /** @param since in milliseconds since the Unix epoch, as is `disablesAt`. */
  async warn(ns: string, subscription: Subscription, since: number, disablesAt: number): Promise<void> {
    const reason = `No call has succeeded since ${toTimestamp(since)}.`;
    await this.#put(ns, subscription.id, {
      state: 'failing',
      since: toTimestamp(since),
      disablesAt: toTimestamp(disablesAt),
      reason,
    });
  }

  /** Writes the record first: killed between, the next call fails too, and comes here again. */
  async disable(
    ns: string,
    subscription: Subscription,
    reason: string,
    since: number = this.#clock.now(),
  ): Promise<void> {
    await this.#put(ns, subscription.id, { state: 'disabled', since: toTimestamp(since), reason });
    if (!(await this.#disable(ns, subscription, reason))) {
      await this.recover(ns, subscription);
    }
  }

  async recover(ns: string, subscription: Subscription): Promise<void> {
    await removeFailingEndpoint(this.#records, ns, subscription.id, AUTHOR);
  }

  /** Whether it is disabled now: not when it was deleted, paused or given another endpoint since it was read. */
  async #disable(ns: string, { id, endpoint, stateSince }: Subscription, reason: string): Promise<boolean> {
    try {
      const { state } = await this.#subscriptions.update(ns, id, AUTHOR, (value) =>
        value.state === 'active' && value.endpoint === endpoint && value.stateSince === stateSince
          ? withState(value, 'disabled', this.#clock.now(), reason)
          : undefined,
      );
      return state === 'disabled';
    } catch (error) {
      if (error instanceof SkerryError && error.kind === 'not-found') {
        return false;
      }
      throw error;
    }
  }

  async #put(ns: string, id: string, value: FailingEndpoint): Promise<void> {
    await this.#records.commit<FailingEndpoint>(endpointScope(ns), {
      key: endpointKey(id),
      ...AUTHOR,
      decide: (current) =>
        current?.value.state === value.state && current.value.reason === value.reason
          ? { type: 'keep' }
          : { type: 'put', value },
    });
  }
}

/** Takes back what is said of an endpoint, if anything is: it was resumed, removed, or works again. */
export async function removeFailingEndpoint(
  records: Records,
  ns: string,
  subscription: string,
  author: Author,
): Promise<void> {
  await records.commit<FailingEndpoint>(endpointScope(ns), {
    key: endpointKey(subscription),
    ...author,
    decide: (current) => ({ type: current === undefined ? 'keep' : 'delete' }),
  });
}

function endpointScope(ns: string): Scope {
  return { ns, kind: 'endpoint', name: '' };
}

function endpointKey(subscription: string): string {
  return `/endpoint/${subscription}`;
}
