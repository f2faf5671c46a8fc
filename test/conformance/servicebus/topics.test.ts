import { randomUUID } from 'node:crypto';
import type { ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

const PUBLISHING = ['everything', 'red', 'large-or-labelled', 'correlated', 'complicated'] as const;
const SETTLING = ['two-deliveries', 'ten-deliveries'] as const;

let namespace: Namespace;
let openReceivers: ServiceBusReceiver[] = [];

beforeAll(async () => {
  namespace = await openNamespace([
    ...PUBLISHING.map((name) => `publishing/Subscriptions/${name}`),
    ...SETTLING.map((name) => `settling-copies/Subscriptions/${name}`),
    'publishing-without-duplicates/Subscriptions/first',
    'publishing-without-duplicates/Subscriptions/second',
    'publishing-sessions/Subscriptions/no-sessions',
  ]);
});
beforeEach(() => {
  openReceivers = [];
  return async () => {
    await Promise.all(openReceivers.map((receiver) => receiver.close()));
  };
});
afterAll(() => namespace.close());

function receiverOf(
  topic: string,
  subscription: string,
  options?: Parameters<Namespace['client']['createReceiver']>[2],
): ServiceBusReceiver {
  const receiver = namespace.client.createReceiver(topic, subscription, options);
  openReceivers.push(receiver);
  return receiver;
}

/** Takes what is in each of the subscriptions of `publishing`. */
async function drain(): Promise<Record<string, unknown[]>> {
  const drained = PUBLISHING.map(async (name) => {
    const receiver = receiverOf('publishing', name, { receiveMode: 'receiveAndDelete' });
    return [name, (await receiveWhatIsThere(receiver, 100)).map(({ body }) => body)] as const;
  });
  return Object.fromEntries(await Promise.all(drained));
}

describe('sending to a topic', () => {
  it('delivers a copy to each subscription whose rules match, and one only where several do', async () => {
    const messages: (ServiceBusMessage & { gets: readonly (typeof PUBLISHING)[number][] })[] = [
      { body: 'plain', gets: [] },
      { body: 'red', applicationProperties: { color: 'red' }, gets: ['red'] },
      { body: 'name in another case', applicationProperties: { Color: 'red' }, gets: ['red'] },
      { body: 'value in another case', applicationProperties: { color: 'Red' }, gets: [] },
      { body: 'another type', applicationProperties: { color: 7, size: '11' }, gets: [] },
      { body: 'large', applicationProperties: { size: 10.5 }, gets: ['large-or-labelled'] },
      { body: 'labelled', subject: 'large', contentType: 'text/plain', gets: ['large-or-labelled'] },
      { body: 'other content type', subject: 'large', contentType: 'text/html', gets: [] },
      {
        body: 'large and labelled',
        subject: 'large',
        contentType: 'text/plain',
        applicationProperties: { size: 11 },
        gets: ['large-or-labelled'],
      },
      {
        body: 'correlated',
        correlationId: 'correlation',
        to: 'to',
        replyTo: 'reply-to',
        applicationProperties: { color: 'red', other: true },
        gets: ['red', 'correlated'],
      },
      {
        body: 'correlated but for one property',
        correlationId: 'correlation',
        to: 'to',
        replyTo: 'reply-to',
        applicationProperties: { color: 'blue' },
        gets: [],
      },
      { body: 'order', subject: 'orders.created', gets: ['complicated'] },
      {
        body: 'unwanted order',
        subject: 'orders.created',
        applicationProperties: { 'not wanted': 1 },
        gets: [],
      },
      { body: 'in', applicationProperties: { size: 3, color: 'blue' }, gets: ['complicated'] },
      { body: 'calculated away', applicationProperties: { size: 2, color: 'blue' }, gets: [] },
      { body: 'null', applicationProperties: { size: 3, color: null as never }, gets: [] },
    ];
    const sender = namespace.client.createSender('publishing');
    for (const { gets: _, ...message } of messages) await sender.sendMessages(message);
    const expected = (name: (typeof PUBLISHING)[number]) =>
      messages.filter(({ gets }) => name === 'everything' || gets.includes(name)).map(({ body }) => body);
    expect(await drain()).toEqual(Object.fromEntries(PUBLISHING.map((name) => [name, expected(name)])));
  });

  it('takes a message, an array and a batch, and keeps their order', async () => {
    const sender = namespace.client.createSender('publishing');
    const batch = await sender.createMessageBatch();
    const red = { color: 'red' };
    await sender.sendMessages({ body: 1, applicationProperties: red });
    await sender.sendMessages([{ body: 2 }, { body: 3, applicationProperties: red }]);
    for (const body of [4, 5]) {
      expect(batch.tryAddMessage({ body, applicationProperties: body === 5 ? red : {} })).toBe(true);
    }
    await sender.sendMessages(batch);
    expect(await drain()).toMatchObject({ everything: [1, 2, 3, 4, 5], red: [1, 3, 5], correlated: [] });
  });

  it('delivers every property and every type of body as they were sent', async () => {
    const message = {
      body: { text: 'zażółć', list: [1, 2.5, null] },
      messageId: randomUUID(),
      correlationId: 'correlation',
      contentType: 'application/json',
      subject: 'subject',
      replyTo: 'reply-to',
      applicationProperties: { color: 'red', whole: 7, fraction: 1.5, yes: true },
    };
    await namespace.client.createSender('publishing').sendMessages(message);
    const copies = await Promise.all(
      ['everything', 'red'].map((name) =>
        receiveOne(receiverOf('publishing', name, { receiveMode: 'receiveAndDelete' })),
      ),
    );
    for (const copy of copies) expect(copy).toMatchObject({ ...message, deliveryCount: 0, state: 'active' });
  });

  it('refuses a message that is too large for every subscription', async () => {
    const sender = namespace.client.createSender('publishing');
    await expect(sender.sendMessages({ body: Buffer.alloc(256 * 1024) })).rejects.toMatchObject({
      code: 'MessageSizeExceeded',
    });
    expect((await drain()).everything).toEqual([]);
  });

  it('holds a scheduled message until it is due, and never delivers it once it is cancelled', async () => {
    const sender = namespace.client.createSender('publishing');
    const due = new Date(Date.now() + 800);
    const red = { color: 'red' };
    await sender.sendMessages({ body: 'sent', scheduledEnqueueTimeUtc: due, applicationProperties: red });
    await sender.sendMessages([{ body: 'in array', scheduledEnqueueTimeUtc: due }, { body: 'now' }]);
    const numbers = await sender.scheduleMessages(
      [{ body: 'kept', applicationProperties: red }, { body: 'cancelled' }],
      due,
    );
    await sender.cancelScheduledMessages(numbers.slice(1));
    await expect(sender.cancelScheduledMessages(numbers.slice(1))).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    const receiver = receiverOf('publishing', 'red', { receiveMode: 'receiveAndDelete' });
    expect(await receiver.peekMessages(10)).toEqual([]);
    const received = [await receiveOne(receiver), await receiveOne(receiver)];
    expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
    expect(received.map(({ body }) => body).sort()).toEqual(['kept', 'sent']);
    expect(received[0]?.scheduledEnqueueTimeUtc).toEqual(due);
    const { everything = [] } = await drain();
    expect(everything[0]).toBe('now');
    expect([...everything].sort()).toEqual(['in array', 'kept', 'now', 'sent']);
  });

  it('accepts a known id inside the window and delivers it to nobody, scheduled messages included', async () => {
    const sender = namespace.client.createSender('publishing-without-duplicates');
    const messageId = randomUUID();
    await sender.sendMessages({ body: 'first', messageId });
    await sender.sendMessages([{ body: 'second', messageId }, { body: 'other' }]);
    await sender.scheduleMessages({ body: 'third', messageId }, new Date(Date.now() + 50));
    for (const name of ['first', 'second']) {
      const receiver = receiverOf('publishing-without-duplicates', name, { receiveMode: 'receiveAndDelete' });
      const received = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 });
      expect(received.map(({ body }) => body)).toEqual(['first', 'other']);
      expect(await receiveWhatIsThere(receiver)).toEqual([]);
    }
  });
});

describe('receiving from a subscription', () => {
  const receivers = () =>
    SETTLING.map((name) => receiverOf('settling-copies', name, { maxAutoLockRenewalDurationInMs: 0 }));

  async function receiveBoth(
    body: unknown,
  ): Promise<readonly (readonly [ServiceBusReceiver, ServiceBusReceivedMessage])[]> {
    await namespace.client.createSender('settling-copies').sendMessages({ body });
    return Promise.all(receivers().map(async (receiver) => [receiver, await receiveOne(receiver)] as const));
  }

  it('gives each copy its own lock, count and fate', async () => {
    const [first, second] = await receiveBoth('own');
    if (first === undefined || second === undefined) throw new Error('Too few copies.');
    expect(first[1].lockToken).not.toBe(second[1].lockToken);
    expect(first[1].messageId).toBe(second[1].messageId);
    await first[0].completeMessage(first[1]);
    await second[0].abandonMessage(second[1], { tried: true });
    expect(await receiveWhatIsThere(first[0])).toEqual([]);
    const again = await receiveOne(second[0]);
    expect(again).toMatchObject({ deliveryCount: 1, applicationProperties: { tried: true } });
    await second[0].completeMessage(again);
  });

  it('keeps a message as long as the least of what it, the topic and the subscription say', async () => {
    const sender = namespace.client.createSender('settling-copies');
    await sender.sendMessages([
      { body: 'long', timeToLive: 7_200_000 },
      { body: 'shorter', timeToLive: 2_000_000 },
    ]);
    const lives = receivers().map(async (receiver) => {
      const messages = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 });
      for (const message of messages) await receiver.completeMessage(message);
      return messages.map(({ timeToLive }) => timeToLive);
    });
    expect(await Promise.all(lives)).toEqual([
      [1_800_000, 1_800_000],
      [3_600_000, 2_000_000],
    ]);
  });

  it('moves a copy to the dead letters of its subscription: asked to, after too many deliveries, and expired', async () => {
    const [first, second] = await receiveBoth('dead');
    if (first === undefined || second === undefined) throw new Error('Too few copies.');
    await first[0].deadLetterMessage(first[1], {
      deadLetterReason: 'asked to',
      deadLetterErrorDescription: '',
    });
    await second[0].completeMessage(second[1]);
    const sender = namespace.client.createSender('settling-copies');
    await sender.sendMessages({ body: 'too many' });
    for (let delivery = 0; delivery < 2; delivery += 1) {
      await first[0].abandonMessage(await receiveOne(first[0]));
    }
    await sender.sendMessages({ body: 'expired', timeToLive: 100 });
    const deadLetters = receiverOf('settling-copies', 'two-deliveries', {
      subQueueType: 'deadLetter',
      receiveMode: 'receiveAndDelete',
    });
    const dead: ServiceBusReceivedMessage[] = [];
    while (dead.length < 3) dead.push(await receiveOne(deadLetters));
    expect(dead.map(({ body, deadLetterReason }) => [body, deadLetterReason])).toEqual([
      ['dead', 'asked to'],
      ['too many', 'MaxDeliveryCountExceeded'],
      ['expired', 'TTLExpiredException'],
    ]);
    const others = receiverOf('settling-copies', 'ten-deliveries', { receiveMode: 'receiveAndDelete' });
    expect((await receiveWhatIsThere(others)).map(({ body }) => body)).toEqual(['too many']);
    const otherDeadLetters = receiverOf('settling-copies', 'ten-deliveries', { subQueueType: 'deadLetter' });
    expect(await receiveWhatIsThere(otherDeadLetters)).toEqual([]);
  });

  it('delivers a copy again when its lock expires', async () => {
    const [first, second] = await receiveBoth('lock');
    if (first === undefined || second === undefined) throw new Error('Too few copies.');
    await second[0].completeMessage(second[1]);
    const again = await receiveOne(first[0]);
    expect(again).toMatchObject({ body: 'lock', deliveryCount: 1, messageId: first[1].messageId });
    await expect(first[0].completeMessage(first[1])).rejects.toMatchObject({ code: 'MessageLockLost' });
    await first[0].completeMessage(again);
  });

  it('peeks at copies in order and from a number on', async () => {
    const sender = namespace.client.createSender('settling-copies');
    await sender.sendMessages(['a', 'b', 'c'].map((body) => ({ body })));
    const receiver = receiverOf('settling-copies', 'ten-deliveries');
    const peeked = await receiver.peekMessages(10);
    expect(peeked.map(({ body }) => body)).toEqual(['a', 'b', 'c']);
    const fromSequenceNumber = peeked[1]?.sequenceNumber ?? expect.fail('Too few messages.');
    const [again] = await receiver.peekMessages(1, { fromSequenceNumber });
    expect(again?.body).toBe('b');
    for (const name of SETTLING) {
      const emptied = receiverOf('settling-copies', name, { receiveMode: 'receiveAndDelete' });
      expect(await emptied.receiveMessages(3, { maxWaitTimeInMs: 5_000 })).toHaveLength(3);
    }
  });

  it('streams to a subscriber, whatever the case of the names', async () => {
    const bodies: unknown[] = [];
    const receiver = receiverOf('PUBLISHING', 'Everything');
    receiver.subscribe({
      processMessage: async ({ body }) => {
        bodies.push(body);
      },
      processError: async () => {},
    });
    const sender = namespace.client.createSender('Publishing');
    const sent = Array.from({ length: 200 }, (_, index) => index);
    await sender.sendMessages(sent.map((body) => ({ body })));
    await vi.waitFor(() => expect(bodies).toHaveLength(sent.length), { timeout: 45_000 });
    expect(bodies).toEqual(sent);
    await receiver.close();
    expect((await drain()).everything).toEqual([]);
  });

  it('gives a session to one receiver at a time, and dead-letters what has no session', async () => {
    const { client } = namespace;
    const sender = client.createSender('publishing-sessions');
    const sessionId = randomUUID();
    await sender.sendMessages([{ body: 1, sessionId }, { body: 'without' }, { body: 2, sessionId }]);
    const receiver = await client.acceptSession('publishing-sessions', 'sessions', sessionId);
    await expect(client.acceptSession('publishing-sessions', 'sessions', sessionId)).rejects.toMatchObject({
      code: 'SessionCannotBeLocked',
    });
    const received = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 });
    expect(received.map(({ body }) => body)).toEqual([1, 2]);
    for (const message of received) await receiver.completeMessage(message);
    await receiver.setSessionState({ seen: 2 });
    expect(await receiver.getSessionState()).toEqual({ seen: 2 });
    await receiver.setSessionState(null);
    await receiver.close();
    const deadLetters = receiverOf('publishing-sessions', 'sessions', {
      subQueueType: 'deadLetter',
      receiveMode: 'receiveAndDelete',
    });
    expect(await receiveOne(deadLetters)).toMatchObject({
      body: 'without',
      deadLetterReason: 'Session ID is null.',
    });
    const others = receiverOf('publishing-sessions', 'no-sessions', { receiveMode: 'receiveAndDelete' });
    expect((await receiveWhatIsThere(others)).map(({ body }) => body)).toEqual([1, 'without', 2]);
  });
});

describe('what is refused of topics', () => {
  it.each([
    ['a subscription that is not there', 'publishing', 'no-such-subscription'],
    ['a subscription of a topic that is not there', 'no-such-topic', 'everything'],
    ['a subscription of a queue', 'sending', 'everything'],
  ])('receiving from %s', async (_, topic, subscription) => {
    const receiver = receiverOf(topic, subscription);
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject({ code: 'MessagingEntityNotFound' });
  });

  it('sending to a topic that is not there', async () => {
    const sender = namespace.client.createSender('no-such-topic');
    await expect(sender.sendMessages({ body: '' })).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    });
  });

  it('receiving from a topic instead of a subscription', async () => {
    const receiver = namespace.client.createReceiver('publishing');
    openReceivers.push(receiver);
    await expect(receiver.receiveMessages(1)).rejects.toThrow('InvalidOperationError');
    await expect(receiver.peekMessages(1)).rejects.toThrow();
  });

  it('sending to a subscription instead of a topic', async () => {
    const sender = namespace.client.createSender('publishing/Subscriptions/everything');
    await expect(sender.sendMessages({ body: '' })).rejects.toThrow('InvalidOperationError');
    await expect(sender.scheduleMessages({ body: '' }, new Date(Date.now() + 60_000))).rejects.toThrow();
  });

  it('a session of a subscription without sessions', async () => {
    const accepting = namespace.client.acceptNextSession('publishing', 'everything');
    await expect(accepting).rejects.toThrow('InvalidOperationError');
  });

  it('a subscription with sessions without a session', async () => {
    const receiver = receiverOf('publishing-sessions', 'sessions');
    await expect(receiver.receiveMessages(1)).rejects.toThrow('InvalidOperationError');
  });
});
