import { type Clock, toTimestamp } from '../platform/clock.ts';
import { isUnavailable } from '../platform/errors.ts';
import type { Random } from '../platform/random.ts';
import { type Json, parseScopeId, type Records } from '../records/index.ts';
import {
  attemptsMade,
  type Delivery,
  type DeliveryMessage,
  type DeliveryQueue,
  type DeliveryStorage,
  dead,
  deliveryId,
  type Publication,
  pauseAfter,
  postpone,
} from '../webhooks/index.ts';

export interface NotificationDeliveriesOptions {
  readonly records: Records;
  readonly publications: readonly Publication[];
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly clock: Clock;
  readonly random: Random;
  /** Pauses between attempts, in seconds; after the last one a delivery is dead again. */
  readonly retrySeconds: readonly number[];
}

/**
 * Publishes changes that the topic, or the target of a reply, did not take when they were made: of what would last they became dead
 * deliveries, which somebody replays once there is room again (shared/webhooks/repair/replays.ts); the rest is tried again. One message of the queue for each attempt, by the same ladder as webhooks.
 */
export class NotificationDeliveries {
  readonly #options: NotificationDeliveriesOptions;

  constructor(options: NotificationDeliveriesOptions) {
    this.#options = options;
  }

  /** @throws what the bus throws when it does not answer, and errors of this program; the message then comes again. */
  async handle(message: DeliveryMessage): Promise<void> {
    try {
      await this.#attempt(message);
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
      await postpone(message, this.#options);
    }
  }

  /** As with webhooks the attempt is recorded before the next one is scheduled, and a message whose attempt is recorded only does that. */
  async #attempt(message: DeliveryMessage): Promise<void> {
    const { storage } = this.#options;
    const known = await storage.read(message.subscription, deliveryId(message));
    if (known === undefined || known.delivery.state !== 'pending') {
      return;
    }
    const isTaken =
      known.delivery.replays !== message.replay || attemptsMade(known.delivery) >= message.attempt;
    if (isTaken) {
      return await this.#scheduleNext(message, known.delivery);
    }
    const written = await storage.replace(known, await this.#publish(message, known.delivery));
    if (written !== undefined) {
      await this.#scheduleNext(message, written.delivery);
    }
  }

  async #publish(message: DeliveryMessage, delivery: Delivery): Promise<Delivery> {
    const { records, publications, clock, random, retrySeconds } = this.#options;
    const { scope, revision, subscription } = message;
    const startedAt = clock.now();
    const change = await records.readChange<Json>(parseScopeId(scope), revision);
    const { nextAt: _, ...rest } = delivery;
    if (change === undefined) {
      return dead(delivery, 'The log no longer has the change.');
    }
    const publication = publications.find(({ id }) => id === subscription);
    if (publication === undefined) {
      throw new Error(`Nothing is published as ${subscription}.`);
    }
    const [unpublished] = await publication.publish([{ scope, change }]);
    const attempt = { at: toTimestamp(startedAt), durationMs: clock.now() - startedAt };
    if (unpublished === undefined) {
      return { ...rest, state: 'delivered', attempts: [...delivery.attempts, attempt] };
    }
    const { reason } = unpublished;
    const attempts = [...delivery.attempts, { ...attempt, error: reason }];
    const pause = pauseAfter(message.attempt, retrySeconds, random);
    return pause === undefined
      ? dead({ ...delivery, attempts }, reason)
      : { ...rest, attempts, nextAt: toTimestamp(clock.now() + pause) };
  }

  async #scheduleNext(message: DeliveryMessage, { state, nextAt, replays }: Delivery): Promise<void> {
    const { queue } = this.#options;
    if (state === 'pending' && nextAt !== undefined && replays === message.replay) {
      const { postponed: _, ...attempted } = message;
      await queue.schedule({ ...attempted, attempt: message.attempt + 1 }, Date.parse(nextAt));
    }
  }
}
