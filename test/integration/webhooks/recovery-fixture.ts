import type { Database } from '@azure/cosmos';
import { type Clock, systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { ChangeFeed, Compaction, type Json, Records, type Scope } from '../../../shared/records/index.ts';
import { newDelivery } from '../../../shared/webhooks/delivery/delivery.ts';
import {
  Activation,
  type Delivery,
  type DeliveryMessage,
  type DeliveryQueue,
  DeliveryStorage,
  type QueueMessage,
  Recovery,
  Replays,
  Subscriptions,
} from '../../../shared/webhooks/index.ts';
import { MemoryQueue } from './memory-queue.ts';
import { testSealer } from './test-sealer.ts';

export interface RecoveryParts {
  readonly storage: DeliveryStorage;
  readonly queue: DeliveryQueue;
}

/** What repairs deliveries, over the database alone: the test hands over the messages, and each delivery is told as in an instant. */
export class RecoveryFixture {
  readonly records: Records;
  readonly compaction: Compaction;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly queue = new MemoryQueue();
  readonly activation: Activation;
  readonly recovery: Recovery;
  /** Ids of the deliveries that the endpoint heard, in that order. */
  readonly told: string[] = [];
  /** Where cursors stand, by their scopes. */
  readonly positions = new Map<string, number>();
  /** Subscriptions whose cursors were woken. */
  readonly woken: string[] = [];

  constructor(
    database: Database,
    wrap: (parts: RecoveryParts) => RecoveryParts = (parts) => parts,
    clock: Clock = systemClock,
  ) {
    const random = systemRandom;
    const container = database.container(COSMOS_CONTAINERS.records.id);
    this.records = new Records({ container, clock, random });
    this.compaction = new Compaction({ container, clock });
    this.storage = new DeliveryStorage(database.container(COSMOS_CONTAINERS.deliveries.id));
    const endpointPolicy = { allowPrivate: true, ports: [] };
    this.subscriptions = new Subscriptions({
      records: this.records,
      clock,
      random,
      sealer: testSealer,
      endpointPolicy,
    });
    const parts = wrap({ storage: this.storage, queue: this.queue });
    const { records, subscriptions } = this;
    this.activation = new Activation({ subscriptions, queue: this.queue, clock, random });
    this.recovery = new Recovery({
      ordered: {
        wakeAll: async (subscription) => void this.woken.push(subscription),
        positions: async () => this.positions,
      },
      ...parts,
      records,
      subscriptions,
      feed: new ChangeFeed(container, clock),
      replays: new Replays({ ...parts, clock }),
      clock,
      clockSkewMilliseconds: 0,
    });
  }

  async put(scope: Scope, key: string, value: Json = {}): Promise<number> {
    const decide = () => ({ type: 'put', value }) as const;
    return (await this.records.commit<Json>(scope, { key, actor: 'test', decide })).revision;
  }

  /** Hands over all that waits in the queue, and what comes of it; see `MemoryQueue`. */
  async settle(): Promise<unknown[]> {
    return await this.queue.handOver((message) => this.handle(message));
  }

  async handle(message: QueueMessage): Promise<void> {
    if (!('task' in message)) {
      return await this.#deliver(message);
    }
    if (message.task === 'recover' || message.task === 'replay') {
      await this.recovery.handle(message);
    }
  }

  /** All deliveries of a subscription, by the revision of their change. */
  async deliveries(subscription: string): Promise<Delivery[]> {
    const { deliveries } = await this.storage.list(subscription, { limit: 1000 });
    return deliveries.toSorted((one, other) => one.revision - other.revision);
  }

  /** Stores a delivery as it might stand there. */
  async stand(message: Omit<DeliveryMessage, 'attempt'>, changes: Partial<Delivery>): Promise<Delivery> {
    const delivery = { ...newDelivery({ ...message, attempt: 1 }, systemClock.now()), ...changes };
    await this.storage.create(delivery);
    return delivery;
  }

  async #deliver(message: DeliveryMessage): Promise<void> {
    const delivery = newDelivery(message, systemClock.now());
    const known =
      (await this.storage.read(delivery.subscription, delivery.id)) ?? (await this.storage.create(delivery));
    if (known?.delivery.state !== 'pending' || (message.replay ?? 0) < (known.delivery.replays ?? 0)) {
      return;
    }
    const { ns } = known.delivery;
    const subscription = await this.subscriptions.find(ns, message.subscription);
    if (subscription?.state !== 'active') {
      const state = subscription === undefined ? 'dead' : 'held';
      await this.storage.replace(known, { ...known.delivery, state });
      return;
    }
    this.told.push(delivery.id);
    const attempts = [
      ...known.delivery.attempts,
      { at: new Date().toISOString(), durationMs: 0, status: 200 },
    ];
    await this.storage.replace(known, { ...known.delivery, state: 'delivered', attempts });
  }
}
