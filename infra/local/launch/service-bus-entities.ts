import { SERVICE_BUS_QUEUES, SERVICE_BUS_TOPICS } from '../../../shared/platform/topology.ts';
import type { ServiceBusConfig } from '../servicebus/config.ts';
import type { BusSubscription } from './bus-subscription.ts';

/**
 * The queues and topics in the shape of the official emulator's Config.json, so that one declaration serves both.
 *
 * @param subscriptions to the topic of notifications, of which Skerry itself has none.
 */
export function serviceBusEntities(subscriptions: readonly BusSubscription[] = []): ServiceBusConfig {
  return {
    UserConfig: {
      Namespaces: [
        {
          Name: 'sbemulatorns',
          Queues: Object.values(SERVICE_BUS_QUEUES).map((queue) => ({
            Name: queue.name,
            Properties: {
              LockDuration: queue.lockDuration,
              MaxDeliveryCount: queue.maxDeliveryCount,
              RequiresSession: queue.hasSessions,
              RequiresDuplicateDetection: true,
              DuplicateDetectionHistoryTimeWindow: queue.duplicateDetectionWindow,
            },
          })),
          Topics: Object.values(SERVICE_BUS_TOPICS).map((topic) => ({
            Name: topic.name,
            Properties: {
              DefaultMessageTimeToLive: topic.messageTimeToLive,
              RequiresDuplicateDetection: true,
              DuplicateDetectionHistoryTimeWindow: topic.duplicateDetectionWindow,
            },
            Subscriptions: subscriptions.map(({ name, hasSessions, filter }) => ({
              Name: name,
              Properties: { RequiresSession: hasSessions },
              Rules:
                filter === undefined
                  ? []
                  : [
                      {
                        Name: 'filter',
                        Properties: { FilterType: 'Sql', SqlFilter: { SqlExpression: filter } },
                      },
                    ],
            })),
          })),
        },
      ],
    },
  };
}
