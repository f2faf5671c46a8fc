import type { ServiceBusClient, ServiceBusReceivedMessage } from '@azure/service-bus';
import { expect } from 'vitest';
import type { Delivery } from '../../../shared/webhooks/index.ts';
import { eventually, type Servers, type Webhooks } from '../webhooks/webhooks-fixture.ts';

/** What was to be told to some subscription, in the namespace of a test. */
interface Told {
  readonly webhooks: Webhooks;
  readonly ns: string;
  readonly subscription: string;
}

/** Has the Service Bus fail in these ways from now on, and in no other. */
export async function inject({ serviceBus }: Servers, ...rules: readonly object[]): Promise<void> {
  const response = await fetch(serviceBus.faultsUrl ?? '', {
    method: 'PUT',
    body: JSON.stringify({ rules }),
  });
  expect(response.ok).toBe(true);
}

export async function deliveriesTo({ webhooks, ns, subscription }: Told): Promise<readonly Delivery[]> {
  const { deliveries } = await webhooks.storage.list(subscription, { limit: 100 });
  return deliveries.filter((delivery) => delivery.ns === ns);
}

/** As an operator does by the dead letters. */
export async function replay(
  { webhooks, ns, subscription }: Told,
  deliveries: readonly Delivery[],
): Promise<void> {
  const replays = deliveries.map(({ id, replays = 0 }) => ({ id, replay: replays + 1 }));
  await webhooks.queue.send([{ task: 'replay', run: `${Math.random()}`, ns, subscription, replays }]);
}

/** Takes the next messages of a namespace off a receiver, which has no more than these for it, and closes it. */
export async function take(
  receiver: ReturnType<ServiceBusClient['createReceiver']>,
  { ns, count }: { readonly ns: string; readonly count: number },
): Promise<ServiceBusReceivedMessage[]> {
  const messages: ServiceBusReceivedMessage[] = [];
  await eventually(async () => {
    for (const message of await receiver.receiveMessages(count, { maxWaitTimeInMs: 1_000 })) {
      await receiver.completeMessage(message);
      if (message.applicationProperties?.ns === ns) messages.push(message);
    }
    expect(messages.length).toBeGreaterThanOrEqual(count);
  });
  await receiver.close();
  return messages;
}
