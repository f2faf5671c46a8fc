import type { Database } from '@azure/cosmos';
import type { ServiceBusClient } from '@azure/service-bus';
import type { BlobServiceClient } from '@azure/storage-blob';
import { Applications } from '../shared/config/index.ts';
import { Elections } from '../shared/elections/index.ts';
import { GossipRegistry } from '../shared/federation/index.ts';
import { Compactor, Retention } from '../shared/history/index.ts';
import { isPublic } from '../shared/keyspace/index.ts';
import { KeyValues } from '../shared/kv/index.ts';
import { connectBlob } from '../shared/platform/blob.ts';
import { type Clock, systemClock } from '../shared/platform/clock.ts';
import { openDatabase } from '../shared/platform/cosmos.ts';
import { type Random, systemRandom } from '../shared/platform/random.ts';
import { Readiness } from '../shared/platform/readiness.ts';
import { connectServiceBus } from '../shared/platform/servicebus.ts';
import { readSettings, type Settings } from '../shared/platform/settings.ts';
import { CONNECTIONS, COSMOS_CONTAINERS, SERVICE_BUS_QUEUES } from '../shared/platform/topology.ts';
import {
  AttachedRecords,
  Compaction,
  Leases,
  Records,
  SessionLeases,
  Sweep,
  Watches,
} from '../shared/records/index.ts';
import { Registry } from '../shared/registry/index.ts';
import { Agents } from '../shared/status/index.ts';
import {
  createWebhookClient,
  Deliveries,
  DeliveryStorage,
  FanOut,
  ServiceBusDeliveryQueue,
  Subscriptions,
} from '../shared/webhooks/index.ts';

/** What handlers and triggers work with. Every member is made at its first use, so that nothing connects at import. */
export interface Services {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly serviceBus: Promise<ServiceBusClient>;
  readonly blob: Promise<BlobServiceClient>;
  readonly readiness: Readiness;
  readonly records: Records;
  readonly watches: Watches;
  readonly applications: Applications;
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
  readonly fanOut: FanOut;
  readonly deliveries: Deliveries;
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

/** The services over some settings. */
export function composeServices(settings: Settings): Services {
  const clock = systemClock;
  const random = systemRandom;
  const database = once(() => openDatabase(settings[CONNECTIONS.cosmos]));
  const serviceBus = once(() => connectServiceBus(settings[CONNECTIONS.serviceBus]));
  const blob = once(() => connectBlob(settings[CONNECTIONS.blob]));
  const readiness = once(() => new Readiness({ database, serviceBus, blob, clock }));
  const leases = once(
    () => new Leases({ container: database().container(COSMOS_CONTAINERS.leases.id), clock }),
  );
  const sessions = once(() => new SessionLeases(leases(), clock, random));
  const records = once(
    () =>
      new Records({
        container: database().container(COSMOS_CONTAINERS.records.id),
        clock,
        random,
        sessions: sessions(),
      }),
  );
  const attached = once(() => new AttachedRecords(records(), sessions()));
  const watches = once(
    () =>
      new Watches({
        records: records(),
        container: database().container(COSMOS_CONTAINERS.records.id),
        clock,
        maxHeld: settings.SKERRY_WATCH_MAX_HELD,
        isVisible: isPublic,
      }),
  );
  const applications = once(() => new Applications(records()));
  const keyValues = once(() => new KeyValues(records(), clock));
  const compaction = once(
    () => new Compaction({ container: database().container(COSMOS_CONTAINERS.records.id), clock }),
  );
  const retention = once(
    () =>
      new Retention(records(), {
        minChanges: settings.SKERRY_RETENTION_CHANGES,
        minDays: settings.SKERRY_RETENTION_DAYS,
      }),
  );
  const compactor = once(
    () => new Compactor({ compaction: compaction(), retention: retention(), clock, random }),
  );
  const gossip = once(() => new GossipRegistry(records()));
  const registry = once(
    () =>
      new Registry({
        records: records(),
        leases: leases(),
        clock,
        expiredGraceSeconds: settings.SKERRY_EXPIRED_GRACE_SECONDS,
      }),
  );
  const elections = once(
    () =>
      new Elections({
        records: records(),
        sessions: sessions(),
        attached: attached(),
        watches: watches(),
        clock,
      }),
  );
  const agents = once(() => new Agents(records(), clock));
  const sweep = once(
    () =>
      new Sweep({
        records: records(),
        leases: leases(),
        clock,
        sweepers: [registry().sweeper, attached()],
      }),
  );
  const webhooks = once(() => composeWebhooks({ settings, clock, random, records, database, serviceBus }));

  return {
    settings,
    clock,
    random,
    get database() {
      return database();
    },
    get serviceBus() {
      return serviceBus();
    },
    get blob() {
      return blob();
    },
    get readiness() {
      return readiness();
    },
    get records() {
      return records();
    },
    get watches() {
      return watches();
    },
    get applications() {
      return applications();
    },
    get keyValues() {
      return keyValues();
    },
    get gossip() {
      return gossip();
    },
    get compaction() {
      return compaction();
    },
    get retention() {
      return retention();
    },
    get compactor() {
      return compactor();
    },
    get registry() {
      return registry();
    },
    get sessions() {
      return sessions();
    },
    get attached() {
      return attached();
    },
    get elections() {
      return elections();
    },
    get agents() {
      return agents();
    },
    get sweep() {
      return sweep();
    },
    get subscriptions() {
      return webhooks().subscriptions;
    },
    get fanOut() {
      return webhooks().fanOut;
    },
    get deliveries() {
      return webhooks().deliveries;
    },
  };
}

function composeWebhooks(parts: {
  settings: Settings;
  clock: Clock;
  random: Random;
  records: () => Records;
  database: () => Database;
  serviceBus: () => Promise<ServiceBusClient>;
}) {
  const { settings, clock, random } = parts;
  const policy = { allowPrivate: settings.SKERRY_WEBHOOK_ALLOW_PRIVATE };
  const clockSkewMilliseconds = settings.SKERRY_CLOCK_SKEW_MILLISECONDS;
  const records = parts.records();
  const storage = new DeliveryStorage(parts.database().container(COSMOS_CONTAINERS.deliveries.id));
  const sender = once(async () =>
    (await parts.serviceBus()).createSender(SERVICE_BUS_QUEUES.deliveries.name),
  );
  const queue = new ServiceBusDeliveryQueue(sender);
  const post = createWebhookClient({
    policy,
    timeoutMilliseconds: 1000 * settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
  });
  const subscriptions = new Subscriptions({ records, clock, random, endpointPolicy: policy });
  return {
    subscriptions,
    fanOut: new FanOut({ subscriptions, storage, queue, clock, clockSkewMilliseconds }),
    deliveries: new Deliveries({
      records,
      subscriptions,
      storage,
      queue,
      post,
      clock,
      random,
      retrySeconds: settings.SKERRY_WEBHOOK_RETRY_SECONDS,
      clockSkewMilliseconds,
      publicUrl: settings.SKERRY_PUBLIC_URL,
    }),
  };
}

/** Makes a thing at its first use, and then gives the same again. */
function once<Thing extends object>(make: () => Thing): () => Thing {
  let made: Thing | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
