import { SERVICE_BUS_QUEUES } from '../../../shared/platform/topology.ts';
import type { ServiceBusConfig } from '../servicebus/config.ts';

/** The queues in the shape of the official emulator's Config.json, so that one declaration serves both. */
export function serviceBusEntities(): ServiceBusConfig {
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
              RequiresDuplicateDetection: true,
              DuplicateDetectionHistoryTimeWindow: queue.duplicateDetectionWindow,
            },
          })),
          Topics: [],
        },
      ],
    },
  };
}
