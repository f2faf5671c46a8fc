import type { Clock } from '../../platform/clock.ts';
import { conflict, type SkerryError } from '../../platform/errors.ts';
import type { Author } from '../../platform/http/request.ts';
import type { Random } from '../../platform/random.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { Subscription, SubscriptionValue } from './subscription.ts';
import type { Subscriptions } from './subscriptions.ts';
import { withState } from './with-state.ts';

export interface ActivationOptions {
  readonly subscriptions: Subscriptions;
  readonly queue: Pick<DeliveryQueue, 'schedule'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Another change of the state in between begins it anew; so many at a time are somebody's mistake. */
const MAX_TRIES = 5;

/**
 * Makes subscriptions active, and inactive. Whoever becomes active is owed all changes of the time in which it was not: the
 * recovery that finds them is enqueued before the state is written, and waits for it. Killed in between, it gives up in the
 * end, and the client, which was promised nothing, asks again.
 */
export class Activation {
  readonly #options: ActivationOptions;

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /**
   * Stops all calls of the endpoint until `resume`; what changes meanwhile is kept.
   *
   * @throws SkerryError `not-found`, `conflict` for a subscription that is not active for another reason, `unavailable`.
   */
  async pause(ns: string, id: string, author: Author): Promise<Subscription> {
    const { subscriptions, clock } = this.#options;
    return await subscriptions.update(ns, id, author, (value) => {
      if (value.state === 'paused') {
        return undefined;
      }
      if (value.state !== 'active') {
        throw conflict(`The subscription is ${value.state}, and is told of nothing as it is.`, {
          field: 'state',
          fix: 'Leave it so; only an active subscription can be paused.',
        });
      }
      return withState(value, 'paused', clock.now(), 'It was paused by a call of the API.');
    });
  }

  /**
   * Makes a paused or disabled subscription active.
   *
   * @throws SkerryError `not-found`, `conflict` without the endpoint's consent, `unavailable`, also of the bus.
   */
  async resume(ns: string, id: string, author: Author): Promise<Subscription> {
    return await this.activate(ns, id, author, (value) => {
      if (value.state === 'active') {
        return undefined;
      }
      if (isConsentMissing(value)) {
        throw notConfirmed(id);
      }
      return { ...value, state: 'active' };
    });
  }

  /**
   * Writes a change of a subscription, and has what it missed recovered if that makes it active: the one way to become active again.
   *
   * @param change the new value, whose `reason` and `stateSince` need not be cared for; undefined leaves everything as it is. Called repeatedly.
   * @throws SkerryError `not-found`, `conflict`, `unavailable`, also of the bus, and whatever `change` throws.
   */
  async activate(
    ns: string,
    id: string,
    author: Author,
    change: (value: SubscriptionValue) => SubscriptionValue | undefined,
  ): Promise<Subscription> {
    const { subscriptions, clock } = this.#options;
    for (let nth = 0; nth < MAX_TRIES; nth += 1) {
      const known = await subscriptions.get(ns, id);
      const isRecovered = becomesActive(known, change(known));
      if (isRecovered) {
        await this.#enqueueRecovery(ns, known);
      }
      let isAsKnown = true;
      const written = await subscriptions.update(ns, id, author, (value) => {
        const changed = change(value);
        const isActivation = becomesActive(value, changed);
        isAsKnown = !isActivation || (isRecovered && value.stateSince === known.stateSince);
        if (!isAsKnown || changed === undefined) {
          return undefined;
        }
        return isActivation ? withState(changed, 'active', clock.now()) : changed;
      });
      if (isAsKnown) {
        return written;
      }
    }
    throw conflict(`The state of the subscription "${id}" changes all the time.`, { fix: 'Try again.' });
  }

  async #enqueueRecovery(ns: string, subscription: Subscription): Promise<void> {
    const { queue, clock, random } = this.#options;
    const since = inactiveSince(subscription);
    await queue.schedule(
      {
        task: 'recover',
        run: random.id(),
        ns,
        subscription: subscription.id,
        since,
        awaitsActive: true,
        page: 1,
      },
      clock.now(),
    );
  }
}

function becomesActive(value: SubscriptionValue, changed: SubscriptionValue | undefined): boolean {
  return value.state !== 'active' && changed?.state === 'active';
}

/** From when on a subscription that is not active missed what changed, RFC 3339. */
export function inactiveSince({
  stateSince,
  createdAt,
}: Pick<Subscription, 'stateSince' | 'createdAt'>): string {
  return stateSince ?? createdAt;
}

/** Whether the endpoint must not be called yet, whatever the state is besides: a paused subscription that is given another endpoint stays paused. */
export function isConsentMissing({ state, consent }: Pick<SubscriptionValue, 'state' | 'consent'>): boolean {
  return state === 'unconfirmed' || (consent !== undefined && consent.grantedAt === undefined);
}

/** @returns what refuses to call an endpoint that did not consent. */
export function notConfirmed(id: string): SkerryError {
  return conflict(`The endpoint of the subscription "${id}" has not given its consent to be called.`, {
    field: 'state',
    fix: `Have it asked again by POST /api/v1/subscriptions/${id}/confirm, and answer it.`,
  });
}
