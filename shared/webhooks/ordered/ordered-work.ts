import type { Alerts } from '../../platform/alerts.ts';
import type { Clock } from '../../platform/clock.ts';
import type { CallerOf } from '../../platform/http/caller.ts';
import type { Random } from '../../platform/random.ts';
import { type Change, type Json, parseScopeId } from '../../records/index.ts';
import { afterCall } from '../delivery/after-call.ts';
import { countDelivery } from '../delivery/count-delivery.ts';
import { type Delivery, dead, deliveryId, isDone, newDelivery } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage, VersionedDelivery } from '../delivery/delivery-storage.ts';
import type { EndpointGate } from '../endpoint/endpoint-gate.ts';
import type { PostWebhook } from '../endpoint/webhook-client.ts';
import type { RequestWriter } from '../notification/request-writer.ts';
import { mayRead, NOT_READABLE } from '../subscription/makers.ts';
import { isLeftToCursor } from '../subscription/ordering.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { wants } from '../subscription/wanted-change.ts';
import { hears } from '../subscription/watched-key.ts';
import { blocked, type Cursor, released, type VersionedCursor } from './cursor.ts';
import type { CursorStorage } from './cursor-storage.ts';
import type { WakeMessage } from './wake-message.ts';

export interface OrderedWorkOptions {
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly cursors: CursorStorage;
  readonly queue: DeliveryQueue;
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
  /** After this a call is over, whatever became of it. */
  readonly timeoutMilliseconds: number;
}

/** Changes behind a cursor that a message may take. */
export interface Section {
  readonly cursor: VersionedCursor;
  /** The oldest first, without a gap behind the cursor. */
  readonly changes: readonly Change<Json>[];
  /** When to stop, in milliseconds since the Unix epoch. */
  readonly deadline: number;
  /** See `WakeMessage`. */
  readonly slotAt?: number | undefined;
}

/** Beyond the timeout of a call: what writing its outcome may take. */
const CALL_MARGIN_MILLISECONDS = 10_000;
/** Beyond the timeout of a call: for how long a cursor is taken at a time, which is how late another one takes over from a holder that died. */
const HOLDING_MILLISECONDS = 15_000;

/** A change that is being told. */
interface Telling {
  readonly subscription: Subscription;
  readonly change: Change<Json>;
  readonly slotAt: number | undefined;
  readonly end: End;
}

/** Where the cursor stands when a change is done with; let go of if nothing follows. */
interface End {
  readonly revision: number;
  readonly isLast: boolean;
}

/** What the holder of a cursor does, by the rules of `ordered-deliveries.ts`. */
export class OrderedWork {
  readonly #options: OrderedWorkOptions;

  constructor(options: OrderedWorkOptions) {
    this.#options = options;
  }

  /** Takes a cursor, tells what lies behind it as long as nothing is in the way, and lets go of it. */
  async tell(message: WakeMessage, { cursor, changes, deadline, slotAt }: Section): Promise<void> {
    const { cursors, subscriptions, clock } = this.#options;
    const { ns } = parseScopeId(message.scope);
    let known = cursor;
    let done = cursor.cursor.revision;
    let slot = slotAt;
    for (const [index, change] of changes.entries()) {
      const subscription = await subscriptions.find(ns, message.subscription);
      if (subscription?.state !== 'active' || clock.now() >= deadline) {
        break;
      }
      if (this.#concerns(subscription, message.scope, change)) {
        const rest = changes.slice(index + 1);
        const isLast = !rest.some((later) => this.#concerns(subscription, message.scope, later));
        const end = { revision: isLast ? (rest.at(-1) ?? change).revision : change.revision, isLast };
        const holding = await this.#hold(message, known, done);
        const telling = { subscription, change, slotAt: slot, end };
        const next = holding && (await this.#orLetGo(holding, this.#tellOne(message, holding, telling)));
        if (next === undefined) {
          return;
        }
        known = next;
        slot = undefined;
      } else if (index === 0) {
        await this.#endUnheard(known.cursor);
      }
      done = change.revision;
    }
    if (known.cursor.holder === message.name || known.cursor.revision < done) {
      await cursors.replace(known, released(known.cursor, done));
    }
  }

  /** Goes on behind changes that the log has no more. What was, or may have been, to be told of them ends among the dead letters. */
  async skip(
    known: VersionedCursor,
    subscription: Subscription,
    upTo: number,
    alerts: Alerts,
  ): Promise<void> {
    const { cursors, clock } = this.#options;
    const { scope, revision } = known.cursor;
    const next = released(known.cursor, upTo);
    const begun = await this.#readDelivery(known.cursor, revision + 1);
    const { stateSince } = subscription;
    const wasInactive = stateSince !== undefined && (known.writtenAt ?? 0) < Date.parse(stateSince);
    if (begun === undefined ? !wasInactive : isDone(begun.delivery)) {
      // Nothing waited, so what is gone was none of its business.
      await cursors.replace(known, next);
      return;
    }
    const { id, key } = subscription;
    const message = { subscription: id, scope, revision: revision + 1, key, attempt: 1 };
    const delivery = begun?.delivery ?? newDelivery(message, clock.now());
    const reason = `The log no longer has the changes ${revision + 1} to ${upTo} of ${scope}, which were not delivered as far as the subscription hears of them.`;
    alerts.error(`The delivery ${delivery.id} to ${id} is dead. ${reason}`);
    await cursors.replaceWithDelivery(known, next, { known: begun, next: dead(delivery, reason) });
  }

  /** Ends what was under way to a subscription that was deleted. */
  async bury(known: VersionedCursor): Promise<void> {
    const { storage, cursors } = this.#options;
    const begun = await this.#readDelivery(known.cursor, known.cursor.revision + 1);
    if (begun !== undefined && !isDone(begun.delivery)) {
      await storage.replace(begun, dead(begun.delivery, 'The subscription was deleted.'));
    }
    await cursors.remove(known);
  }

  /** Ends what was begun of the change behind a cursor, which its subscription hears of no more. A replay of it has a message of its own. */
  async #endUnheard(cursor: Cursor): Promise<void> {
    const begun = await this.#readDelivery(cursor, cursor.revision + 1);
    if (begun?.delivery.state === 'pending' && begun.delivery.replays === undefined) {
      const reason = 'The subscription hears of the change no more: its key or its filters were replaced.';
      await this.#options.storage.replace(begun, dead(begun.delivery, reason));
    }
  }

  /** Whether a change is to be told by the cursor that it lies behind. */
  #concerns(subscription: Subscription, scope: string, change: Change<Json>): boolean {
    const { clockSkewMilliseconds: skew } = this.#options;
    return (
      isLeftToCursor(subscription, change.at, skew) &&
      hears(subscription, { ...change, scope }, skew) &&
      wants(subscription, change)
    );
  }

  /** Takes the cursor, or makes sure that it is held until another call is over; undefined when somebody else has it. */
  async #hold(
    message: WakeMessage,
    known: VersionedCursor,
    done: number,
  ): Promise<VersionedCursor | undefined> {
    const { cursors, clock, timeoutMilliseconds } = this.#options;
    const { holder, heldUntil = 0 } = known.cursor;
    const now = clock.now();
    if (holder === message.name && heldUntil >= now + timeoutMilliseconds + CALL_MARGIN_MILLISECONDS) {
      return known;
    }
    return await cursors.replace(known, {
      ...released(known.cursor, done),
      holder: message.name,
      heldUntil: now + timeoutMilliseconds + HOLDING_MILLISECONDS,
    });
  }

  /** Leaves no cursor held, as far as storage allows, when something fails; the message then comes again. */
  async #orLetGo<Result>(holding: VersionedCursor, work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      const { cursor } = holding;
      await this.#options.cursors.replace(holding, released(cursor, cursor.revision)).catch(() => undefined);
      throw error;
    }
  }

  /** @returns the cursor, still held; undefined when it was let go of, or somebody else took it. */
  async #tellOne(
    message: WakeMessage,
    holding: VersionedCursor,
    { subscription, change, slotAt, end }: Telling,
  ): Promise<VersionedCursor | undefined> {
    const { gate, post, requests, queue, cursors, callerOf, clock } = this.#options;
    const { scope } = message;
    const { revision, key } = change;
    const begun = await this.#readDelivery(holding.cursor, revision);
    if (begun !== undefined && isDone(begun.delivery)) {
      return holding;
    }
    const fresh = newDelivery(
      { subscription: subscription.id, scope, revision, key, attempt: 1 },
      clock.now(),
    );
    const known = { begun, fresh };
    if (!(await mayRead(fresh.ns, subscription, key, callerOf))) {
      return await this.#record(message, holding, end, known, (delivery) => dead(delivery, NOT_READABLE));
    }
    const answer = await gate.call({ ns: fresh.ns, subscription, slotAt }, () =>
      post(requests.write({ subscription, delivery: fresh.id, scope, change, now: clock.now() })),
    );
    if (answer.kind === 'called') {
      const { random, retrySeconds } = this.#options;
      return await this.#record(message, holding, end, known, (delivery) =>
        afterCall(delivery, answer, { now: clock.now(), random, retrySeconds }),
      );
    }
    await queue.schedule(this.#repetition(message, answer.slotAt), answer.until);
    const cursor = blocked(holding.cursor, revision - 1, {
      blocker: message.name,
      blockedUntil: answer.until,
    });
    await (begun === undefined
      ? cursors.replaceWithDelivery(holding, cursor, { next: fresh })
      : cursors.replace(holding, cursor));
    return undefined;
  }

  /**
   * Writes down what became of a delivery, and moves the cursor by it. Of what others did about the delivery the better outcome stands.
   *
   * @param outcome of the delivery as it stands.
   * @returns as `#tellOne` does.
   */
  async #record(
    message: WakeMessage,
    holding: VersionedCursor,
    end: End,
    { begun, fresh }: { readonly begun: VersionedDelivery | undefined; readonly fresh: Delivery },
    outcome: (delivery: Delivery) => Delivery,
  ): Promise<VersionedCursor | undefined> {
    const { cursors, queue } = this.#options;
    let known = begun;
    let isScheduled = false;
    for (;;) {
      const next = outcome(known?.delivery ?? fresh);
      const nextAt = next.nextAt === undefined ? undefined : Date.parse(next.nextAt);
      if (nextAt !== undefined && !isScheduled) {
        await queue.schedule(this.#repetition(message), nextAt);
        isScheduled = true;
      }
      const cursor =
        nextAt === undefined
          ? movedTo(holding.cursor, end)
          : blocked(holding.cursor, fresh.revision - 1, { blocker: message.name, blockedUntil: nextAt });
      const written = await cursors.replaceWithDelivery(holding, cursor, { known, next });
      if (written !== undefined) {
        countDelivery(next);
        return written.cursor.holder === undefined ? undefined : written;
      }
      const isLost = (await cursors.read(message.subscription, message.scope))?.etag !== holding.etag;
      if (isLost) {
        return undefined;
      }
      known = await this.#readDelivery(holding.cursor, fresh.revision);
      if (
        known !== undefined &&
        isDone(known.delivery) &&
        !(known.delivery.state === 'dead' && next.state === 'delivered')
      ) {
        return holding;
      }
    }
  }

  async #readDelivery(
    { subscription, scope }: Cursor,
    revision: number,
  ): Promise<VersionedDelivery | undefined> {
    return await this.#options.storage.read(subscription, deliveryId({ subscription, scope, revision }));
  }

  /** The message by which a call is made once more. */
  #repetition({ subscription, scope, name }: WakeMessage, slotAt?: number): WakeMessage {
    const { random } = this.#options;
    return {
      task: 'wake',
      subscription,
      scope,
      name: random.id(),
      after: name,
      ...(slotAt !== undefined && { slotAt }),
    };
  }
}

function movedTo(cursor: Cursor, { revision, isLast }: End): Cursor {
  return isLast ? released(cursor, revision) : { ...cursor, revision };
}
