import type { Container, Database } from '@azure/cosmos';
import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus';
import type { BlobServiceClient } from '@azure/storage-blob';
import { ActivateBundle } from '../shared/bundles/index.ts';
import { Elections } from '../shared/elections/index.ts';
import { environmentRules } from '../shared/environments/index.ts';
import { executorFinder, Outbound } from '../shared/executors/index.ts';
import { GossipRegistry } from '../shared/federation/index.ts';
import { Compactor, Retention } from '../shared/history/index.ts';
import { isPublic } from '../shared/keyspace/index.ts';
import { KeyValues } from '../shared/kv/index.ts';
import type { CommandRule, FindExecutor } from '../shared/operations/index.ts';
import { connectBlob } from '../shared/platform/blob.ts';
import { type Clock, systemClock } from '../shared/platform/clock.ts';
import { openDatabase } from '../shared/platform/cosmos.ts';
import { limitsOf } from '../shared/platform/limits.ts';
import { type Random, systemRandom } from '../shared/platform/random.ts';
import { Readiness } from '../shared/platform/readiness.ts';
import { connectServiceBus } from '../shared/platform/servicebus.ts';
import { readSettings, type Settings } from '../shared/platform/settings.ts';
import { CONNECTIONS, COSMOS_CONTAINERS, SERVICE_BUS_QUEUES } from '../shared/platform/topology.ts';
import {
  Alarms,
  AttachedRecords,
  ChangeFeed,
  Compaction,
  Leases,
  Records,
  SessionLeases,
  Sweep,
  Watches,
} from '../shared/records/index.ts';
import { Registry } from '../shared/registry/index.ts';
import { Graphs, Search } from '../shared/search/index.ts';
import { Agents } from '../shared/status/index.ts';
import {
  Activation,
  BrokerDeadLetters,
  CONSENT_RETRY_SECONDS,
  Consents,
  CursorStorage,
  createExchange,
  createWebhookClient,
  DeadLetterStorage,
  DeadLetters,
  Deliveries,
  DeliveryStorage,
  EndpointGate,
  EndpointStorage,
  EndpointTest,
  type Exchange,
  FailingEndpoints,
  FanOut,
  NesoiHooks,
  NextAttempts,
  OrderedDeliveries,
  Recovery,
  Repair,
  Replays,
  RequestWriter,
  ServiceBusDeliveryQueue,
  Statistics,
  Subscriptions,
  type WebhookClient,
} from '../shared/webhooks/index.ts';
import { type AccessParts, type AccessServices, accessServices } from './access-services.ts';
import { type BundleParts, type BundleServices, bundleServices } from './bundle-services.ts';
import { type ConfigParts, type ConfigServices, configServices } from './config-services.ts';
import {
  type EnvironmentParts,
  type EnvironmentServices,
  environmentServices,
} from './environment-services.ts';
import { lazily } from './lazily.ts';
import {
  type NotificationParts,
  type NotificationServices,
  notificationServices,
} from './notification-services.ts';
import { type OperationParts, type OperationServices, operationServices } from './operation-services.ts';

/** What handlers and triggers work with. Every member is made at its first use, so that nothing connects at import. */
export interface Services
  extends AccessServices,
    ConfigServices,
    BundleServices,
    EnvironmentServices,
    NotificationServices,
    OperationServices {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly serviceBus: Promise<ServiceBusClient>;
  readonly blob: Promise<BlobServiceClient>;
  readonly readiness: Readiness;
  readonly records: Records;
  readonly watches: Watches;
  readonly search: Search;
  readonly graphs: Graphs;
  readonly keyValues: KeyValues;
  readonly gossip: GossipRegistry;
  readonly compaction: Compaction;
  readonly retention: Retention;
  readonly compactor: Compactor;
  readonly registry: Registry;
  readonly sessions: SessionLeases;
  readonly attached: AttachedRecords;
  readonly elections: Elections;
  readonly agents: Agents;
  readonly sweep: Sweep;
  readonly subscriptions: Subscriptions;
  readonly nesoiHooks: NesoiHooks;
  readonly fanOut: FanOut;
  readonly deliveries: Deliveries;
  readonly ordered: OrderedDeliveries;
  readonly activation: Activation;
  readonly consents: Consents;
  readonly recovery: Recovery;
  readonly nextAttempts: NextAttempts;
  readonly repair: Repair;
  readonly endpointTest: EndpointTest;
  readonly statistics: Statistics;
  readonly deadLetters: DeadLetters;
  readonly brokerDeadLetters: BrokerDeadLetters;
}

let ofThisProcess: Services | undefined;

/**
 * The services of this process.
 *
 * @throws Error that names each setting that is missing or malformed.
 */
export function services(): Services {
  ofThisProcess ??= composeServices(readSettings(process.env));
  return ofThisProcess;
}

/** What only other services work with. */
interface Parts
  extends Services,
    AccessParts,
    ConfigParts,
    BundleParts,
    EnvironmentParts,
    NotificationParts,
    OperationParts {
  readonly leases: Leases;
  readonly alarms: Alarms;
  readonly exchange: Exchange;
  readonly findExecutor: FindExecutor;
  readonly rules: readonly CommandRule[];
  readonly requests: RequestWriter;
  readonly recordsContainer: Container;
  readonly webhookClient: WebhookClient;
  readonly deliveryStorage: DeliveryStorage;
  readonly deliveryQueue: ServiceBusDeliveryQueue;
  readonly endpointGate: EndpointGate;
  readonly endpointStorage: EndpointStorage;
  readonly deliverySender: Promise<ServiceBusSender>;
}

/** The services over some settings. */
export function composeServices(settings: Settings): Services {
  const clock = systemClock;
  const random = systemRandom;
  const endpointPolicy = {
    allowPrivate: settings.SKERRY_WEBHOOK_ALLOW_PRIVATE,
    ports: settings.SKERRY_WEBHOOK_PORTS,
  };
  const limits = limitsOf(settings);
  const clockSkewMilliseconds = settings.SKERRY_CLOCK_SKEW_MILLISECONDS;

  const app: Parts = lazily<Parts>({
    settings: () => settings,
    clock: () => clock,
    random: () => random,
    database: () => openDatabase(settings[CONNECTIONS.cosmos]),
    serviceBus: () => connectServiceBus(settings[CONNECTIONS.serviceBus]),
    blob: () => connectBlob(settings[CONNECTIONS.blob]),
    readiness: () =>
      new Readiness({
        database: () => app.database,
        serviceBus: () => app.serviceBus,
        blob: () => app.blob,
        clock,
      }),

    recordsContainer: () => app.database.container(COSMOS_CONTAINERS.records.id),
    leases: () => new Leases({ container: app.database.container(COSMOS_CONTAINERS.leases.id), clock }),
    alarms: () => new Alarms(app.leases, clock),
    sessions: () => new SessionLeases(app.leases, clock, random),
    records: () => new Records({ container: app.recordsContainer, clock, random, sessions: app.sessions }),
    attached: () => new AttachedRecords(app.records, app.sessions),
    watches: () =>
      new Watches({
        records: app.records,
        container: app.recordsContainer,
        clock,
        maxHeld: settings.SKERRY_WATCH_MAX_HELD,
        maxHeldByOne: limits.heldWatches,
        isVisible: isPublic,
      }),
    graphs: () => new Graphs(app.records),
    search: () => new Search({ records: app.records, container: app.recordsContainer, clock }),
    sweep: () =>
      new Sweep({
        records: app.records,
        leases: app.leases,
        clock,
        sweepers: [
          app.registry.sweeper,
          app.attached,
          app.bundleSweeper,
          app.operationSweeper,
          app.environmentSweeper,
          app.lastUses,
        ],
      }),

    compaction: () => new Compaction({ container: app.recordsContainer, clock }),
    retention: () =>
      new Retention(app.records, {
        minChanges: settings.SKERRY_RETENTION_CHANGES,
        minDays: settings.SKERRY_RETENTION_DAYS,
      }),
    compactor: () => new Compactor({ compaction: app.compaction, retention: app.retention, clock, random }),

    ...accessServices(),
    ...configServices(),
    ...bundleServices(endpointPolicy),
    ...environmentServices(),
    ...notificationServices(),
    ...operationServices(),
    exchange: () => createExchange(endpointPolicy),
    findExecutor: () =>
      executorFinder({
        outbound: new Outbound({
          exchange: app.exchange,
          credentials: settings.SKERRY_EXECUTOR_CREDENTIALS,
          timeoutMilliseconds: 1000 * settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
          clock,
        }),
        stores: app,
        callerOf: app.callerOf,
        clock,
        publicUrl: settings.SKERRY_PUBLIC_URL,
      }),
    rules: () => [
      ...environmentRules(app),
      new ActivateBundle({
        channels: app.channels,
        versions: app.versions,
        ownUrl: settings.SKERRY_PUBLIC_URL?.replace(/\/+$/, '') ?? '',
      }),
    ],

    keyValues: () => new KeyValues(app.records, clock),
    gossip: () => new GossipRegistry(app.records),
    agents: () => new Agents(app.records, clock),
    registry: () =>
      new Registry({
        records: app.records,
        leases: app.leases,
        clock,
        expiredGraceSeconds: settings.SKERRY_EXPIRED_GRACE_SECONDS,
      }),
    elections: () =>
      new Elections({
        records: app.records,
        sessions: app.sessions,
        attached: app.attached,
        watches: app.watches,
        clock,
      }),

    subscriptions: () =>
      new Subscriptions({ records: app.records, clock, random, sealer: app.sealer, endpointPolicy }),
    nesoiHooks: () => new NesoiHooks({ subscriptions: app.subscriptions, endpointPolicy }),
    requests: () => new RequestWriter({ sealer: app.sealer, publicUrl: settings.SKERRY_PUBLIC_URL }),
    webhookClient: () =>
      createWebhookClient({
        policy: endpointPolicy,
        timeoutMilliseconds: 1000 * settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
        clock,
      }),
    activation: () =>
      new Activation({ subscriptions: app.subscriptions, queue: app.deliveryQueue, clock, random }),
    endpointStorage: () => new EndpointStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
    endpointGate: () =>
      new EndpointGate({
        storage: app.endpointStorage,
        failing: new FailingEndpoints({ records: app.records, subscriptions: app.subscriptions, clock }),
        clock,
        timeoutMilliseconds: 1000 * settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
      }),
    consents: () =>
      new Consents({
        subscriptions: app.subscriptions,
        activation: app.activation,
        queue: app.deliveryQueue,
        askForConsent: app.webhookClient.askForConsent,
        sealer: app.sealer,
        callerOf: app.callerOf,
        clock,
        random,
        isDefault: isAsked(settings),
        retrySeconds: CONSENT_RETRY_SECONDS,
      }),
    deliveryStorage: () => new DeliveryStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
    deliverySender: async () => (await app.serviceBus).createSender(SERVICE_BUS_QUEUES.deliveries.name),
    deliveryQueue: () => new ServiceBusDeliveryQueue(() => app.deliverySender),
    fanOut: () =>
      new FanOut({
        ordered: app.ordered,
        records: app.records,
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        publications: app.publications,
        callerOf: app.callerOf,
        clock,
        clockSkewMilliseconds,
      }),
    deliveries: () =>
      new Deliveries({
        records: app.records,
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        requests: app.requests,
        callerOf: app.callerOf,
        gate: app.endpointGate,
        post: app.webhookClient.post,
        clock,
        random,
        retrySeconds: settings.SKERRY_WEBHOOK_RETRY_SECONDS,
        clockSkewMilliseconds,
      }),
    ordered: () =>
      new OrderedDeliveries({
        records: app.records,
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        cursors: new CursorStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
        queue: app.deliveryQueue,
        gate: app.endpointGate,
        requests: app.requests,
        callerOf: app.callerOf,
        post: app.webhookClient.post,
        clock,
        random,
        retrySeconds: settings.SKERRY_WEBHOOK_RETRY_SECONDS,
        clockSkewMilliseconds,
        timeoutMilliseconds: 1000 * settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
      }),
    recovery: () =>
      new Recovery({
        ordered: app.ordered,
        records: app.records,
        feed: new ChangeFeed(app.recordsContainer, clock),
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        replays: new Replays({ storage: app.deliveryStorage, queue: app.deliveryQueue, clock }),
        clock,
        clockSkewMilliseconds,
      }),
    nextAttempts: () =>
      new NextAttempts({ subscriptions: app.subscriptions, endpoints: app.endpointStorage, clock }),
    repair: () =>
      new Repair({
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        clock,
        random,
      }),
    endpointTest: () =>
      new EndpointTest({
        subscriptions: app.subscriptions,
        requests: app.requests,
        callerOf: app.callerOf,
        post: app.webhookClient.post,
        clock,
        random,
      }),
    statistics: () =>
      new Statistics({
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        endpoints: app.endpointStorage,
        clock,
      }),
    deadLetters: () =>
      new DeadLetters({
        subscriptions: app.subscriptions,
        storage: new DeadLetterStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
        queue: app.deliveryQueue,
        random,
      }),
    brokerDeadLetters: () =>
      new BrokerDeadLetters(
        () => app.serviceBus,
        () => app.deliverySender,
      ),
  });
  return app;
}

/** Whether endpoints are asked for their consent unless a subscription says otherwise. */
function isAsked({ SKERRY_WEBHOOK_CONSENT, SKERRY_LOCAL }: Settings): boolean {
  return SKERRY_WEBHOOK_CONSENT === 'auto' ? !SKERRY_LOCAL : SKERRY_WEBHOOK_CONSENT === 'on';
}
