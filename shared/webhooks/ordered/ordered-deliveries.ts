import type { Alerts } from '../../platform/alerts.ts';
import type { Clock } from '../../platform/clock.ts';
import { isUnavailable } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { type Json, parseScopeId, type Records } from '../../records/index.ts';
import { backoff } from '../delivery/backoff.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import type { Cursor } from './cursor.ts';
import type { CursorStorage } from './cursor-storage.ts';
import { OrderedWork, type OrderedWorkOptions } from './ordered-work.ts';
import type { WakeMessage } from './wake-message.ts';

/*
 * Ordered delivery. Each scope that an ordered subscription hears of has a cursor, which stands behind the last change that is
 * done. Messages only wake: what is to be told is read from the log. Whoever follows these rules may die between any two steps.
 *
 * 1. The fan-out creates the cursor right before the first change that it is to tell, and then sends the message. It sees the
 *    changes of a scope in their order, so nothing to tell lies before a new cursor, whichever message comes first.
 * 2. Who takes a cursor writes the name of its message into it, and until when it counts as alive. Every write of the cursor is
 *    by If-Match: who was taken for dead and overtaken writes nothing more. The time is renewed so that it outlasts each call.
 * 3. The holder tells one change after the other. What became of a change and the cursor that moves past it are one batch. Killed
 *    after a call and before the batch: the endpoint is called again, with the same `webhook-id`.
 * 4. A call that failed: first the message that is to repeat it is scheduled, then one batch records the attempt, lets go of the
 *    cursor and blocks it until then, with the name of the holder. Killed in between: rule 6 applies, and of the two messages that
 *    repeat it in the end one finds the cursor held or blocked by another one, and is done.
 * 5. Who finds the cursor held by another message is done: after it lets go of the cursor, a holder looks at the cursor,
 *    the subscription and the log once more, and goes on if there is more to do. Who finds it blocked is done: rule 4 has left a message.
 * 6. Who finds the cursor held by its own message is a repetition, and the holder dead, or cut off from the bus: it comes again when
 *    that one's time is over. Thus there is always an unfinished message for a cursor that is held.
 * 7. The message that is to repeat a call can come while the holder that left it is still at it, or early by this process's clock.
 *    It is recognised by that holder's name, and comes again at the end of the holding, or of the block.
 * 8. Who finds the subscription not active is done, and the cursor stays. What makes it active again wakes all cursors after that is
 *    written (`wakeAll`). The fan-out goes on creating cursors meanwhile, and sends a message for each new one: so one that
 *    `wakeAll` came too early for is woken too.
 *
 * Messages get ids that were never used, except those of the fan-out, each of which follows the change it is named after: what the queue
 * takes for a repetition is one. By rules 5 to 8 nobody is done with a message unless the cursor is at the end of the log, or
 * somebody else's message is unfinished or scheduled. What remains: a process that stands still for longer than its holding may call the
 * endpoint for a change that another one is done with, by the same `webhook-id`.
 */

/** Milliseconds that one message works for before the next one goes on. */
const MAX_WORK_MILLISECONDS = 60_000;
/** Changes that are read at once; each can hold two values of 384 KiB. */
const CHANGES_AT_ONCE = 25;
/** Cursors that a process knows to exist. */
const MAX_KNOWN_CURSORS = 100_000;
/** The shortest and the longest pause of a message that is put off, in milliseconds. */
const MIN_POSTPONEMENT_MILLISECONDS = 1_000;
const MAX_POSTPONEMENT_MILLISECONDS = 60_000;

export interface OrderedDeliveriesOptions extends OrderedWorkOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly cursors: CursorStorage;
  readonly queue: DeliveryQueue;
  readonly clock: Clock;
  readonly random: Random;
  readonly clockSkewMilliseconds: number;
}

/** Changes of one scope that a subscription hears of, by the first and the last revision among them. */
export interface HeardChanges {
  readonly scope: string;
  readonly first: number;
  readonly last: number;
}

/** Hands the changes of each scope to ordered subscriptions one after the other; see the rules above. */
export class OrderedDeliveries {
  readonly #options: OrderedDeliveriesOptions;
  readonly #work: OrderedWork;
  /** They are removed with their subscription alone, whose id never comes again. */
  readonly #known = new RecentMap<string, true>(MAX_KNOWN_CURSORS);

  constructor(options: OrderedDeliveriesOptions) {
    this.#options = options;
    this.#work = new OrderedWork(options);
  }

  /**
   * To be called by the fan-out for every scope of a batch, whatever the state of the subscription, and before the next batch.
   *
   * @param subscription as it was read after the changes were committed.
   * @returns the message that is to be sent then; undefined when nobody need be woken.
   * @throws SkerryError `unavailable`; the batch is to be repeated then.
   */
  async prepare(
    { id, state }: Pick<Subscription, 'id' | 'state'>,
    { scope, first, last }: HeardChanges,
  ): Promise<WakeMessage | undefined> {
    const key = `${id}:${scope}`;
    let isNew = false;
    if (this.#known.get(key) === undefined) {
      const cursor = { subscription: id, scope, revision: first - 1 };
      isNew = (await this.#options.cursors.create(cursor)) !== undefined;
      this.#known.set(key, true);
    }
    return state === 'active' || isNew
      ? { task: 'wake', subscription: id, scope, name: String(last) }
      : undefined;
  }

  /**
   * Wakes all that is ordered of a subscription, and has the endpoint called at once where a failed attempt was to be repeated later. To
   * be called by the handler of a message, after the subscription became active. A subscription that never was ordered has nothing to wake.
   *
   * @throws SkerryError `unavailable`, and what the bus throws; it may be repeated.
   */
  async wakeAll(subscription: string): Promise<void> {
    const cursors = await this.#options.cursors.list(subscription);
    await this.#options.queue.send(
      cursors.map(({ scope }) => ({ ...this.#newMessage(subscription, scope), isUrgent: true })),
    );
  }

  /** Behind which revisions the cursors of a subscription stand, by their scopes. Who reads this, and a delivery later, takes nothing for untold that a cursor told. */
  async positions(subscription: string): Promise<ReadonlyMap<string, number>> {
    const cursors = await this.#options.cursors.list(subscription);
    return new Map(cursors.map(({ scope, revision }) => [scope, revision]));
  }

  /**
   * Delivers what lies behind the cursor that a message names, as far as it is this message's turn.
   *
   * @throws what the bus throws when it does not answer, and errors of this program; the message then comes again.
   */
  async wake(message: WakeMessage, alerts: Alerts): Promise<void> {
    try {
      await this.#wake(message, alerts);
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
      alerts.error(
        `What ${message.subscription} is to hear of ${message.scope} is put off. ${error.message}`,
      );
      const postponed = (message.postponed ?? 0) + 1;
      const pause = backoff(postponed, MAX_POSTPONEMENT_MILLISECONDS);
      await this.#comeAgain({ ...message, postponed }, this.#options.clock.now() + pause);
    }
  }

  async #wake(message: WakeMessage, alerts: Alerts): Promise<void> {
    const { cursors, records, subscriptions, clock, clockSkewMilliseconds } = this.#options;
    const { ns } = parseScopeId(message.scope);
    const deadline = clock.now() + MAX_WORK_MILLISECONDS;
    for (let isFirst = true; ; isFirst = false) {
      const known = await cursors.read(message.subscription, message.scope);
      if (known === undefined) {
        return;
      }
      const { heldUntil = 0, holder, revision } = known.cursor;
      if (heldUntil + clockSkewMilliseconds > clock.now()) {
        const isOwn = holder === message.name || holder === message.after;
        return isOwn ? await this.#comeAgain(message, heldUntil + clockSkewMilliseconds) : undefined;
      }
      const subscription = await subscriptions.find(ns, message.subscription);
      if (subscription === undefined) {
        return await this.#work.bury(known);
      }
      const changes =
        subscription.state === 'active'
          ? await records.changes<Json>(parseScopeId(message.scope), {
              above: revision,
              limit: CHANGES_AT_ONCE,
            })
          : [];
      if (changes.length === 0 || (await this.#isBlocked(message, known.cursor, isFirst))) {
        return;
      }
      if (clock.now() >= deadline) {
        return await this.#options.queue.schedule(
          this.#newMessage(message.subscription, message.scope),
          clock.now(),
        );
      }
      const missing = (changes[0]?.revision ?? 0) - 1;
      if (missing > revision) {
        await this.#work.skip(known, subscription, missing, alerts);
      } else {
        await this.#work.tell(message, {
          cursor: known,
          changes,
          deadline,
          ...(isFirst && { slotAt: message.slotAt }),
        });
      }
    }
  }

  /** Whether it is another message's turn. One whose turn comes with the end of the block comes again then. */
  async #isBlocked(
    message: WakeMessage,
    { blocker, blockedUntil = 0 }: Cursor,
    isFirst: boolean,
  ): Promise<boolean> {
    const { clock, clockSkewMilliseconds } = this.#options;
    const remaining = blockedUntil - clock.now();
    if (remaining <= 0 || (isFirst && message.isUrgent === true)) {
      return false;
    }
    if (!isFirst || blocker !== message.after) {
      return true;
    }
    if (remaining <= clockSkewMilliseconds) {
      return false;
    }
    await this.#comeAgain(message, blockedUntil);
    return true;
  }

  async #comeAgain(message: WakeMessage, at: number): Promise<void> {
    const { queue, clock, random } = this.#options;
    // It would come at once, again and again, to a process whose clock is behind.
    const next = Math.max(at, clock.now() + MIN_POSTPONEMENT_MILLISECONDS);
    await queue.schedule({ ...message, again: random.id() }, next);
  }

  #newMessage(subscription: string, scope: string): WakeMessage {
    return { task: 'wake', subscription, scope, name: this.#options.random.id() };
  }
}
