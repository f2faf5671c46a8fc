import { ChangeFeedStartFrom, type Database } from '@azure/cosmos';
import type { ServiceBusClient } from '@azure/service-bus';
import { vi } from 'vitest';
import type { CosmosServerOptions } from '../../../infra/local/cosmos/server.ts';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import {
  type ServiceBusServer,
  type ServiceBusServerOptions,
  startServiceBusServer,
} from '../../../infra/local/servicebus/server.ts';
import { NotificationDeliveries, NotificationTopic, Replies } from '../../../shared/notifications/index.ts';
import type { Alerts } from '../../../shared/platform/alerts.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import type { CallerOf } from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { connectServiceBus } from '../../../shared/platform/servicebus.ts';
import {
  COSMOS_CONTAINERS,
  SERVICE_BUS_QUEUES,
  SERVICE_BUS_TOPICS,
} from '../../../shared/platform/topology.ts';
import { ChangeFeed, Records } from '../../../shared/records/index.ts';
import {
  Activation,
  CursorStorage,
  createWebhookClient,
  Deliveries,
  type DeliveryQueue,
  DeliveryStorage,
  EndpointGate,
  type EndpointPatience,
  EndpointStorage,
  FailingEndpoints,
  FanOut,
  isOnBus,
  NesoiHooks,
  OrderedDeliveries,
  type PostWebhook,
  parseQueueMessage,
  Recovery,
  Replays,
  RequestWriter,
  ServiceBusDeliveryQueue,
  Subscriptions,
} from '../../../shared/webhooks/index.ts';
import { anyMaker } from '../any-maker.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { testSealer } from './test-sealer.ts';

export interface Servers {
  readonly cosmos: CosmosFixture;
  readonly serviceBus: ServiceBusServer;
  stop(): Promise<void>;
}

/** @param options of the Service Bus, which has Skerry's own entities unless told. */
export async function startServers(
  options: Partial<ServiceBusServerOptions> = {},
  cosmosOptions: Partial<CosmosServerOptions> = {},
): Promise<Servers> {
  const [cosmos, serviceBus] = await Promise.all([
    startCosmos(cosmosOptions),
    startServiceBusServer({ port: 0, config: serviceBusEntities(), ...options }),
  ]);
  return {
    cosmos,
    serviceBus,
    async stop() {
      await Promise.all([cosmos.stop(), serviceBus.stop()]);
    },
  };
}

/** The parts between which a crash may fall. */
export interface Parts {
  readonly storage: DeliveryStorage;
  readonly endpoints: EndpointStorage;
  readonly queue: DeliveryQueue;
  readonly post: PostWebhook;
}

export interface WebhooksOptions {
  readonly retrySeconds?: readonly number[];
  readonly patience?: EndpointPatience;
  /** Puts something in front of the parts that deliveries work with. */
  readonly wrap?: (parts: Parts) => Parts;
  /** What those who made subscriptions may see; everything unless told. */
  readonly callerOf?: CallerOf;
}

/** Webhooks as one process of the app runs them, over the servers, with the host's two triggers played by the SDKs. */
export interface Webhooks {
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly nesoiHooks: NesoiHooks;
  readonly storage: DeliveryStorage;
  readonly cursors: CursorStorage;
  readonly queue: DeliveryQueue;
  readonly fanOut: FanOut;
  readonly deliveries: Deliveries;
  readonly activation: Activation;
  readonly gate: EndpointGate;
  readonly alerts: readonly string[];
  /** Where `alerts` come from. */
  readonly log: Alerts;
  /** What the handler of a message threw. */
  readonly crashes: readonly unknown[];
  stop(): Promise<void>;
}

const CLOCK_SKEW_MILLISECONDS = 0;
const CALL_TIMEOUT_MILLISECONDS = 10_000;

export async function startWebhooks(
  servers: Omit<Servers, 'stop'>,
  options: WebhooksOptions = {},
): Promise<Webhooks> {
  const clock = systemClock;
  const random = systemRandom;
  const { callerOf = anyMaker } = options;
  const database = servers.cosmos.connect();
  const client = await connectServiceBus(servers.serviceBus.connectionString);
  const records = new Records({
    container: database.container(COSMOS_CONTAINERS.records.id),
    clock,
    random,
  });
  const policy = { allowPrivate: true, ports: [] };
  const sender = client.createSender(SERVICE_BUS_QUEUES.deliveries.name);
  const storage = new DeliveryStorage(database.container(COSMOS_CONTAINERS.deliveries.id));
  const queue = new ServiceBusDeliveryQueue(async () => sender);
  const { post } = createWebhookClient({ policy, timeoutMilliseconds: CALL_TIMEOUT_MILLISECONDS, clock });
  const subscriptions = new Subscriptions({
    records,
    clock,
    random,
    sealer: testSealer,
    endpointPolicy: policy,
  });
  const nesoiHooks = new NesoiHooks({ subscriptions, endpointPolicy: policy });
  const topicSender = client.createSender(SERVICE_BUS_TOPICS.notifications.name);
  const publications = [
    new NotificationTopic({ sender: async () => topicSender, publicUrl: undefined }),
    new Replies({ records, open: async (target) => client.createSender(target), publicUrl: undefined }),
  ];
  const endpoints = new EndpointStorage(database.container(COSMOS_CONTAINERS.deliveries.id));
  const bare = { storage, endpoints, queue, post };
  const parts = options.wrap?.(bare) ?? bare;
  const gate = new EndpointGate({
    storage: parts.endpoints,
    failing: new FailingEndpoints({ records, subscriptions, clock }),
    clock,
    timeoutMilliseconds: CALL_TIMEOUT_MILLISECONDS,
    patience: options.patience,
  });
  const deliveries = new Deliveries({
    records,
    subscriptions,
    ...parts,
    gate,
    clock,
    random,
    requests: new RequestWriter({ sealer: testSealer, publicUrl: undefined }),
    callerOf,
    retrySeconds: options.retrySeconds ?? [0.05, 0.05],
    clockSkewMilliseconds: CLOCK_SKEW_MILLISECONDS,
  });
  const notificationDeliveries = new NotificationDeliveries({
    records,
    publications,
    storage,
    queue,
    clock,
    random,
    retrySeconds: options.retrySeconds ?? [0.05, 0.05],
  });
  const cursors = new CursorStorage(database.container(COSMOS_CONTAINERS.deliveries.id));
  const ordered = new OrderedDeliveries({
    records,
    subscriptions,
    ...parts,
    cursors,
    gate,
    clock,
    random,
    requests: new RequestWriter({ sealer: testSealer, publicUrl: undefined }),
    callerOf,
    retrySeconds: options.retrySeconds ?? [0.05, 0.05],
    clockSkewMilliseconds: CLOCK_SKEW_MILLISECONDS,
    timeoutMilliseconds: CALL_TIMEOUT_MILLISECONDS,
  });
  const fanOut = new FanOut({
    ordered,
    records,
    subscriptions,
    storage,
    queue,
    publications,
    callerOf,
    clock,
    clockSkewMilliseconds: CLOCK_SKEW_MILLISECONDS,
  });
  const activation = new Activation({ subscriptions, queue, clock, random });
  const recovery = new Recovery({
    ordered,
    records,
    feed: new ChangeFeed(database.container(COSMOS_CONTAINERS.records.id), clock),
    subscriptions,
    storage: parts.storage,
    queue: parts.queue,
    replays: new Replays({ storage: parts.storage, queue: parts.queue, clock }),
    clock,
    clockSkewMilliseconds: CLOCK_SKEW_MILLISECONDS,
  });
  const alerts: string[] = [];
  const log: Alerts = { error: (...texts) => alerts.push(texts.join(' ')) };
  const crashes: unknown[] = [];
  const stopFeed = await playFeedTrigger(database, (documents) => fanOut.handle(documents, log));
  const stopQueue = playQueueTrigger(client, async (body) => {
    try {
      const message = parseQueueMessage(body);
      if (!('task' in message)) {
        const isForBus = isOnBus(message.subscription);
        await (isForBus ? notificationDeliveries.handle(message) : deliveries.handle(message, log));
      } else if (message.task === 'wake') {
        await ordered.wake(message, log);
      } else if (message.task !== 'consent') {
        await recovery.handle(message);
      }
    } catch (error) {
      crashes.push(error);
      throw error;
    }
  });
  return {
    records,
    subscriptions,
    nesoiHooks,
    storage,
    cursors,
    queue,
    fanOut,
    deliveries,
    activation,
    gate,
    alerts,
    log,
    crashes,
    async stop() {
      await Promise.all([stopFeed(), stopQueue()]);
      await client.close();
    },
  };
}

/** Waits for something to become so. */
export async function eventually<Result>(check: () => Result | Promise<Result>): Promise<Result> {
  return await vi.waitFor(check, { timeout: 60_000, interval: 10 });
}

/** Hands over what is written from now on, and a batch again until it is taken. */
async function playFeedTrigger(
  database: Database,
  handle: (documents: unknown[]) => Promise<void>,
): Promise<() => Promise<void>> {
  const feed = database.container(COSMOS_CONTAINERS.records.id).items.getChangeFeedIterator({
    changeFeedStartFrom: ChangeFeedStartFrom.Now(),
  });
  await feed.readNext();
  let isStopped = false;
  const run = async () => {
    while (!isStopped) {
      const { result = [] } = await feed.readNext();
      let isTaken = result.length === 0;
      while (!isTaken && !isStopped) {
        isTaken = await handle(result).then(
          () => true,
          () => false,
        );
        await systemClock.sleep(isTaken ? 0 : 50);
      }
      await systemClock.sleep(5);
    }
  };
  const running = run();
  return async () => {
    isStopped = true;
    await running;
  };
}

/** Completes what the handler returns from, abandons what it throws at. */
function playQueueTrigger(
  client: ServiceBusClient,
  handle: (body: unknown) => Promise<void>,
): () => Promise<void> {
  const receiver = client.createReceiver(SERVICE_BUS_QUEUES.deliveries.name);
  const subscription = receiver.subscribe(
    { processMessage: ({ body }) => handle(body), processError: async () => {} },
    { maxConcurrentCalls: 16 },
  );
  return async () => {
    await subscription.close();
    await receiver.close();
  };
}
