import { randomBytes } from 'node:crypto';
import type { Container, Database } from '@azure/cosmos';
import type { ServiceBusSender } from '@azure/service-bus';
import { NotificationDeliveries, NotificationTopic } from '../../../../shared/notifications/index.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { Sealer } from '../../../../shared/platform/sealer.ts';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { ChangeFeed, Records } from '../../../../shared/records/index.ts';
import {
  Activation,
  CursorStorage,
  Deliveries,
  DeliveryStorage,
  EndpointGate,
  EndpointStorage,
  FailingEndpoints,
  FanOut,
  isOnBus,
  OrderedDeliveries,
  type PostWebhook,
  type QueueMessage,
  Recovery,
  Repair,
  Replays,
  RequestWriter,
  ServiceBusDeliveryQueue,
  Subscriptions,
  type WebhookRequest,
  type WebhookResult,
} from '../../../../shared/webhooks/index.ts';
import { anyMaker } from '../../any-maker.ts';
import { NoAnswer, type Step } from './crash-faults.ts';
import { skewed, type VirtualClock } from './virtual-clock.ts';

/** Through which a process does everything that others see. */
export type Stepping = <Answer>(step: Step, run: () => Promise<Answer>) => Promise<Answer>;

export interface ProcessOptions {
  readonly database: Database;
  readonly queueSender: ServiceBusSender;
  readonly topicSender: ServiceBusSender;
  readonly clock: VirtualClock;
  /** Milliseconds by which its clock is fast. */
  readonly skew: number;
  readonly post: PostWebhook;
  readonly stepping: Stepping;
}

export const CLOCK_SKEW_MILLISECONDS = 2_000;
export const RETRY_SECONDS = [5, 30, 60, 120, 300];
export const TIMEOUT_MILLISECONDS = 10_000;
const PATIENCE = { warnAfterMilliseconds: 10 * 60_000, disableAfterMilliseconds: 20 * 60_000 };

export const SEALER = new Sealer([randomBytes(32)]);

/** Webhooks as one process of the app has them in its memory, over the servers. */
export class CrashingProcess {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly activation: Activation;
  readonly fanOut: FanOut;
  readonly repair: Repair;
  readonly storage: DeliveryStorage;
  readonly cursors: CursorStorage;
  readonly #deliveries: Deliveries;
  readonly #ordered: OrderedDeliveries;
  readonly #notifications: NotificationDeliveries;
  readonly #recovery: Recovery;

  constructor({
    database,
    queueSender,
    topicSender,
    clock: trueClock,
    skew,
    post,
    stepping,
  }: ProcessOptions) {
    const clock = skewed(trueClock, skew);
    const random = systemRandom;
    const clockSkewMilliseconds = CLOCK_SKEW_MILLISECONDS;
    const recordsContainer = steppingContainer(
      database.container(COSMOS_CONTAINERS.records.id),
      'commit',
      stepping,
    );
    const deliveriesContainer = steppingContainer(
      database.container(COSMOS_CONTAINERS.deliveries.id),
      'document',
      stepping,
    );
    const records = new Records({ container: recordsContainer, clock, random });
    const endpointPolicy = { allowPrivate: true, ports: [] };
    const subscriptions = new Subscriptions({ records, clock, random, sealer: SEALER, endpointPolicy });
    const storage = new DeliveryStorage(deliveriesContainer);
    const sender = steppingSender(queueSender, 'send', stepping);
    const queue = new ServiceBusDeliveryQueue(async () => sender);
    const publisher = steppingSender(topicSender, 'publish', stepping);
    const topic = new NotificationTopic({ sender: async () => publisher, publicUrl: undefined });
    const callerOf = anyMaker;
    const common = { records, subscriptions, storage, queue, callerOf, clock, random, clockSkewMilliseconds };
    const gate = new EndpointGate({
      storage: new EndpointStorage(deliveriesContainer),
      failing: new FailingEndpoints(common),
      clock,
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
      patience: PATIENCE,
    });
    const calling = {
      ...common,
      gate,
      requests: new RequestWriter({ sealer: SEALER, publicUrl: undefined }),
      post: (request: WebhookRequest) => stepping('post', () => post(request)).catch(toResult),
      retrySeconds: RETRY_SECONDS,
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
    };
    this.records = records;
    this.subscriptions = subscriptions;
    this.storage = storage;
    this.cursors = new CursorStorage(deliveriesContainer);
    this.activation = new Activation(common);
    this.repair = new Repair(common);
    this.#deliveries = new Deliveries(calling);
    this.#ordered = new OrderedDeliveries({ ...calling, cursors: this.cursors });
    this.fanOut = new FanOut({ ...common, ordered: this.#ordered, publications: [topic] });
    this.#notifications = new NotificationDeliveries({
      ...common,
      publications: [topic],
      retrySeconds: RETRY_SECONDS,
    });
    this.#recovery = new Recovery({
      ...common,
      ordered: this.#ordered,
      feed: new VirtualFeed(recordsContainer, trueClock),
      replays: new Replays(common),
    });
  }

  async handle(message: QueueMessage): Promise<void> {
    if (!('task' in message)) {
      const isForBus = isOnBus(message.subscription);
      return await (isForBus
        ? this.#notifications.handle(message)
        : this.#deliveries.handle(message, SILENT));
    }
    switch (message.task) {
      case 'wake':
        return await this.#ordered.wake(message, SILENT);
      case 'recover':
      case 'replay':
        return await this.#recovery.handle(message);
      case 'consent':
        throw new Error('Nobody is asked for consent here.');
    }
  }
}

const SILENT = { error: () => {} };

function toResult(error: unknown): WebhookResult {
  if (error instanceof NoAnswer) {
    return { error: error.message };
  }
  throw error;
}

/** The database keeps real time. */
class VirtualFeed extends ChangeFeed {
  readonly #clock: VirtualClock;

  constructor(container: Container, clock: VirtualClock) {
    super(container, clock);
    this.#clock = clock;
  }

  override fromTime(milliseconds: number) {
    return super.fromTime(this.#clock.toReal(milliseconds));
  }
}

function steppingContainer(container: Container, write: Step, stepping: Stepping): Container {
  const pages = (iterator: object) => intercept(iterator, { fetchNext: 'read', readNext: 'read' }, stepping);
  const writes = { create: write, batch: write, replace: write, delete: write } as const;
  const items = new Proxy(intercept(container.items, writes, stepping), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      return name === 'query' || name === 'getChangeFeedIterator'
        ? (...parameters: unknown[]) => pages(Reflect.apply(member as () => object, target, parameters))
        : member;
    },
  });
  const item: Container['item'] = (...parameters) =>
    intercept(container.item(...parameters), { ...writes, read: 'read' }, stepping);
  return new Proxy(container, {
    get: (target, name) => (name === 'items' ? items : name === 'item' ? item : boundMember(target, name)),
  });
}

function steppingSender(sender: ServiceBusSender, send: Step, stepping: Stepping): ServiceBusSender {
  return intercept(
    sender,
    { createMessageBatch: 'read', sendMessages: send, scheduleMessages: 'schedule' },
    stepping,
  );
}

/** Has calls of some methods be steps. */
function intercept<Part extends object>(
  part: Part,
  steps: Readonly<Record<string, Step>>,
  stepping: Stepping,
): Part {
  return new Proxy(part, {
    get(target, name) {
      const member = boundMember(target, name);
      const step = typeof name === 'string' && Object.hasOwn(steps, name) ? steps[name] : undefined;
      return step === undefined || typeof member !== 'function'
        ? member
        : (...parameters: unknown[]) => stepping(step, async () => await member(...parameters));
    },
  });
}

function boundMember(target: object, name: string | symbol): unknown {
  const member: unknown = Reflect.get(target, name, target);
  return typeof member === 'function' ? member.bind(target) : member;
}
