import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import config from './Config.json' with { type: 'json' };

/**
 * The namespace that the suite runs against: the embedded emulator or, when `SERVICEBUS_CONNECTION_STRING` is set, a
 * real namespace (or the official emulator) that has the entities of `Config.json`.
 */
export interface Namespace {
  readonly connectionString: string;
  readonly client: ServiceBusClient;
  /** Where faults are injected into the emulator, when they were asked for. */
  readonly faultsUrl: string | undefined;
  /** Closes the client and stops what was started. */
  close(): Promise<void>;
}

export { config };

/** Short delays, so that a test that waits for a retry does not wait for 30 seconds. */
export const retryOptions = { maxRetries: 2, retryDelayInMs: 100, timeoutInMs: 10_000 };

/** Opens the namespace with these queues and subscriptions (`topic/Subscriptions/name`) empty. */
export async function openNamespace(
  queues: readonly string[],
  options: { readonly faultsPort?: number } = {},
): Promise<Namespace> {
  const external = process.env.SERVICEBUS_CONNECTION_STRING;
  const server =
    external === undefined ? await startServiceBusServer({ port: 0, config, ...options }) : undefined;
  const connectionString = external ?? server?.connectionString ?? '';
  const client = new ServiceBusClient(connectionString, { retryOptions });
  if (external !== undefined) await Promise.all(queues.map((queue) => empty(client, queue)));
  return {
    connectionString,
    client,
    faultsUrl: server?.faultsUrl,
    async close() {
      await client.close();
      await server?.stop();
    },
  };
}

async function empty(client: ServiceBusClient, queue: string): Promise<void> {
  await drain(client.createReceiver(queue, { receiveMode: 'receiveAndDelete', subQueueType: 'deadLetter' }));
  if (!queue.startsWith('sessions')) {
    await drain(client.createReceiver(queue, { receiveMode: 'receiveAndDelete' }));
    return;
  }
  for (;;) {
    const session = await client
      .acceptNextSession(queue, { receiveMode: 'receiveAndDelete' })
      .catch(() => {});
    if (session === undefined) return;
    await session.setSessionState(null);
    await drain(session);
  }
}

async function drain(receiver: ServiceBusReceiver): Promise<void> {
  while ((await receiver.receiveMessages(100, { maxWaitTimeInMs: 2_000 })).length > 0);
  await receiver.close();
}

/** Receives so many messages within ten seconds, and no more. */
export async function receive(
  receiver: ServiceBusReceiver,
  count: number,
): Promise<ServiceBusReceivedMessage[]> {
  const messages = await receiver.receiveMessages(count, { maxWaitTimeInMs: 10_000 });
  if (messages.length !== count)
    throw new Error(`${messages.length} instead of ${count} messages came within ten seconds.`);
  return messages;
}

/** Receives exactly one message, within ten seconds. */
export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 10_000 });
  if (message === undefined) throw new Error('No message came within ten seconds.');
  return message;
}

/** Long enough for what was sent to arrive (milliseconds): a real service is farther away. */
const SETTLED_AFTER = process.env.SERVICEBUS_CONNECTION_STRING === undefined ? 250 : 3_000;

/** What is there now and what comes in the next moment. */
export function receiveWhatIsThere(
  receiver: ServiceBusReceiver,
  count = 10,
): Promise<ServiceBusReceivedMessage[]> {
  return receiver.receiveMessages(count, { maxWaitTimeInMs: SETTLED_AFTER });
}
