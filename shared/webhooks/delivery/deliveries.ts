import type { Alerts } from '../../platform/alerts.ts';
import type { Clock } from '../../platform/clock.ts';
import { isUnavailable } from '../../platform/errors.ts';
import type { CallerOf } from '../../platform/http/caller.ts';
import type { Random } from '../../platform/random.ts';
import { type Change, type Json, parseScopeId, type Records } from '../../records/index.ts';
import type { CalledEndpoint, EndpointGate, WaitForEndpoint } from '../endpoint/endpoint-gate.ts';
import type { PostWebhook } from '../endpoint/webhook-client.ts';
import type { RequestWriter } from '../notification/request-writer.ts';
import { mayRead, NOT_READABLE } from '../subscription/makers.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { hears } from '../subscription/watched-key.ts';
import { afterCall, attemptsMade } from './after-call.ts';
import { backoff } from './backoff.ts';
import { countDelivery } from './count-delivery.ts';
import { type Delivery, type DeliveryMessage, dead, deliveryId, isDone, newDelivery } from './delivery.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type {
  DeliveryListing,
  DeliveryPageRequest,
  DeliveryStorage,
  VersionedDelivery,
} from './delivery-storage.ts';
import { postpone } from './postpone.ts';

export interface DeliveriesOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  /** The only way to endpoints. */
  readonly gate: Pick<EndpointGate, 'call'>;
  readonly post: PostWebhook;
  readonly requests: RequestWriter;
  /** What the makers of subscriptions may see now. */
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly random: Random;
  /** Pauses between attempts, in seconds; after the last one a delivery is dead. */
  readonly retrySeconds: readonly number[];
  readonly clockSkewMilliseconds: number;
}

/** So that all that waits for a dead endpoint does not come back each time that it may be called. */
const MAX_WAIT_MILLISECONDS = 15 * 60_000;
/** Share of a wait by which it is varied, so that what waits together does not come back together. */
const WAIT_JITTER = 0.2;

/** A delivery as it stands in storage, or as it begins while nothing stands there. */
interface Begun {
  readonly delivery: Delivery;
  readonly stored: VersionedDelivery | undefined;
}

/**
 * Hands changes to endpoints, one message of the queue for each attempt. The message is completed only when `handle`
 * returns; killed before, it comes again. The steps are, in this order:
 *
 * 1. Read the delivery document, together with the subscription and the change. A delivery that is done, or whose attempt is recorded,
 *    is not made again; one without a document begins. Killed here: nothing has happened.
 *    What the maker of the subscription may not see as things stand (subscription/makers.ts) is given up.
 * 2. Ask the gate (endpoint/endpoint-gate.ts). Where the endpoint is not to be called now, create the document unless there is one,
 *    schedule the same attempt again, which counts as none, and return. Killed here: the gate is asked again, and whatever it
 *    says then, what was scheduled already finds its attempt recorded, or is dropped by the bus because of its id.
 * 3. POST. Killed here: nothing tells whether the endpoint heard it, so it is called again, with the same `webhook-id`.
 * 4. Let the gate note the outcome. Killed here: as in step 3; what it had begun (saying that the endpoint fails, disabling the
 *    subscription) the next call finishes.
 * 5. Record the attempt: create the document with it, or replace the one that was read, by If-Match. Killed here: the message finds
 *    the attempt recorded; a delivery that is delivered or dead needs nothing more, another one goes on with step 6.
 * 6. Schedule the next attempt, under an id of its own and at the time that step 5 wrote down. Killed here: it is scheduled
 *    again under the same id, which the bus drops; past the window of its duplicate detection, a second message
 *    finds its attempt recorded and does nothing.
 * 7. Return. The message is completed.
 *
 * So a message is completed only when a document says what became of its attempt, or another message is to make it; and a delivery that
 * succeeds at once is written once. Two handlers of one message at the same time agree by step 5, where a success wins over
 * a failure. A replay is a series of its own: messages of the series before it find that, and do nothing.
 *
 * Before its first record a delivery that is being made looks like one that nobody has begun. Who recovers it then begins it anew: the
 * endpoint may be called twice, with the same `webhook-id`, and the first success ends it, whichever series it is of. Only what was delivered
 * before a replay is left to the replay: whoever asked for that wants another call.
 *
 * A message that was put off creates the document before step 2: while storage can be read and not written, nobody is called
 * again and again without a record.
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
  async handle(message: DeliveryMessage, alerts: Alerts): Promise<void> {
    try {
      await this.#attempt(message);
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
      alerts.error(
        `The delivery ${deliveryId(message)} to ${message.subscription} is put off. ${error.message}`,
      );
      await postpone(message, this.#options);
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
    const [subscription, change, begun] = await Promise.all([
      subscriptions.find(scope.ns, message.subscription),
      records.readChange<Json>(scope, message.revision),
      this.#begin(message),
    ]);
    const { delivery, stored } = begun;
    if (isDone(delivery) || !isOfSeries(message, delivery)) {
      return;
    }
    if (subscription === undefined) {
      await (stored && this.#giveUp(message, begun, 'The subscription was deleted.'));
      return;
    }
    if (attemptsMade(delivery) >= message.attempt) {
      return await this.#scheduleNext(message, delivery);
    }
    if (change === undefined) {
      return await this.#giveUp(message, begun, 'The log no longer has the change.');
    }
    if (message.replay === undefined && !this.#isDue(message, subscription, change)) {
      return await this.#giveUp(
        message,
        begun,
        'The subscription began after the change, or its key was replaced.',
      );
    }
    switch (subscription.state) {
      case 'active':
        if (!(await mayRead(scope.ns, subscription, change.key, this.#options.callerOf))) {
          return await this.#giveUp(message, begun, NOT_READABLE);
        }
        return await this.#call(message, await this.#storeIfPutOff(message, begun), subscription, change);
      case 'paused':
      case 'unconfirmed':
        return await this.#hold(message, begun, subscription);
      case 'disabled':
        return await this.#giveUp(
          message,
          begun,
          `The subscription is disabled. ${subscription.reason ?? ''}`.trimEnd(),
        );
    }
  }

  #isDue(message: DeliveryMessage, subscription: Subscription, { at }: Change<Json>): boolean {
    return hears(subscription, { ...message, at }, this.#options.clockSkewMilliseconds);
  }

  async #begin(message: DeliveryMessage): Promise<Begun> {
    const { storage, clock } = this.#options;
    const { subscription, replay } = message;
    const stored = await storage.read(subscription, deliveryId(message));
    const delivery = stored?.delivery ?? {
      ...newDelivery(message, clock.now()),
      ...(replay !== undefined && { replays: replay }),
    };
    return { delivery, stored };
  }

  async #storeIfPutOff({ postponed }: DeliveryMessage, begun: Begun): Promise<Begun> {
    const { delivery, stored } = begun;
    return stored === undefined && postponed !== undefined
      ? { delivery, stored: await this.#write(begun, delivery) }
      : begun;
  }

  /** Undefined when somebody else wrote or removed the delivery meanwhile. */
  async #write({ stored }: Begun, next: Delivery): Promise<VersionedDelivery | undefined> {
    const { storage } = this.#options;
    return await (stored === undefined ? storage.create(next) : storage.replace(stored, next));
  }

  async #call(
    message: DeliveryMessage,
    begun: Begun,
    subscription: Subscription,
    change: Change<Json>,
  ): Promise<void> {
    const { gate, post, requests, clock } = this.#options;
    const { id, ns, scope } = begun.delivery;
    const answer = await gate.call({ ns, subscription, slotAt: message.slotAt }, () =>
      post(requests.write({ subscription, delivery: id, scope, change, now: clock.now() })),
    );
    if (answer.kind === 'wait') {
      return await this.#wait(message, begun, answer);
    }
    const recorded = await this.#record(message, begun, answer);
    if (recorded !== undefined) {
      await this.#scheduleNext(message, recorded);
    }
  }

  /**
   * Writes an attempt down, and with it what comes next. Of a concurrent handler's record the better outcome stands.
   *
   * @returns the delivery as it stands then; undefined when somebody removed it.
   */
  async #record(message: DeliveryMessage, begun: Begun, call: CalledEndpoint): Promise<Delivery | undefined> {
    const { storage, clock, random, retrySeconds } = this.#options;
    let current = begun;
    for (;;) {
      const { delivery } = current;
      // Held as the message found it, it is this message's to call; held later, somebody else has it.
      const isOpen = delivery.state === 'pending' || current === begun;
      if (!isNews(message, delivery, call, isOpen)) {
        return delivery;
      }
      const next = afterCall(delivery, call, { now: clock.now(), random, retrySeconds });
      const written = await this.#write(current, next);
      if (written !== undefined) {
        countDelivery(next);
        return written.delivery;
      }
      const stored = await storage.read(delivery.subscription, delivery.id);
      if (stored === undefined) {
        return undefined;
      }
      current = { delivery: stored.delivery, stored };
    }
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
  async #wait(
    message: DeliveryMessage,
    begun: Begun,
    { until, isOwn, slotAt }: WaitForEndpoint,
  ): Promise<void> {
    const { queue, clock, random } = this.#options;
    if (begun.stored === undefined) {
      await this.#write(begun, begun.delivery);
    }
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
  async #hold(message: DeliveryMessage, begun: Begun, { state }: Subscription): Promise<void> {
    const { subscriptions } = this.#options;
    const { nextAt: _, ...rest } = begun.delivery;
    const held = { ...rest, state: 'held', reason: `The subscription is ${state}.` } as const;
    const isHeld = begun.delivery.state === 'held' || (await this.#end(begun, held));
    const subscription = await subscriptions.find(rest.ns, rest.subscription);
    const isWaiting = subscription?.state === 'paused' || subscription?.state === 'unconfirmed';
    if (!isHeld || !isWaiting) {
      await this.#attempt(message);
    }
  }

  /** Ends a delivery that cannot or must not be made any more. */
  async #giveUp(message: DeliveryMessage, begun: Begun, reason: string): Promise<void> {
    if (!(await this.#end(begun, dead(begun.delivery, reason)))) {
      await this.#attempt(message);
    }
  }

  /** @returns whether it was written; else somebody else wrote or removed the delivery meanwhile. */
  async #end(begun: Begun, next: Delivery): Promise<boolean> {
    const isWritten = (await this.#write(begun, next)) !== undefined;
    if (isWritten) countDelivery(next);
    return isWritten;
  }
}

/** Whether a message belongs to what is under way now, and not to the attempts before a replay. */
function isOfSeries({ replay = 0 }: DeliveryMessage, { replays = 0 }: Delivery): boolean {
  return replay === replays;
}

/**
 * Whether the outcome of an attempt is to be written into a delivery as it stands.
 *
 * @param isOpen whether nobody but the handlers of this message has the delivery.
 */
function isNews(
  message: DeliveryMessage,
  delivery: Delivery,
  { result }: CalledEndpoint,
  isOpen: boolean,
): boolean {
  const isSuccess = result.error === undefined;
  if (!isOfSeries(message, delivery)) {
    const wasHeard = delivery.attempts.some(({ error }) => error === undefined);
    return isSuccess && !wasHeard;
  }
  const isFirst = isOpen && attemptsMade(delivery) < message.attempt;
  return delivery.state !== 'delivered' && (isSuccess || isFirst);
}
