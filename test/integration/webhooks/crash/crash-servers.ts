import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import { serviceBusEntities } from '../../../../infra/local/launch/service-bus-entities.ts';
import type { ServiceBusConfig } from '../../../../infra/local/servicebus/config.ts';
import { type ServiceBusServer, startServiceBusServer } from '../../../../infra/local/servicebus/server.ts';
import { SERVICE_BUS_QUEUES, SERVICE_BUS_TOPICS } from '../../../../shared/platform/topology.ts';
import { type CosmosFixture, startCosmos } from '../../cosmos-fixture.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Who takes what the bus hands over. */
export interface BusListener {
  readonly queue: string;
  take(message: ServiceBusReceivedMessage, receiver: ServiceBusReceiver): Promise<void>;
  hear(message: ServiceBusReceivedMessage): void;
}

/** A queue as Skerry's own, and one whose locks and memory of ids last as short as the service allows. */
export const QUEUES = [SERVICE_BUS_QUEUES.deliveries.name, 'forgetful'] as const;

const EVERYTHING = 'everything';
const CONCURRENT_CALLS = 16;

/** Cosmos DB, and Service Bus in virtual time. */
export class CrashServers {
  readonly clock: VirtualClock;
  readonly cosmos: CosmosFixture;
  readonly client: ServiceBusClient;
  #listener: BusListener | undefined;
  readonly #server: ServiceBusServer;

  private constructor(clock: VirtualClock, cosmos: CosmosFixture, server: ServiceBusServer) {
    this.clock = clock;
    this.cosmos = cosmos;
    this.#server = server;
    this.client = new ServiceBusClient(server.connectionString);
    const topic = this.client.createReceiver(SERVICE_BUS_TOPICS.notifications.name, EVERYTHING, {
      receiveMode: 'receiveAndDelete',
    });
    topic.subscribe({
      processMessage: async (message) => this.#listener?.hear(message),
      processError: async () => {},
    });
  }

  static async start(): Promise<CrashServers> {
    const clock = new VirtualClock();
    const [cosmos, serviceBus] = await Promise.all([
      startCosmos(),
      startServiceBusServer({ port: 0, config: entities(), clock }),
    ]);
    return new CrashServers(clock, cosmos, serviceBus);
  }

  /**
   * Hands over what the bus has, to one listener at a time.
   *
   * @returns what stops that. Links do not last: what dead processes leave unsettled fills them in the end.
   */
  listen(listener: BusListener): () => Promise<void> {
    this.#listener = listener;
    const receiver = this.client.createReceiver(listener.queue, { maxAutoLockRenewalDurationInMs: 0 });
    receiver.subscribe(
      {
        processMessage: async (message) => await listener.take(message, receiver),
        processError: async () => {},
      },
      { maxConcurrentCalls: CONCURRENT_CALLS, autoCompleteMessages: false },
    );
    return async () => {
      this.#listener = undefined;
      await receiver.close();
    };
  }

  async stop(): Promise<void> {
    await this.client.close();
    await Promise.all([this.cosmos.stop(), this.#server.stop()]);
  }
}

function entities(): ServiceBusConfig {
  const { UserConfig } = serviceBusEntities([{ name: EVERYTHING, hasSessions: false }]);
  const forgetful = {
    Name: 'forgetful',
    Properties: {
      LockDuration: 'PT5S',
      MaxDeliveryCount: SERVICE_BUS_QUEUES.deliveries.maxDeliveryCount,
      RequiresDuplicateDetection: true,
      DuplicateDetectionHistoryTimeWindow: 'PT20S',
    },
  };
  return {
    UserConfig: {
      Namespaces: UserConfig.Namespaces.map(({ Queues = [], ...rest }) => ({
        ...rest,
        Queues: [...Queues, forgetful],
      })),
    },
  };
}
