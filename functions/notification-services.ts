import type { ServiceBusClient, ServiceBusSender } from '@azure/service-bus';
import {
  Callbacks,
  NotificationDeliveries,
  NotificationTopic,
  Replies,
} from '../shared/notifications/index.ts';
import type { OperationCallbacks } from '../shared/operations/index.ts';
import type { Clock } from '../shared/platform/clock.ts';
import type { CallerOf } from '../shared/platform/http/index.ts';
import type { Random } from '../shared/platform/random.ts';
import type { Settings } from '../shared/platform/settings.ts';
import { SERVICE_BUS_TOPICS } from '../shared/platform/topology.ts';
import type { Records } from '../shared/records/index.ts';
import type {
  Consents,
  DeliveryQueue,
  DeliveryStorage,
  Publication,
  Subscriptions,
} from '../shared/webhooks/index.ts';
import type { Makers } from './lazily.ts';

/** What handlers and triggers work with, of notifications on the bus and of those that a command asks for. */
export interface NotificationServices {
  readonly notificationDeliveries: NotificationDeliveries;
  readonly operationCallbacks: OperationCallbacks;
}

/** With what only other services work with. */
export interface NotificationParts extends NotificationServices {
  readonly notificationSender: Promise<ServiceBusSender>;
  readonly publications: readonly Publication[];
}

/** What they are made of. */
interface Foundation {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly random: Random;
  readonly serviceBus: Promise<ServiceBusClient>;
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly consents: Consents;
  readonly callerOf: CallerOf;
  readonly deliveryStorage: DeliveryStorage;
  readonly deliveryQueue: DeliveryQueue;
}

/** How the services of notifications are made. */
export function notificationServices(): Makers<NotificationParts, NotificationParts & Foundation> {
  return {
    notificationSender: async (app) =>
      (await app.serviceBus).createSender(SERVICE_BUS_TOPICS.notifications.name),
    publications: (app) => {
      const publicUrl = app.settings.SKERRY_PUBLIC_URL;
      return [
        new NotificationTopic({ sender: () => app.notificationSender, publicUrl }),
        new Replies({
          records: app.records,
          open: async (target) => (await app.serviceBus).createSender(target),
          publicUrl,
        }),
      ];
    },
    notificationDeliveries: (app) =>
      new NotificationDeliveries({
        records: app.records,
        publications: app.publications,
        storage: app.deliveryStorage,
        queue: app.deliveryQueue,
        clock: app.clock,
        random: app.random,
        retrySeconds: app.settings.SKERRY_WEBHOOK_RETRY_SECONDS,
      }),
    operationCallbacks: ({ subscriptions, consents, callerOf, clock, settings }) =>
      new Callbacks({
        subscriptions,
        consents,
        callerOf,
        clock,
        baseUrl: settings.SKERRY_PUBLIC_URL ?? `https://${settings.WEBSITE_HOSTNAME}`,
      }),
  };
}
