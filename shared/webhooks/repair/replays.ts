import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { attemptsMade } from '../delivery/after-call.ts';
import { type Delivery, type DeliveryMessage, newDelivery } from '../delivery/delivery.ts';
import type { DeliveryQueue } from '../delivery/delivery-queue.ts';
import type { DeliveryStorage } from '../delivery/delivery-storage.ts';
import type { Replay } from '../delivery/queue-message.ts';

export interface ReplaysOptions {
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
  readonly clock: Clock;
}

/** A change that a subscription is to be told of. */
export interface Recoverable extends Pick<DeliveryMessage, 'scope' | 'revision' | 'key'> {
  /** Whether somebody else tells of it as long as it has no delivery. */
  readonly isLeftToCursor: boolean;
}

const CONCURRENT_DOCUMENTS = 16;

/**
 * Begins deliveries anew, to be called by handlers of messages alone: first the document says so, then the message is sent.
 * Killed in between, the handler's own message comes again, finds a replay that was never attempted, and sends its message
 * again, under the same id.
 */
export class Replays {
  readonly #options: ReplaysOptions;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /** Begins these replays, as far as they or later ones were not begun before. */
  async replay(subscription: string, replays: readonly Replay[]): Promise<void> {
    await this.#begin(replays, async ({ id, replay }) => {
      return await this.#change(subscription, id, (delivery) =>
        delivery !== undefined && (delivery.replays ?? 0) < replay ? replayed(delivery, replay) : undefined,
      );
    });
  }

  /** Begins the deliveries of changes that have none, and anew those that are dead or held. Others are left alone. */
  async recover(subscription: string, changes: readonly Recoverable[]): Promise<void> {
    const { clock } = this.#options;
    await this.#begin(changes, async ({ isLeftToCursor, ...change }) => {
      const unknown = newDelivery({ ...change, subscription, attempt: 1 }, clock.now());
      return await this.#change(subscription, unknown.id, (delivery = unknown) =>
        (delivery === unknown && !isLeftToCursor) || delivery.state === 'dead' || delivery.state === 'held'
          ? replayed(delivery)
          : undefined,
      );
    });
  }

  /** @param begin gives the delivery whose message is to be sent; undefined where there is none to send. */
  async #begin<Item>(
    items: readonly Item[],
    begin: (item: Item) => Promise<Delivery | undefined>,
  ): Promise<void> {
    const begun = await mapConcurrently(items, CONCURRENT_DOCUMENTS, begin);
    await this.#options.queue.send(begun.filter((delivery) => delivery !== undefined).map(replayMessage));
  }

  /** Writes what `decide` says; a replay that was begun, but never attempted, stays as it is. */
  async #change(
    subscription: string,
    id: string,
    decide: (delivery: Delivery | undefined) => Delivery | undefined,
  ): Promise<Delivery | undefined> {
    const { storage } = this.#options;
    for (;;) {
      const known = await storage.read(subscription, id);
      if (known !== undefined && isUnattemptedReplay(known.delivery)) {
        return known.delivery;
      }
      const changed = decide(known?.delivery);
      if (changed === undefined) {
        return undefined;
      }
      const written = await (known === undefined ? storage.create(changed) : storage.replace(known, changed));
      if (written !== undefined) {
        return written.delivery;
      }
    }
  }
}

/** The replay that would be the next one of a delivery. */
export function nextReplay({ id, replays = 0 }: Pick<Delivery, 'id' | 'replays'>): Replay {
  return { id, replay: replays + 1 };
}

/** The delivery as it begins anew: attempts count from the beginning of the ladder. */
function replayed(delivery: Delivery, replay = nextReplay(delivery).replay): Delivery {
  const { reason: _, nextAt: __, ...rest } = delivery;
  return { ...rest, state: 'pending', replays: replay, earlierAttempts: delivery.attempts.length };
}

/** Whether a replay's message was perhaps never sent. */
function isUnattemptedReplay(delivery: Delivery): boolean {
  const { state, replays = 0 } = delivery;
  return state === 'pending' && replays > 0 && attemptsMade(delivery) === 0;
}

function replayMessage({ scope, revision, key, subscription, replays }: Delivery): DeliveryMessage {
  return { scope, revision, key, subscription, attempt: 1, replay: replays };
}
