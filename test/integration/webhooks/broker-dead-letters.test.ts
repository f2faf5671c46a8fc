import type { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { type ServiceBusServer, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { connectServiceBus } from '../../../shared/platform/servicebus.ts';
import { SERVICE_BUS_QUEUES } from '../../../shared/platform/topology.ts';
import { BrokerDeadLetters } from '../../../shared/webhooks/index.ts';

const QUEUE = SERVICE_BUS_QUEUES.deliveries.name;
const DELIVERY = { scope: 'mine:app:', revision: 1, key: '/app/dm', subscription: 'sub_1', attempt: 1 };
const TASK = { task: 'replay', run: 'r', ns: 'theirs', subscription: 'sub_2', replays: [] };

let server: ServiceBusServer;
let client: ServiceBusClient;
let deadLetters: BrokerDeadLetters;

beforeAll(async () => {
  server = await startServiceBusServer({ port: 0, config: serviceBusEntities() });
  client = await connectServiceBus(server.connectionString);
  const sender = client.createSender(QUEUE);
  deadLetters = new BrokerDeadLetters(
    async () => client,
    async () => sender,
  );
});

afterAll(async () => {
  await client.close();
  await server.stop();
});

test('each namespace sees, drains and purges its own, and “default” what nobody can read', async () => {
  await fail([DELIVERY, TASK, 'what is this?', { ...DELIVERY, revision: 2 }]);
  const mine = await deadLetters.peek('mine', { limit: 10 });
  const letter = {
    sequenceNumber: expect.stringMatching(/^\d+$/),
    messageId: 'lost-0',
    enqueuedAt: expect.any(String),
    reason: 'Test',
    description: 'For the test.',
  };
  expect(mine.messages).toEqual([
    { ...letter, body: DELIVERY },
    { ...letter, messageId: 'lost-3', body: { ...DELIVERY, revision: 2 } },
  ]);
  expect((await deadLetters.peek('theirs', { limit: 10 })).messages).toMatchObject([{ body: TASK }]);
  expect((await deadLetters.peek('default', { limit: 10 })).messages).toMatchObject([
    { body: 'what is this?' },
  ]);

  const pages: unknown[] = [];
  for (let after: string | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
    const page = await deadLetters.peek('mine', { limit: 1, after });
    pages.push(...page.messages);
    after = page.next;
  }
  expect(pages).toEqual(mine.messages);
  await expect(deadLetters.peek('mine', { limit: 1, after: 'x' })).rejects.toMatchObject({ kind: 'invalid' });

  expect(await deadLetters.drain('mine')).toEqual({ count: 2, more: false });
  expect(await deadLetters.drain('mine')).toEqual({ count: 0, more: false });
  const again = await receive(2);
  expect(again.map(({ body }) => body)).toEqual([DELIVERY, { ...DELIVERY, revision: 2 }]);
  expect(again.map(({ messageId }) => messageId)).toEqual(
    mine.messages.map(({ messageId, sequenceNumber }) => `${messageId}:d${sequenceNumber}`),
  );

  expect(await deadLetters.purge('theirs')).toEqual({ count: 1, more: false });
  expect(await deadLetters.purge('default')).toEqual({ count: 1, more: false });
  expect(await deadLetters.peek('default', { limit: 10 })).toEqual({ messages: [] });
});

test('a namespace comes to its own behind hundreds of others', async () => {
  await fail([...Array.from({ length: 510 }, () => TASK), DELIVERY], 'more');
  expect(await deadLetters.purge('mine')).toEqual({ count: 1, more: false });
  expect(await deadLetters.purge('theirs')).toEqual({ count: 500, more: true });
});

/** Sends messages that end among the dead letters. */
async function fail(bodies: readonly unknown[], name = 'lost'): Promise<void> {
  const sender = client.createSender(QUEUE);
  await sender.sendMessages(bodies.map((body, nth) => ({ body, messageId: `${name}-${nth}` })));
  await sender.close();
  const receiver = client.createReceiver(QUEUE);
  for (let count = 0; count < bodies.length; ) {
    for (const message of await receiver.receiveMessages(bodies.length, { maxWaitTimeInMs: 5_000 })) {
      const reason = { deadLetterReason: 'Test', deadLetterErrorDescription: 'For the test.' };
      await receiver.deadLetterMessage(message, reason);
      count += 1;
    }
  }
  await receiver.close();
}

async function receive(count: number) {
  const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
  const messages = [];
  while (messages.length < count) {
    messages.push(...(await receiver.receiveMessages(count, { maxWaitTimeInMs: 5_000 })));
  }
  await receiver.close();
  return messages;
}
