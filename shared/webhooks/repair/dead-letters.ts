import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Random } from '../../platform/random.ts';
import { isOnBus } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { VersionedDelivery } from '../delivery/delivery-storage.ts';
import type { ReplayMessage } from '../delivery/queue-message.ts';
import type { Subscriptions } from '../subscription/subscriptions.ts';
import type { DeadLetterPage, DeadLetterRequest, DeadLetterStorage } from './dead-letter-storage.ts';
import { nextReplay } from './replays.ts';

export interface DeadLettersOptions {
  readonly subscriptions: Subscriptions;
  readonly storage: DeadLetterStorage;
  readonly queue: DeliveryQueue;
  readonly random: Random;
}

export interface DeadLetterId {
  readonly subscription: string;
  /** Of the delivery. */
  readonly id: string;
}

/** Which dead deliveries: these, or all, or all of a subscription. */
export type DeadLetterChoice =
  | { readonly ids: readonly DeadLetterId[] }
  | { readonly subscription?: string | undefined; readonly after?: string | undefined };

/** What was left as it is, and why. */
export interface SkippedDeadLetters {
  readonly subscription: string;
  readonly deliveries: number;
  readonly reason: string;
}

export interface ReplayedDeadLetters {
  readonly replayed: number;
  readonly skipped: readonly SkippedDeadLetters[];
  /** Cursor: there are more, to be asked for by another call. */
  readonly next?: string;
}

/** What one call takes up of all that there are. */
const MAX_AT_A_TIME = 500;
/** Replays of one message, which is a few kilobytes then. */
const REPLAYS_OF_A_MESSAGE = 100;
const CONCURRENT_READS = 16;

/**
 * Deliveries that nobody tries any more, whether or not their subscriptions are still there.
 *
 * All methods throw SkerryError `unavailable`.
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  /** @throws SkerryError `invalid` for the cursor. */
  async list(ns: string, request: DeadLetterRequest): Promise<DeadLetterPage> {
    return await this.#options.storage.list(ns, request);
  }

  /** Enqueues dead deliveries to active subscriptions as replays. @throws SkerryError `invalid` for the cursor. */
  async replay(ns: string, choice: DeadLetterChoice): Promise<ReplayedDeadLetters> {
    const { queue, random } = this.#options;
    const { deliveries, next } = await this.#choose(ns, choice);
    const messages: ReplayMessage[] = [];
    const skipped = 'ids' in choice ? unknown(choice.ids, deliveries) : [];
    for (const [subscription, dead] of bySubscription(deliveries)) {
      const reason = await this.#hindrance(ns, subscription);
      if (reason !== undefined) {
        skipped.push({ subscription, deliveries: dead.length, reason });
        continue;
      }
      for (let begin = 0; begin < dead.length; begin += REPLAYS_OF_A_MESSAGE) {
        const part = dead.slice(begin, begin + REPLAYS_OF_A_MESSAGE);
        const replays = part.map(({ delivery }) => nextReplay(delivery));
        messages.push({ task: 'replay', run: random.id(), ns, subscription, replays });
      }
    }
    await queue.send(messages);
    const replayed = messages.reduce((sum, { replays }) => sum + replays.length, 0);
    return { replayed, skipped, ...(next !== undefined && { next }) };
  }

  /** Removes dead deliveries for good. @returns how many, and whether there are more. */
  async purge(ns: string, choice: DeadLetterChoice): Promise<{ purged: number; more: boolean }> {
    const { deliveries, next } = await this.#choose(ns, choice);
    return { purged: await this.#options.storage.remove(deliveries), more: next !== undefined };
  }

  async #choose(ns: string, choice: DeadLetterChoice): Promise<DeadLetterPage> {
    const { storage } = this.#options;
    if (!('ids' in choice)) {
      return await storage.list(ns, { ...choice, limit: MAX_AT_A_TIME });
    }
    const known = await mapConcurrently(choice.ids, CONCURRENT_READS, ({ subscription, id }) =>
      storage.read(ns, subscription, id),
    );
    return { deliveries: known.filter((delivery) => delivery !== undefined) };
  }

  /** Why nothing is delivered to a subscription; undefined where it is. */
  async #hindrance(ns: string, id: string): Promise<string | undefined> {
    const state = isOnBus(id)
      ? 'active'
      : ((await this.#options.subscriptions.find(ns, id))?.state ?? 'gone');
    if (state === 'active') {
      return undefined;
    }
    return state === 'gone' ? 'The subscription is gone.' : `The subscription is ${state}.`;
  }
}

function unknown(ids: readonly DeadLetterId[], known: readonly VersionedDelivery[]): SkippedDeadLetters[] {
  const found = new Set(known.map(({ delivery }) => `${delivery.subscription} ${delivery.id}`));
  const missing = ids.filter(({ subscription, id }) => !found.has(`${subscription} ${id}`));
  return [...Map.groupBy(missing, ({ subscription }) => subscription)].map(([subscription, { length }]) => ({
    subscription,
    deliveries: length,
    reason: 'There is no such dead delivery.',
  }));
}

function bySubscription(deliveries: readonly VersionedDelivery[]): Map<string, VersionedDelivery[]> {
  return Map.groupBy(deliveries, ({ delivery }) => delivery.subscription);
}
