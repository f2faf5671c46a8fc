import type { Container, Database } from '@azure/cosmos';
import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus';
import type { Clock } from '../shared/platform/clock.ts';
import type { CallerOf } from '../shared/platform/http/index.ts';
import { limitsOf } from '../shared/platform/limits.ts';
import type { Random } from '../shared/platform/random.ts';
import type { Sealer } from '../shared/platform/sealer.ts';
import type { Settings } from '../shared/platform/settings.ts';
import { COSMOS_CONTAINERS, SERVICE_BUS_QUEUES } from '../shared/platform/topology.ts';
import { ChangeFeed, type Records } from '../shared/records/index.ts';
import {
  Activation,
  BrokerDeadLetters,
  CONSENT_RETRY_SECONDS,
  Consents,
  CursorStorage,
  createWebhookClient,
  DeadLetterStorage,
  DeadLetters,
  Deliveries,
  DeliveryStorage,
  EndpointGate,
  type EndpointPolicy,
  EndpointStorage,
  EndpointTest,
  FailingEndpoints,
  FanOut,
  NesoiHooks,
  NextAttempts,
  OrderedDeliveries,
  type Publication,
  Recovery,
  Repair,
  Replays,
  RequestWriter,
  ServiceBusDeliveryQueue,
  Statistics,
  SubscriptionLimit,
  Subscriptions,
  type WebhookClient,
} from '../shared/webhooks/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of webhooks. */
export interface WebhookServices {
  readonly subscriptions: Subscriptions;
  readonly subscriptionLimit: SubscriptionLimit;
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

/** With what only other services work with. */
export interface WebhookParts extends WebhookServices {
  readonly requests: RequestWriter;
  readonly webhookClient: WebhookClient;
  readonly deliveryStorage: DeliveryStorage;
  readonly deliveryQueue: ServiceBusDeliveryQueue;
  readonly endpointGate: EndpointGate;
  readonly endpointStorage: EndpointStorage;
  readonly deliverySender: Promise<ServiceBusSender>;
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly serviceBus: Promise<ServiceBusClient>;
  readonly records: Records;
  readonly recordsContainer: Container;
  readonly sealer: Sealer;
  readonly publications: readonly Publication[];
}

/** How the services of webhooks are made. */
export function webhookServices(
  endpointPolicy: EndpointPolicy,
): Makers<WebhookParts, WebhookParts & Foundation> {
  return {
    subscriptions: (app) =>
      new Subscriptions({
        records: app.records,
        clock: app.clock,
        random: app.random,
        sealer: app.sealer,
        endpointPolicy,
      }),
    subscriptionLimit: ({ records, settings }) =>
      new SubscriptionLimit(records, limitsOf(settings).subscriptions),
    nesoiHooks: (app) => new NesoiHooks({ subscriptions: app.subscriptions, endpointPolicy }),
    requests: (app) => new RequestWriter({ sealer: app.sealer, publicUrl: app.settings.SKERRY_PUBLIC_URL }),
    webhookClient: (app) =>
      createWebhookClient({
        policy: endpointPolicy,
        timeoutMilliseconds: 1000 * app.settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
        clock: app.clock,
      }),
    activation: (app) =>
      new Activation({
        subscriptions: app.subscriptions,
        queue: app.deliveryQueue,
        clock: app.clock,
        random: app.random,
      }),
    endpointStorage: (app) => new EndpointStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
    endpointGate: (app) =>
      new EndpointGate({
        storage: app.endpointStorage,
        failing: new FailingEndpoints({
          records: app.records,
          subscriptions: app.subscriptions,
          clock: app.clock,
        }),
        clock: app.clock,
        timeoutMilliseconds: 1000 * app.settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
      }),
    consents: (app) =>
      new Consents({
        subscriptions: app.subscriptions,
        activation: app.activation,
        queue: app.deliveryQueue,
        askForConsent: app.webhookClient.askForConsent,
        sealer: app.sealer,
        callerOf: app.callerOf,
        clock: app.clock,
        random: app.random,
        isDefault: isAsked(app.settings),
        retrySeconds: CONSENT_RETRY_SECONDS,
      }),
    deliveryStorage: (app) => new DeliveryStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
    deliverySender: async (app) => (await app.serviceBus).createSender(SERVICE_BUS_QUEUES.deliveries.name),
    deliveryQueue: (app) => new ServiceBusDeliveryQueue(() => app.deliverySender),
    fanOut: (app) =>
      new FanOut({
        ordered: app.ordered,
        records: app.records,
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        publications: app.publications,
        callerOf: app.callerOf,
        clock: app.clock,
        clockSkewMilliseconds: app.settings.SKERRY_CLOCK_SKEW_MILLISECONDS,
      }),
    deliveries: (app) =>
      new Deliveries({
        records: app.records,
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        requests: app.requests,
        callerOf: app.callerOf,
        gate: app.endpointGate,
        post: app.webhookClient.post,
        clock: app.clock,
        random: app.random,
        retrySeconds: app.settings.SKERRY_WEBHOOK_RETRY_SECONDS,
        clockSkewMilliseconds: app.settings.SKERRY_CLOCK_SKEW_MILLISECONDS,
      }),
    ordered: (app) =>
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
        clock: app.clock,
        random: app.random,
        retrySeconds: app.settings.SKERRY_WEBHOOK_RETRY_SECONDS,
        clockSkewMilliseconds: app.settings.SKERRY_CLOCK_SKEW_MILLISECONDS,
        timeoutMilliseconds: 1000 * app.settings.SKERRY_WEBHOOK_TIMEOUT_SECONDS,
      }),
    recovery: (app) =>
      new Recovery({
        ordered: app.ordered,
        records: app.records,
        feed: new ChangeFeed(app.recordsContainer, app.clock),
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        replays: new Replays({ storage: app.deliveryStorage, queue: app.deliveryQueue, clock: app.clock }),
        clock: app.clock,
        clockSkewMilliseconds: app.settings.SKERRY_CLOCK_SKEW_MILLISECONDS,
      }),
    nextAttempts: (app) =>
      new NextAttempts({
        subscriptions: app.subscriptions,
        endpoints: app.endpointStorage,
        clock: app.clock,
      }),
    repair: (app) =>
      new Repair({
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        clock: app.clock,
        random: app.random,
      }),
    endpointTest: (app) =>
      new EndpointTest({
        subscriptions: app.subscriptions,
        requests: app.requests,
        callerOf: app.callerOf,
        post: app.webhookClient.post,
        clock: app.clock,
        random: app.random,
      }),
    statistics: (app) =>
      new Statistics({
        subscriptions: app.subscriptions,
        storage: app.deliveryStorage,
        endpoints: app.endpointStorage,
        clock: app.clock,
      }),
    deadLetters: (app) =>
      new DeadLetters({
        subscriptions: app.subscriptions,
        storage: new DeadLetterStorage(app.database.container(COSMOS_CONTAINERS.deliveries.id)),
        queue: app.deliveryQueue,
        random: app.random,
      }),
    brokerDeadLetters: (app) =>
      new BrokerDeadLetters(
        () => app.serviceBus,
        () => app.deliverySender,
      ),
  };
}

/** Whether endpoints are asked for their consent unless a subscription says otherwise. */
function isAsked({ SKERRY_WEBHOOK_CONSENT, SKERRY_LOCAL }: Settings): boolean {
  return SKERRY_WEBHOOK_CONSENT === 'auto' ? !SKERRY_LOCAL : SKERRY_WEBHOOK_CONSENT === 'on';
}
