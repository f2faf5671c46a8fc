import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import { type Change, type Json, parseScopeId, type Records } from '../../records/index.ts';
import type { PostWebhook } from '../endpoint/webhook-client.ts';
import type { RequestWriter } from '../notification/request-writer.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { hears } from '../subscription/watched-key.ts';
import {
  type Delivery,
  type DeliveryAttempt,
  type DeliveryMessage,
  deliveryId,
  newDelivery,
} from './delivery.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type {
  DeliveryListing,
  DeliveryPageRequest,
  DeliveryStorage,
  VersionedDelivery,
} from './delivery-storage.ts';
import { pauseAfter } from './retry-ladder.ts';

export interface DeliveriesOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly post: PostWebhook;
  readonly requests: RequestWriter;
  readonly clock: Clock;
  readonly random: Random;
  /** Pauses between attempts, in seconds; after the last one a delivery is dead. */
  readonly retrySeconds: readonly number[];
  readonly clockSkewMilliseconds: number;
}

interface Outcome {
  readonly attempt: DeliveryAttempt;
  /** Whether another attempt would be of no use. */
  readonly isFinal: boolean;
}

/** Pauses of an attempt that is put off, in milliseconds. */
const FIRST_POSTPONEMENT_MILLISECONDS = 1_000;
const MAX_POSTPONEMENT_MILLISECONDS = 60_000;

/**
 * Hands changes to endpoints, one message of the queue for each attempt. The message is completed only when `handle`
 * returns; killed before, it comes again. The steps are, in this order:
 *
 * 1. Create the delivery document. Killed here: the message finds it pending, without this attempt, and goes on.
 * 2. POST. Killed here: nothing tells whether the endpoint heard it, so it is called again, with the same `webhook-id`.
 * 3. Record the attempt in the document, by If-Match. Killed here: the message finds the attempt recorded; a delivery that
 *    is delivered or dead needs nothing more, another one goes on with step 4.
 * 4. Schedule the next attempt, under an id of its own and at the time that step 3 wrote down. Killed here: it is scheduled
 *    again under the same id, which the bus drops; past the window of its duplicate detection, a second message
 *    finds its attempt recorded and does nothing.
 * 5. Return. The message is completed.
 *
 * So there is always either a message for a pending delivery or one under way, and two handlers of one message at the
 * same time agree by step 3, where a success wins over a failure.
 */
export class Deliveries {
  readonly #options: DeliveriesOptions;

  constructor(options: DeliveriesOptions) {
    this.#options = options;
  }

  /**
   * Makes the attempt that a message asks for, unless it was made.
   *
   * @throws what the bus throws when it does not answer, and errors of this program; the message then comes again.
   */
  async handle(message: DeliveryMessage): Promise<void> {
    try {
      await this.#attempt(message);
    } catch (error) {
      if (!(error instanceof SkerryError && error.kind === 'unavailable')) {
        throw error;
      }
      await this.#postpone(message);
    }
  }

  /**
   * A page of a subscription's deliveries, the newest first.
   *
   * @throws SkerryError `not-found` for the subscription, `invalid` for the cursor, `unavailable`.
   */
  async list(ns: string, subscription: string, request: DeliveryPageRequest): Promise<DeliveryListing> {
    const { id } = await this.#options.subscriptions.get(ns, subscription);
    return await this.#options.storage.list(id, request);
  }

  async #attempt(message: DeliveryMessage): Promise<void> {
    const { records, subscriptions } = this.#options;
    const scope = parseScopeId(message.scope);
    const [subscription, change] = await Promise.all([
      subscriptions.find(scope.ns, message.subscription),
      records.readChange<Json>(scope, message.revision),
    ]);
    if (subscription === undefined) {
      return await this.#giveUp(message, 'The subscription was deleted.');
    }
    const known = await this.#open(message);
    if (known.delivery.state !== 'pending') {
      return;
    }
    if (known.delivery.attempts.length >= message.attempt) {
      return await this.#scheduleNext(message, known.delivery);
    }
    if (change === undefined) {
      return await this.#giveUp(message, 'The log no longer has the change.');
    }
    if (!hears(subscription, { ...message, at: change.at }, this.#options.clockSkewMilliseconds)) {
      return await this.#giveUp(message, 'The subscription began after the change, or its key was replaced.');
    }
    const outcome = await this.#post(known.delivery, subscription, change);
    await this.#scheduleNext(message, await this.#record(message, known, outcome));
  }

  /** The delivery's document, created by the first message that comes to it. */
  async #open(message: DeliveryMessage): Promise<VersionedDelivery> {
    const { storage, clock } = this.#options;
    const delivery = newDelivery(message, clock.now());
    const create = () => storage.create(delivery);
    const read = () => storage.read(delivery.subscription, delivery.id);
    const [first, second] = message.attempt === 1 ? [create, read] : [read, create];
    for (;;) {
      const known = (await first()) ?? (await second());
      if (known !== undefined) {
        return known;
      }
    }
  }

  async #post({ id, scope }: Delivery, subscription: Subscription, change: Change<Json>): Promise<Outcome> {
    const { clock, post, requests } = this.#options;
    const startedAt = clock.now();
    const request = requests.write({ subscription, delivery: id, scope, change, now: startedAt });
    const { status, error, isFinal } = await post(request);
    const attempt = {
      at: toTimestamp(startedAt),
      durationMs: clock.now() - startedAt,
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
    };
    return { attempt, isFinal: isFinal === true };
  }

  /** Writes an attempt down, and with it what comes next. Of a concurrent handler's record the better outcome stands. */
  async #record(message: DeliveryMessage, known: VersionedDelivery, outcome: Outcome): Promise<Delivery> {
    const { storage } = this.#options;
    let current: VersionedDelivery | undefined = known;
    while (current !== undefined) {
      const { delivery }: VersionedDelivery = current;
      const isRecorded = delivery.state !== 'pending' || delivery.attempts.length >= message.attempt;
      if (delivery.state === 'delivered' || (isRecorded && outcome.attempt.error !== undefined)) {
        return delivery;
      }
      const written = await storage.replace(current, this.#afterAttempt(message, delivery, outcome));
      if (written !== undefined) {
        return written.delivery;
      }
      current = await storage.read(delivery.subscription, delivery.id);
    }
    return known.delivery;
  }

  #afterAttempt(message: DeliveryMessage, delivery: Delivery, { attempt, isFinal }: Outcome): Delivery {
    const { clock, random, retrySeconds } = this.#options;
    const { nextAt: _, reason: __, ...rest } = delivery;
    const attempts = [...delivery.attempts, attempt];
    if (attempt.error === undefined) {
      return { ...rest, state: 'delivered', attempts };
    }
    if (isFinal) {
      return { ...rest, state: 'dead', reason: attempt.error, attempts };
    }
    const pause = pauseAfter(message.attempt, retrySeconds, random);
    return pause === undefined
      ? { ...rest, state: 'dead', reason: `The last attempt failed: ${attempt.error}`, attempts }
      : { ...rest, attempts, nextAt: toTimestamp(clock.now() + pause) };
  }

  async #scheduleNext(message: DeliveryMessage, delivery: Delivery): Promise<void> {
    const { queue, clock } = this.#options;
    if (delivery.state !== 'pending' || delivery.attempts.length > message.attempt) {
      return;
    }
    const { postponed: _, ...next } = { ...message, attempt: message.attempt + 1 };
    await queue.schedule(next, delivery.nextAt === undefined ? clock.now() : Date.parse(delivery.nextAt));
  }

  /** Ends a delivery that cannot or must not be made any more. */
  async #giveUp(message: DeliveryMessage, reason: string): Promise<void> {
    const { storage } = this.#options;
    for (;;) {
      const known = await storage.read(message.subscription, deliveryId(message));
      if (known === undefined || known.delivery.state !== 'pending') {
        return;
      }
      const { nextAt: _, ...rest } = known.delivery;
      if ((await storage.replace(known, { ...rest, state: 'dead', reason })) !== undefined) {
        return;
      }
    }
  }

  /**
   * Puts an attempt off while storage does not answer. Left to the bus, the message would come again at once, and end
   * among the broker's own dead letters after a few times.
   */
  async #postpone(message: DeliveryMessage): Promise<void> {
    const { queue, clock } = this.#options;
    const postponed = (message.postponed ?? 0) + 1;
    const pause = Math.min(
      FIRST_POSTPONEMENT_MILLISECONDS * 2 ** (postponed - 1),
      MAX_POSTPONEMENT_MILLISECONDS,
    );
    await queue.schedule({ ...message, postponed }, clock.now() + pause);
  }
}
