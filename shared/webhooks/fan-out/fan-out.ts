import type { Alerts } from '../../platform/alerts.ts';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import type { CallerOf } from '../../platform/http/caller.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { metrics } from '../../platform/telemetry/index.ts';
import { type Change, type Json, parseScopeId, type Records, type Scope } from '../../records/index.ts';
import { countDelivery } from '../delivery/count-delivery.ts';
import { BUS_SUBSCRIPTION, type DeliveryMessage, dead, newDelivery } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import type { ToldChange } from '../notification/change-data.ts';
import type { HeardChanges, OrderedDeliveries } from '../ordered/ordered-deliveries.ts';
import { inactiveSince } from '../subscription/activation.ts';
import { KnownMakers, NOT_READABLE } from '../subscription/makers.ts';
import { isOrdered } from '../subscription/ordering.ts';
import type { Subscription } from '../subscription/subscription.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import { wants } from '../subscription/wanted-change.ts';
import { type Announcement, hears } from '../subscription/watched-key.ts';
import {
  type AnnouncedScope,
  announcedScopes,
  type RemovedSubscription,
  removedSubscriptions,
} from './change-batch.ts';
import { FeedTraces } from './feed-traces.ts';
import { KnownSubscriptions, type NamespaceSubscriptions } from './known-subscriptions.ts';

/** Where one can hear of changes without a subscription; such as the topic of the bus. */
export interface Publication {
  /** Stands for a subscription in deliveries of what it does not take. */
  readonly id: string;
  /** @returns the changes that it does not take. */
  publish(changes: readonly ToldChange[]): Promise<readonly UnpublishedChange[]>;
}

/** A change that is not published as things stand. */
export interface UnpublishedChange {
  readonly told: ToldChange;
  readonly reason: string;
  /** That may be otherwise in a moment: somebody else is to try again. */
  readonly isPassing?: true;
}

export interface FanOutOptions {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly ordered: Pick<OrderedDeliveries, 'prepare'>;
  readonly publications: readonly Publication[];
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly clockSkewMilliseconds: number;
}

/** Scopes, and dead deliveries, that are asked of storage at a time. */
const CONCURRENCY = 16;

/** Messages that are in memory at a time; many subscriptions may hear of each change. */
const MAX_MESSAGES = 5_000;

/** A change of a batch, as far as the log has it. */
interface Announced {
  readonly announcement: Announcement;
  readonly change: Change<Json> | undefined;
  readonly subscriptions: NamespaceSubscriptions;
}

interface HopelessMessage {
  readonly message: DeliveryMessage;
  readonly reason: string;
}

/**
 * Matches changes against the subscriptions of their namespace and enqueues a delivery for each pair, and publishes every change.
 * Of subscriptions themselves it hears only that they were removed.
 * The changes are read from the log, by one query for each scope of a batch.
 *
 * The feed advances only when `handle` returns, and repeats the batch otherwise. What was enqueued or published twice is dropped by
 * the bus, or known by its delivery document. So nothing is lost, as long as what can never succeed does not throw. Deliveries
 * and publication do not wait for one another, and what one of them cannot do keeps nothing from the other.
 */
export class FanOut {
  readonly #options: FanOutOptions;
  readonly #subscriptions: KnownSubscriptions;

  constructor(options: FanOutOptions) {
    this.#options = options;
    this.#subscriptions = new KnownSubscriptions(options.records, options.subscriptions);
  }

  /**
   * @param documents of the container `records`, as the change feed hands them over.
   * @throws what storage or the bus throws when it does not answer, after everything else of the batch is enqueued.
   */
  async handle(documents: readonly unknown[], alerts: Alerts): Promise<void> {
    const batch = new Batch(alerts);
    const scopes = announcedScopes(documents, alerts);
    const namespaces = new Map<string, Promise<NamespaceSubscriptions>>();
    const read = await mapConcurrently(scopes, CONCURRENCY, async (announced) => {
      const { ns } = announced.scope;
      const subscriptions = namespaces.get(ns) ?? this.#subscriptions.of(ns);
      namespaces.set(ns, subscriptions);
      return await batch.try(this.#read(announced, subscriptions));
    });
    const changes = read.flat().filter((announced) => announced !== undefined);
    this.#measureLag(scopes);
    const traces = new FeedTraces(changes.flatMap(({ change }) => change ?? []));
    await Promise.all([
      batch.try(this.#enqueue(changes, batch, traces)),
      ...this.#options.publications.map((publication) =>
        batch.try(this.#publish(publication, changes, batch)),
      ),
      batch.try(this.#clear(removedSubscriptions(documents))),
    ]);
    await this.#bury(batch);
    traces.end(batch.fault);
    batch.end();
  }

  #measureLag(scopes: readonly AnnouncedScope[]): void {
    const now = this.#options.clock.now();
    for (const { at } of scopes.flatMap(({ announcements }) => announcements)) {
      metrics.feedLag.record({}, Math.max(0, now - Date.parse(at)) / 1000);
    }
  }

  /** A scope's part of the batch, and who may hear of it. */
  async #read(
    { scope, announcements }: AnnouncedScope,
    known: Promise<NamespaceSubscriptions>,
  ): Promise<Announced[]> {
    const [subscriptions, changes] = await Promise.all([known, this.#readChanges(scope, announcements)]);
    const byRevision = new Map(changes.map((change) => [change.revision, change]));
    return announcements.map((announcement) => ({
      announcement,
      change: byRevision.get(announcement.revision),
      subscriptions,
    }));
  }

  async #readChanges(scope: Scope, announcements: readonly Announcement[]): Promise<readonly Change<Json>[]> {
    const { records } = this.#options;
    const revisions = announcements.map(({ revision }) => revision);
    const [first = 0] = revisions;
    if (revisions.length === 1) {
      const change = await records.readChange<Json>(scope, first);
      return change === undefined ? [] : [change];
    }
    // The feed brings the changes of a scope in their order, without gaps but for what is compacted.
    return await records.changes<Json>(scope, {
      above: revisions.reduce((one, other) => Math.min(one, other)) - 1,
      upTo: revisions.reduce((one, other) => Math.max(one, other)),
    });
  }

  async #enqueue(changes: readonly Announced[], batch: Batch, traces: FeedTraces): Promise<void> {
    const { callerOf, clockSkewMilliseconds } = this.#options;
    const makers = new KnownMakers(callerOf);
    let messages: DeliveryMessage[] = [];
    const heard = new Map<string, HeardBy>();
    const send = async () => {
      for (const message of await this.#options.queue.send(messages, traces.messages)) {
        batch.giveUp(message, TOO_LARGE);
      }
      messages = [];
    };
    for (const { announcement, change, subscriptions } of changes) {
      const { scope, revision, key } = announcement;
      const { ns } = parseScopeId(scope);
      for (const subscription of subscriptions.near(key)) {
        const message = { scope, revision, key, subscription: subscription.id, attempt: 1 };
        let isTold = false;
        try {
          if (isOrdered(subscription, announcement.at, clockSkewMilliseconds)) {
            if (this.#isHeard(subscription, announcement, change)) {
              addHeard(heard, subscription, announcement, change);
            }
          } else {
            isTold = this.#isTold(subscription, announcement, change);
          }
        } catch (error) {
          batch.giveUp(message, reasonOf(error));
        }
        if (isTold && (await makers.mayRead(ns, subscription, key))) {
          traces.sending(message, change);
          messages.push(message);
        } else if (isTold) {
          batch.refuse(message);
        }
      }
      if (messages.length >= MAX_MESSAGES) {
        await send();
      }
    }
    await send();
    await this.#wake([...heard.values()], batch, traces);
  }

  /** Their cursors stand before any message that may follow them is sent; see `ordered-deliveries.ts`. */
  async #wake(heard: readonly HeardBy[], batch: Batch, traces: FeedTraces): Promise<void> {
    const { ordered, queue } = this.#options;
    const wakes = await mapConcurrently(heard, CONCURRENCY, async ({ subscription, changes, newest }) => {
      const wake = await batch.try(ordered.prepare(subscription, changes));
      if (wake !== undefined) traces.sending(wake, newest);
      return wake;
    });
    await queue.send(
      wakes.filter((message) => message !== undefined),
      traces.messages,
    );
  }

  /** @throws Error of what can never be told. */
  #isTold(subscription: Subscription, announcement: Announcement, change: Change<Json> | undefined): boolean {
    return (
      !isSilent(subscription, announcement, this.#options.clockSkewMilliseconds) &&
      this.#isHeard(subscription, announcement, change)
    );
  }

  /** @throws Error of what can never be told. */
  #isHeard(
    subscription: Subscription,
    announcement: Announcement,
    change: Change<Json> | undefined,
  ): boolean {
    if (!hears(subscription, announcement, this.#options.clockSkewMilliseconds)) {
      return false;
    }
    if (change === undefined) {
      throw new LostChange();
    }
    return wants(subscription, change);
  }

  /**
   * Has what waits for subscriptions that were removed ended: deliveries that are held have no message, nor has a cursor behind which
   * all is told. A hook that was registered anew meanwhile, which has the same id, takes them over.
   */
  async #clear(removed: readonly RemovedSubscription[]): Promise<void> {
    await this.#options.queue.send(
      removed.map(({ ns, subscription, revision, at }) => {
        const since = toTimestamp(Date.parse(at));
        const run = `removed-${revision}`;
        return { task: 'recover', run, ns, subscription, since, awaitsActive: true, page: 1 } as const;
      }),
    );
  }

  async #publish(publication: Publication, changes: readonly Announced[], batch: Batch): Promise<void> {
    const messageFor = (scope: string, { revision, key }: Pick<Announcement, 'revision' | 'key'>) => ({
      scope,
      revision,
      key,
      subscription: publication.id,
      attempt: 1,
    });
    const told: ToldChange[] = [];
    for (const { announcement, change } of changes) {
      if (change !== undefined) {
        told.push({ scope: announcement.scope, change });
      } else if (publication.id === BUS_SUBSCRIPTION) {
        batch.giveUp(messageFor(announcement.scope, announcement), LOST);
      }
    }
    const again: DeliveryMessage[] = [];
    for (const {
      told: { scope, change },
      reason,
      isPassing,
    } of await publication.publish(told)) {
      const message = messageFor(scope, change);
      isPassing ? again.push(message) : batch.giveUp(message, reason);
    }
    await this.#leaveToQueue(again);
  }

  /** Those who try again find the delivery there. */
  async #leaveToQueue(messages: readonly DeliveryMessage[]): Promise<void> {
    const { storage, queue, clock } = this.#options;
    await mapConcurrently(messages, CONCURRENCY, (message) =>
      storage.create(newDelivery(message, clock.now())),
    );
    await queue.send(messages);
  }

  /** Makes dead deliveries of what would fail again and again, and would hold up all that comes after it. */
  async #bury({ hopeless, refused, alerts }: Batch): Promise<void> {
    const { storage, clock } = this.#options;
    const causes = Map.groupBy(
      hopeless,
      ({ message, reason }) => `${message.subscription} are dead: ${reason}`,
    );
    for (const [cause, { length }] of causes) {
      alerts.error(`${length} deliveries to ${cause}`);
    }
    await mapConcurrently([...hopeless, ...refused], CONCURRENCY, async ({ message, reason }) => {
      const delivery = dead(newDelivery(message, clock.now()), reason);
      if ((await storage.create(delivery)) !== undefined) countDelivery(delivery);
    });
  }
}

/** What an ordered subscription hears of one scope. */
interface HeardBy {
  readonly subscription: Subscription;
  readonly changes: HeardChanges;
  readonly newest: Change<Json> | undefined;
}

function addHeard(
  heard: Map<string, HeardBy>,
  subscription: Subscription,
  { scope, revision }: Announcement,
  newest: Change<Json> | undefined,
): void {
  const name = `${subscription.id} ${scope}`;
  const { first, last } = heard.get(name)?.changes ?? { first: revision, last: revision };
  const changes = { scope, first: Math.min(first, revision), last: Math.max(last, revision) };
  heard.set(name, { subscription, changes, newest });
}

const TOO_LARGE = 'It does not fit into a message of the bus.';

const LOST = 'The log no longer has the change.';

class LostChange extends Error {}

function reasonOf(error: unknown): string {
  return error instanceof LostChange ? LOST : `The subscription cannot be read: ${String(error)}`;
}

/**
 * Whether a subscription is not active, and was not when the change was made: what it misses is recovered when it becomes active
 * again. An older change may be in nobody's hands yet.
 */
function isSilent(subscription: Subscription, { at }: Announcement, clockSkewMilliseconds: number): boolean {
  return (
    subscription.state !== 'active' &&
    Date.parse(at) >= Date.parse(inactiveSince(subscription)) - clockSkewMilliseconds
  );
}

/** What comes of a batch beside messages. */
class Batch {
  readonly alerts: Alerts;
  readonly hopeless: HopelessMessage[] = [];
  /** What whoever made a subscription may not see: nothing that anybody has to be alerted of. */
  readonly refused: HopelessMessage[] = [];
  readonly #faults: unknown[] = [];

  constructor(alerts: Alerts) {
    this.alerts = alerts;
  }

  /** Keeps a fault for the end, so that it stops nothing else. */
  async try<Result>(work: Promise<Result>): Promise<Result | undefined> {
    return await work.catch((error: unknown) => {
      this.#faults.push(error);
      return undefined;
    });
  }

  giveUp(message: DeliveryMessage, reason: string): void {
    this.hopeless.push({ message, reason });
  }

  refuse(message: DeliveryMessage): void {
    this.refused.push({ message, reason: NOT_READABLE });
  }

  /** The first one. */
  get fault(): unknown {
    return this.#faults[0];
  }

  /** @throws the first fault. */
  end(): void {
    if (this.#faults.length > 0) {
      throw this.fault;
    }
  }
}
