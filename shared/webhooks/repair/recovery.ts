import { isPublic, scopeOfPrefix } from '../../keyspace/index.ts';
import type { Clock } from '../../platform/clock.ts';
import { writeCursor } from '../../platform/cursor.ts';
import { isUnavailable } from '../../platform/errors.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import {
  type Change,
  type ChangeFeed,
  type FeedPosition,
  hasBegunEverywhere,
  hasReached,
  type Json,
  parseScopeId,
  type Records,
  type Scope,
  scopeId,
} from '../../records/index.ts';
import { dead } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import { postpone } from '../delivery/postpone.ts';
import type { RecoveryMessage, ReplayMessage } from '../delivery/queue-message.ts';
import { removeFailingEndpoint } from '../endpoint/failing-endpoints.ts';
import type { OrderedDeliveries } from '../ordered/ordered-deliveries.ts';
import { inactiveSince } from '../subscription/activation.ts';
import { isLeftToCursor, isOrdered } from '../subscription/ordering.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { wants } from '../subscription/wanted-change.ts';
import { hears, literalBeginning } from '../subscription/watched-key.ts';
import { type RecoveryCursor, readRecoveryCursor, writeRecoveryCursor } from './recovery-cursor.ts';
import { nextReplay, type Recoverable, type Replays } from './replays.ts';

export interface RecoveryOptions {
  readonly records: Records;
  readonly feed: ChangeFeed;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly replays: Replays;
  readonly ordered: Pick<OrderedDeliveries, 'wakeAll' | 'positions'>;
  readonly clock: Clock;
  readonly clockSkewMilliseconds: number;
}

const AUTHOR = { actor: 'system:webhooks' };

/** Deliveries or changes that one message takes up. */
const PAGE_ITEMS = 200;
const CONCURRENT_DOCUMENTS = 16;
/** How long one message reads the feed, most of which may concern others. */
const PAGE_MILLISECONDS = 300;

/** The first pause while storage does not answer, or the subscription is not active yet. */
const FIRST_PAUSE_MILLISECONDS = 50;
/** With these pauses about ten minutes; whoever wanted the subscription active never wrote it then. */
const MAX_WAITS = 20;

type Step = Pick<RecoveryMessage, 'ns' | 'since' | 'awaitsActive'> & {
  readonly subscription: Subscription;
  /** See `OrderedDeliveries.positions`. */
  readonly positions: ReadonlyMap<string, number>;
};

/**
 * Finds what a subscription is to be told of and was not: deliveries that are held, and changes since a time that have no
 * delivery, or a dead one. One message of the queue for each page; a page enqueues the next one when all of its own is
 * begun, and is repeated as a whole when its process is killed.
 *
 * What is ordered goes on by its cursors, which are woken first. The changes behind them are left alone, and begun by nobody else.
 *
 * The fan-out begins one for each subscription that was deleted: what waits for it, and its cursors, are ended.
 *
 * A subscription that stops being active meanwhile is gone through to the end: its deliveries are held or dead then, as all
 * others. Otherwise the next recovery, which begins where this state began, would leave a gap.
 */
export class Recovery {
  readonly #options: RecoveryOptions;

  constructor(options: RecoveryOptions) {
    this.#options = options;
  }

  /** @throws what the bus throws when it does not answer, and errors of this program; the message then comes again. */
  async handle(message: RecoveryMessage | ReplayMessage): Promise<void> {
    try {
      await (message.task === 'recover'
        ? this.#goOn(message)
        : this.#options.replays.replay(message.subscription, message.replays));
    } catch (error) {
      if (!isUnavailable(error)) {
        throw error;
      }
      await postpone(message, this.#options, FIRST_PAUSE_MILLISECONDS);
    }
  }

  async #goOn(message: RecoveryMessage): Promise<void> {
    const { subscriptions, queue, clock } = this.#options;
    const { ns, since, awaitsActive, page, cursor, postponed: _, ...run } = message;
    const subscription = await subscriptions.find(ns, message.subscription);
    if (subscription === undefined) {
      return await this.#clear(message);
    }
    if (awaitsActive === true && page === 1 && isAwaited(subscription, since)) {
      if ((message.postponed ?? 0) < MAX_WAITS) {
        await postpone(message, this.#options, FIRST_PAUSE_MILLISECONDS);
      }
      return;
    }
    if (page === 1) {
      await this.#options.ordered.wakeAll(subscription.id);
    }
    const positions = wasEverOrdered(subscription)
      ? await this.#options.ordered.positions(subscription.id)
      : new Map<string, number>();
    const step = { ns, since, awaitsActive, subscription, positions };
    const next = await this.#take(step, cursor === undefined ? undefined : readRecoveryCursor(cursor));
    if (next !== undefined) {
      const nextPage = { ...run, ns, since, awaitsActive, page: page + 1, cursor: writeRecoveryCursor(next) };
      await queue.schedule(nextPage, clock.now());
    }
  }

  /**
   * Ends what waits for a subscription that was deleted, also for a message that a recovery did not come to send. Whatever is changed
   * meanwhile has a message, whose handler finds the subscription gone too.
   */
  async #clear(message: RecoveryMessage): Promise<void> {
    const { records, storage, queue, ordered, clock } = this.#options;
    const { page, cursor: _, postponed: __, ...run } = message;
    if (page === 1) {
      await ordered.wakeAll(message.subscription);
      // Who deletes a subscription does so too; one that ended by itself had nobody.
      await removeFailingEndpoint(records, message.ns, message.subscription, AUTHOR);
    }
    const waiting = await storage.unfinished(message.subscription, PAGE_ITEMS);
    await mapConcurrently(waiting, CONCURRENT_DOCUMENTS, async (known) => {
      await storage.replace(known, dead(known.delivery, 'The subscription was deleted.'));
    });
    if (waiting.length === PAGE_ITEMS) {
      await queue.schedule({ ...run, page: page + 1 }, clock.now());
    }
  }

  /** @returns where the next page begins; undefined after the last one. */
  async #take(step: Step, cursor: RecoveryCursor | undefined): Promise<RecoveryCursor | undefined> {
    switch (cursor?.stage) {
      case undefined:
        return (await this.#findHeld(step)) ?? (await this.#beginChanges(step));
      case 'held':
        await this.#options.replays.replay(step.subscription.id, cursor.replays);
        return (await this.#findHeld(step)) ?? (await this.#beginChanges(step));
      case 'log':
        return await this.#readLog(step, cursor);
      case 'feed':
        return await this.#readFeed(step, cursor);
    }
  }

  /** They are named in the next message before any of them is begun: afterwards no query would find them again. */
  async #findHeld({ subscription }: Step): Promise<RecoveryCursor | undefined> {
    if (subscription.state !== 'active') {
      return undefined;
    }
    const held = await this.#options.storage.held(subscription.id, PAGE_ITEMS);
    return held.length === 0 ? undefined : { stage: 'held', replays: held.map(nextReplay) };
  }

  async #beginChanges(step: Step): Promise<RecoveryCursor | undefined> {
    const { records, feed } = this.#options;
    const scope = scopeOfPrefix(step.ns, literalBeginning(step.subscription.key));
    if (scope !== undefined) {
      const upTo = await records.position(scope);
      const after = await this.#lastBefore(scope, this.#beginning(step), upTo);
      return { stage: 'log', scope: scopeId(scope), after, upTo };
    }
    const { position: upTo } = await feed.fromNow().read();
    return await this.#readFeed(step, { upTo });
  }

  /** The newest revision up to which nothing is to be recovered, by point reads: times grow with revisions, but for the clocks' skew. */
  async #lastBefore(scope: Scope, beginning: number, position: number): Promise<number> {
    const { records } = this.#options;
    let { compactedTo: last } = await records.head(scope);
    let first = position + 1;
    while (first - last > 1) {
      const middle = Math.floor((last + first) / 2);
      const change = await records.readChange(scope, middle);
      if (change === undefined || Date.parse(change.at) < beginning) {
        last = middle;
      } else {
        first = middle;
      }
    }
    return last;
  }

  async #readLog(
    step: Step,
    { scope: id, after, upTo }: Extract<RecoveryCursor, { stage: 'log' }>,
  ): Promise<RecoveryCursor | undefined> {
    const { records, replays } = this.#options;
    const { subscription } = step;
    const scope = parseScopeId(id);
    const { changes, next } = await records.history<Json>(scope, {
      prefix: literalBeginning(subscription.key),
      order: 'oldest',
      after: writeCursor([after]),
      limit: PAGE_ITEMS,
    });
    const due = changes.filter((change) => change.revision <= upTo && this.#isDue(step, scope, change));
    await replays.recover(
      subscription.id,
      due.map((change) => this.#toRecoverable(step, scope, change)),
    );
    const last = changes.at(-1)?.revision ?? upTo;
    return next === undefined || last >= upTo ? undefined : { stage: 'log', scope: id, after: last, upTo };
  }

  async #readFeed(
    step: Step,
    { position, upTo }: { readonly position?: FeedPosition; readonly upTo: FeedPosition },
  ): Promise<RecoveryCursor | undefined> {
    const { feed, replays, clock } = this.#options;
    const reader = position === undefined ? feed.fromTime(this.#beginning(step)) : feed.from(position);
    const due: Recoverable[] = [];
    const until = clock.now() + PAGE_MILLISECONDS;
    for (;;) {
      const page = await reader.read();
      for (const { scope, change } of page.changes) {
        if (scope.ns === step.ns && isPublic(scope) && this.#isDue(step, scope, change)) {
          due.push(this.#toRecoverable(step, scope, change));
        }
      }
      const isEnd = page.isDrained || (hasBegunEverywhere(page.position) && hasReached(page.position, upTo));
      const isFull = due.length >= PAGE_ITEMS || clock.now() >= until;
      if (isEnd || (isFull && hasBegunEverywhere(page.position))) {
        await replays.recover(step.subscription.id, due);
        return isEnd ? undefined : { stage: 'feed', position: page.position, upTo };
      }
    }
  }

  /** Where to begin to read, in milliseconds: rather too early, what was told already is left alone. */
  #beginning({ since }: Step): number {
    return Date.parse(since) - 2 * this.#options.clockSkewMilliseconds;
  }

  /** Whoever asks for a recovery may ask for what was before the subscription; who only was inactive never heard of it. */
  #isDue(step: Step, scope: Scope, change: Change<unknown>): boolean {
    const { subscription, awaitsActive } = step;
    const announcement = { scope: scopeId(scope), ...change };
    const who = awaitsActive === true ? subscription : { ...subscription, since: ALWAYS };
    return (
      Date.parse(change.at) >= this.#beginning(step) &&
      hears(who, announcement, this.#options.clockSkewMilliseconds) &&
      wants(subscription, change as Change<Json>)
    );
  }

  #toRecoverable({ subscription, positions }: Step, scope: Scope, change: Change<unknown>): Recoverable {
    const { clockSkewMilliseconds } = this.#options;
    const { revision, key, at } = change;
    const id = scopeId(scope);
    const position = positions.get(id);
    // Without a cursor the fan-out makes one, but not for what it finds to be unordered by now; and no cursor goes back.
    const isOfCursor =
      position === undefined
        ? isOrdered(subscription, at, clockSkewMilliseconds)
        : position < revision && isLeftToCursor(subscription, at, clockSkewMilliseconds);
    const isHeard = hears(subscription, { scope: id, revision, key, at }, clockSkewMilliseconds);
    return { scope: id, revision, key, isLeftToCursor: isOfCursor && isHeard };
  }
}

function wasEverOrdered({ ordered, unordered }: Subscription): boolean {
  return ordered === true || unordered !== undefined;
}

const ALWAYS = { at: new Date(0).toISOString() };

/**
 * Whether the subscription still is in the inactive state whose end a recovery awaits; another state may be inactive too. The
 * host may have rewritten the time on its way, which is the same instant then.
 */
function isAwaited(subscription: Subscription, since: string): boolean {
  return subscription.state !== 'active' && Date.parse(inactiveSince(subscription)) === Date.parse(since);
}
