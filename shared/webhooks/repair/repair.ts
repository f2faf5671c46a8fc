import type { Clock } from '../../platform/clock.ts';
import { conflict, notFound, type SkerryError } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import { notConfirmed } from '../subscription/activation.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { nextReplay } from './replays.ts';

export interface RepairOptions {
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Has deliveries made again for somebody who asks. It only enqueues: what was answered survives this process.
 *
 * All methods throw SkerryError `not-found`, alike for what does not exist and what is another namespace's, and `unavailable`, also
 * of the bus.
 */
export class Repair {
  readonly #options: RepairOptions;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** One delivery, also of a subscription that is gone. */
  async get(ns: string, subscription: string, id: string): Promise<Delivery> {
    const known = await this.#options.storage.read(subscription, id);
    if (known === undefined || known.delivery.ns !== ns) {
      throw unknownDelivery(subscription, id);
    }
    return known.delivery;
  }

  /**
   * Has a delivery made again at once, whatever became of it: also one that was delivered, or waits for its next attempt. Where it is its
   * turn in an order, it keeps that, and its place on the ladder.
   *
   * @returns the delivery as it is.
   * @throws SkerryError `conflict` while the subscription is not active.
   */
  async retry(ns: string, subscription: string, id: string): Promise<Delivery> {
    const { subscriptions, queue, clock, random } = this.#options;
    const delivery = await this.get(ns, subscription, id);
    const known = await subscriptions.get(ns, subscription);
    checkActive(known);
    const { state, scope, replays } = delivery;
    if (known.ordered && state === 'pending' && replays === undefined) {
      const name = random.id();
      await queue.schedule({ task: 'wake', subscription, scope, name, isUrgent: true }, clock.now());
      return delivery;
    }
    const replay = nextReplay(delivery);
    // Two who ask at the same time ask for the same replay, by the same message.
    const run = `${id}:${replay.replay}`;
    await queue.schedule({ task: 'replay', run, ns, subscription, replays: [replay] }, clock.now());
    return delivery;
  }

  /**
   * Has everything delivered that changed since a time and was not delivered, as far as its history is there.
   *
   * @param since RFC 3339.
   * @returns the id of the recovery.
   * @throws SkerryError `conflict` while the subscription is not active.
   */
  async recover(ns: string, subscription: string, since: string): Promise<string> {
    const { subscriptions, queue, clock, random } = this.#options;
    checkActive(await subscriptions.get(ns, subscription));
    const run = random.id();
    await queue.schedule({ task: 'recover', run, ns, subscription, since, page: 1 }, clock.now());
    return run;
  }
}

/** The error for a delivery that there is not. */
export function unknownDelivery(subscription: string, id: string): SkerryError {
  return notFound(`There is no delivery "${id}" to a subscription "${subscription}".`);
}

function checkActive({ id, state }: Subscription): void {
  if (state === 'unconfirmed') {
    throw notConfirmed(id);
  }
  if (state !== 'active') {
    throw conflict(`The subscription "${id}" is ${state}, so that its endpoint is not called.`, {
      field: 'state',
      fix: `Resume it by POST /api/v1/subscriptions/${id}/resume, which recovers what it missed by itself.`,
    });
  }
}
