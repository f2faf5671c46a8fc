import type { Clock } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import { type Change, type Json, parseScopeId, type Records } from '../../records/index.ts';
import type { CalledEndpoint, EndpointGate, WaitForEndpoint } from '../endpoint/endpoint-gate.ts';
import type { PostWebhook } from '../endpoint/webhook-client.ts';
import type { RequestWriter } from '../notification/request-writer.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { hears } from '../subscription/watched-key.ts';
import { afterCall, attemptsMade } from './after-call.ts';
import { backoff } from './backoff.ts';
import { type Delivery, type DeliveryMessage, deliveryId, isDone, newDelivery } from './delivery.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type {
  DeliveryListing,
  DeliveryPageRequest,
  DeliveryStorage,
  VersionedDelivery,
} from './delivery-storage.ts';

export interface DeliveriesOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  /** The only way to endpoints. */
  readonly gate: Pick<EndpointGate, 'call'>;
  readonly post: PostWebhook;
  readonly requests: RequestWriter;
  readonly clock: Clock;
  readonly random: Random;
  /** Pauses between attempts, in seconds; after the last one a delivery is dead. */
  readonly retrySeconds: readonly number[];
  readonly clockSkewMilliseconds: number;
}

/** The longest pause of an attempt that is put off, in milliseconds. */
const MAX_POSTPONEMENT_MILLISECONDS = 60_000;
/** So that all that waits for a dead endpoint does not come back each time that it may be called. */
const MAX_WAIT_MILLISECONDS = 15 * 60_000;
/** Share of a wait by which it is varied, so that what waits together does not come back together. */
const WAIT_JITTER = 0.2;

/**
 * Hands changes to endpoints, one message of the queue for each attempt. The message is completed only when `handle`
 * returns; killed before, it comes again. The steps are, in this order:
 *
 * 1. Create the delivery document. Killed here: the message finds it pending, without this attempt, and goes on.
 * 2. Ask the gate (endpoint/endpoint-gate.ts). Where the endpoint is not to be called now, schedule the same attempt again,
 *    which counts as none, and return. Killed here: the gate is asked again, and whatever it says then, what was scheduled
 *    already finds its attempt recorded, or is dropped by the bus because of its id.
 * 3. POST. Killed here: nothing tells whether the endpoint heard it, so it is called again, with the same `webhook-id`.
 * 4. Let the gate note the outcome. Killed here: as in step 3; what it had begun (saying that the endpoint fails, disabling the
 *    subscription) the next call finishes.
 * 5. Record the attempt in the document, by If-Match. Killed here: the message finds the attempt recorded; a delivery that
 *    is delivered or dead needs nothing more, another one goes on with step 6.
 * 6. Schedule the next attempt, under an id of its own and at the time that step 5 wrote down. Killed here: it is scheduled
 *    again under the same id, which the bus drops; past the window of its duplicate detection, a second message
 *    finds its attempt recorded and does nothing.
 * 7. Return. The message is completed.
 *
 * So there is always either a message for a pending delivery or one under way, and two handlers of one message at the
 * same time agree by step 5, where a success wins over a failure. A replay is a series of its own: messages of the series before
 * it find that, and do nothing.
 *
 * While its subscription is paused or unconfirmed a delivery is held instead of step 2, and its message completed. Whoever makes
 * the subscription active revives what is held after that; so who holds a delivery looks at the subscription once
 * more afterwards, and goes on by itself if it is active by then. Killed in between, the message comes again and does so.
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
    if (isDone(known.delivery) || !isOfSeries(message, known.delivery)) {
      return;
    }
    if (attemptsMade(known.delivery) >= message.attempt) {
      return await this.#scheduleNext(message, known.delivery);
    }
    if (change === undefined) {
      return await this.#giveUp(message, 'The log no longer has the change.');
    }
    if (message.replay === undefined && !this.#isDue(message, subscription, change)) {
      return await this.#giveUp(message, 'The subscription began after the change, or its key was replaced.');
    }
    switch (subscription.state) {
      case 'active':
        return await this.#call(message, known, subscription, change);
      case 'paused':
      case 'unconfirmed':
        return await this.#hold(message, known, subscription);
      case 'disabled':
        return await this.#giveUp(
          message,
          `The subscription is disabled. ${subscription.reason ?? ''}`.trimEnd(),
        );
    }
  }

  #isDue(message: DeliveryMessage, subscription: Subscription, { at }: Change<Json>): boolean {
    return hears(subscription, { ...message, at }, this.#options.clockSkewMilliseconds);
  }

  /** The delivery's document, created by the first message that comes to it. */
  async #open(message: DeliveryMessage): Promise<VersionedDelivery> {
    const { storage, clock } = this.#options;
    const { replay } = message;
    const delivery = {
      ...newDelivery(message, clock.now()),
      ...(replay !== undefined && { replays: replay }),
    };
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

  async #call(
    message: DeliveryMessage,
    known: VersionedDelivery,
    subscription: Subscription,
    change: Change<Json>,
  ): Promise<void> {
    const { gate, post, requests, clock } = this.#options;
    const { id, ns, scope } = known.delivery;
    const answer = await gate.call({ ns, subscription, slotAt: message.slotAt }, () =>
      post(requests.write({ subscription, delivery: id, scope, change, now: clock.now() })),
    );
    if (answer.kind === 'wait') {
      return await this.#wait(message, answer);
    }
    await this.#scheduleNext(message, await this.#record(message, known, answer));
  }

  /** Writes an attempt down, and with it what comes next. Of a concurrent handler's record the better outcome stands. */
  async #record(message: DeliveryMessage, known: VersionedDelivery, call: CalledEndpoint): Promise<Delivery> {
    const { storage, clock, random, retrySeconds } = this.#options;
    let current: VersionedDelivery | undefined = known;
    while (current !== undefined) {
      const { delivery }: VersionedDelivery = current;
      // Held as the message found it, it is this message's to call; held later, somebody else has it.
      const isOpen = delivery.state === 'pending' || current === known;
      const isRecorded = !isOpen || attemptsMade(delivery) >= message.attempt;
      if (
        delivery.state === 'delivered' ||
        !isOfSeries(message, delivery) ||
        (isRecorded && call.result.error !== undefined)
      ) {
        return delivery;
      }
      const next = afterCall(delivery, call, { now: clock.now(), random, retrySeconds });
      const written = await storage.replace(current, next);
      if (written !== undefined) {
        return written.delivery;
      }
      current = await storage.read(delivery.subscription, delivery.id);
    }
    return known.delivery;
  }

  async #scheduleNext(message: DeliveryMessage, delivery: Delivery): Promise<void> {
    const { queue, clock } = this.#options;
    const isTaken = !isOfSeries(message, delivery) || attemptsMade(delivery) > message.attempt;
    if (delivery.state !== 'pending' || isTaken) {
      return;
    }
    const { postponed: _, slotAt: __, ...next } = { ...message, attempt: message.attempt + 1 };
    await queue.schedule(next, delivery.nextAt === undefined ? clock.now() : Date.parse(delivery.nextAt));
  }

  /** Schedules the same attempt again, for its own time by the endpoint's allowed rate, or for when it is worth asking again. */
  async #wait(message: DeliveryMessage, { until, isOwn, slotAt }: WaitForEndpoint): Promise<void> {
    const { queue, clock, random } = this.#options;
    const { slotAt: _, ...rest } = message;
    const postponed = (message.postponed ?? 0) + 1;
    if (isOwn) {
      return await queue.schedule({ ...rest, postponed, ...(slotAt !== undefined && { slotAt }) }, until);
    }
    const now = clock.now();
    const wait = Math.max(until - now, backoff(postponed, MAX_WAIT_MILLISECONDS));
    await queue.schedule({ ...rest, postponed }, now + wait * (1 + WAIT_JITTER * random.fraction()));
  }

  /** Keeps a delivery until its subscription is active again, without a message. */
  async #hold(message: DeliveryMessage, known: VersionedDelivery, { state }: Subscription): Promise<void> {
    const { storage, subscriptions } = this.#options;
    const { nextAt: _, ...rest } = known.delivery;
    const held = { ...rest, state: 'held', reason: `The subscription is ${state}.` } as const;
    const isHeld = known.delivery.state === 'held' || (await storage.replace(known, held)) !== undefined;
    const subscription = await subscriptions.find(rest.ns, rest.subscription);
    const isWaiting = subscription?.state === 'paused' || subscription?.state === 'unconfirmed';
    if (!isHeld || !isWaiting) {
      await this.#attempt(message);
    }
  }

  /** Ends a delivery that cannot or must not be made any more. */
  async #giveUp(message: DeliveryMessage, reason: string): Promise<void> {
    const { storage } = this.#options;
    for (;;) {
      const known = await storage.read(message.subscription, deliveryId(message));
      if (known === undefined || isDone(known.delivery) || !isOfSeries(message, known.delivery)) {
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
    const pause = backoff(postponed, MAX_POSTPONEMENT_MILLISECONDS);
    await queue.schedule({ ...message, postponed }, clock.now() + pause);
  }
}

/** Whether a message belongs to what is under way now, and not to the attempts before a replay. */
function isOfSeries({ replay = 0 }: DeliveryMessage, { replays = 0 }: Delivery): boolean {
  return replay === replays;
}
