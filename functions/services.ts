import type { Container, Database } from '@azure/cosmos';
import type { ServiceBusClient } from '@azure/service-bus';
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
import { CONNECTIONS, COSMOS_CONTAINERS } from '../shared/platform/topology.ts';
import {
  Alarms,
  AttachedRecords,
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
import { createExchange, type Exchange } from '../shared/webhooks/index.ts';
import { type AccessParts, type AccessServices, accessServices } from './access-services.ts';
import { type AuditServices, auditServices } from './audit-services.ts';
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
import { type WebhookParts, type WebhookServices, webhookServices } from './webhook-services.ts';

/** What handlers and triggers work with. Every member is made at its first use, so that nothing connects at import. */
export interface Services
  extends AccessServices,
    AuditServices,
    ConfigServices,
    BundleServices,
    EnvironmentServices,
    NotificationServices,
    OperationServices,
    WebhookServices {
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
    AuditServices,
    ConfigParts,
    BundleParts,
    EnvironmentParts,
    NotificationParts,
    OperationParts,
    WebhookParts {
  readonly leases: Leases;
  readonly alarms: Alarms;
  readonly exchange: Exchange;
  readonly findExecutor: FindExecutor;
  readonly rules: readonly CommandRule[];
  readonly recordsContainer: Container;
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
    ...auditServices(),
    ...configServices(),
    ...bundleServices(endpointPolicy),
    ...environmentServices(),
    ...notificationServices(),
    ...operationServices(),
    ...webhookServices(endpointPolicy),
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
  });
  return app;
}
