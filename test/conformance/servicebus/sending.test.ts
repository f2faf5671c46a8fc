import { createHmac, randomUUID } from 'node:crypto';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Namespace, openNamespace, receiveOne, retryOptions } from './namespace.ts';

const QUEUE = 'sending';
const LIMIT = 256 * 1024;

describe('sending to a queue', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace([QUEUE]);
  });
  afterAll(() => namespace.close());

  it('delivers every property and the types of application properties as they were sent', async () => {
    const { client } = namespace;
    const sent = {
      body: { text: 'zażółć', list: [1, 2.5, null] },
      messageId: randomUUID(),
      correlationId: 'correlation',
      contentType: 'application/json',
      subject: 'subject',
      to: 'to',
      replyTo: 'reply-to',
      sessionId: 'a session id is only a property here',
      timeToLive: 600_000,
      applicationProperties: {
        text: 'x',
        whole: 7,
        fraction: 1.5,
        yes: true,
        when: new Date(1_700_000_000_000),
      },
    };
    await client.createSender(QUEUE).sendMessages(sent);
    const receiver = client.createReceiver(QUEUE, {
      receiveMode: 'receiveAndDelete',
      skipConvertingDate: true,
    });
    const received = await receiveOne(receiver);
    expect(received).toMatchObject(sent);
    expect(received.deliveryCount).toBe(0);
    expect(received.state).toBe('active');
    expect(Math.abs(Date.now() - (received.enqueuedTimeUtc?.getTime() ?? 0))).toBeLessThan(10_000);
    expect(received.expiresAtUtc?.getTime()).toBe(
      (received.enqueuedTimeUtc?.getTime() ?? 0) + sent.timeToLive,
    );
    await receiver.close();
  });

  it.each([
    ['data', Buffer.from([0, 1, 255])],
    ['value', { nested: { map: 'value' } }],
    ['sequence', [[1, 2, 'three']]],
  ] as const)('delivers a body of AMQP type %s as it was sent', async (bodyType, body) => {
    const { client } = namespace;
    await client.createSender(QUEUE).sendMessages({ body, bodyType });
    const receiver = client.createReceiver(QUEUE, {
      receiveMode: 'receiveAndDelete',
      skipParsingBodyAsJson: true,
    });
    const received = await receiveOne(receiver);
    expect(received._rawAmqpMessage.bodyType).toBe(bodyType);
    expect(received.body).toEqual(body);
    await receiver.close();
  });

  it('gives an id to a message that has none, so that it can be completed with lock renewal on', async () => {
    const { client } = namespace;
    await client.createSender(QUEUE).sendMessages({ body: 'no id' });
    const receiver = client.createReceiver(QUEUE);
    const received = await receiveOne(receiver);
    expect(received.messageId).toMatch(/^[0-9a-f]{32}$/);
    await receiver.completeMessage(received);
    await receiver.close();
  });

  it('numbers messages upwards and delivers a batch in its order', async () => {
    const { client } = namespace;
    const sender = client.createSender(QUEUE);
    const batch = await sender.createMessageBatch();
    for (let index = 0; index < 50; index += 1) expect(batch.tryAddMessage({ body: index })).toBe(true);
    await sender.sendMessages(batch);
    const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
    const received = await receiver.receiveMessages(50, { maxWaitTimeInMs: 5_000 });
    expect(received.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, index) => index));
    const numbers = received.map(({ sequenceNumber }) => sequenceNumber?.toNumber() ?? 0);
    expect(numbers).toEqual([...numbers].sort((left, right) => left - right));
    await receiver.close();
  });

  it('announces its size limit, takes a message below it and refuses one above it', async () => {
    const { client } = namespace;
    const sender = client.createSender(QUEUE);
    const batch = await sender.createMessageBatch();
    expect(batch.maxSizeInBytes).toBe(LIMIT);
    await sender.sendMessages({ body: Buffer.alloc(LIMIT - 2_000) });
    await expect(sender.sendMessages({ body: Buffer.alloc(LIMIT) })).rejects.toMatchObject({
      code: 'MessageSizeExceeded',
    });
    await sender.sendMessages({ body: 'the link still works' });
    const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
    expect((await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 })).length).toBe(2);
    await receiver.close();
  });

  it('takes a batch that is as full as the SDK can make it', async () => {
    const { client } = namespace;
    const sender = client.createSender(QUEUE);
    const batch = await sender.createMessageBatch();
    const message = { body: Buffer.alloc(900), applicationProperties: { name: 'value' } };
    while (batch.tryAddMessage(message));
    const smallest = { body: '' };
    while (batch.tryAddMessage(smallest));
    expect(batch.sizeInBytes).toBeGreaterThan(LIMIT - 200);
    await sender.sendMessages(batch);
    const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
    const received: unknown[] = [];
    while (received.length < batch.count)
      received.push(...(await receiver.receiveMessages(batch.count, { maxWaitTimeInMs: 5_000 })));
    expect(received).toHaveLength(batch.count);
    await receiver.close();
  });

  it('refuses a batch above its limit, and more messages at once than fit into one', async () => {
    const sender = namespace.client.createSender(QUEUE);
    await expect(sender.createMessageBatch({ maxSizeInBytes: LIMIT + 1 })).rejects.toThrow('maximum');
    const messages = Array.from({ length: 3 }, () => ({ body: Buffer.alloc(LIMIT / 2) }));
    await expect(sender.sendMessages(messages)).rejects.toThrow();
  });

  it('refuses an application property above 32 KB, and properties above 64 KB together', async () => {
    const { client } = namespace;
    const single = new ServiceBusClient(namespace.connectionString, {
      retryOptions: { ...retryOptions, maxRetries: 0 },
    });
    const sender = single.createSender(QUEUE);
    const send = (...lengths: readonly number[]) =>
      sender.sendMessages({
        body: '',
        applicationProperties: Object.fromEntries(
          lengths.map((length, index) => [`p${index}`, 'x'.repeat(length)]),
        ),
      });
    await expect(send(33_000)).rejects.toThrow('unable to process the request');
    await expect(send(30_000, 30_000, 30_000)).rejects.toThrow('unable to process the request');
    await send(30_000, 30_000);
    const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
    const { applicationProperties } = await receiveOne(receiver);
    expect(applicationProperties?.p1).toHaveLength(30_000);
    await Promise.all([receiver.close(), single.close()]);
  });

  it('refuses ids of messages and sessions above 128 characters', async () => {
    const sender = namespace.client.createSender(QUEUE);
    await expect(sender.sendMessages({ body: '', messageId: 'x'.repeat(129) })).rejects.toThrow('128');
    await expect(sender.sendMessages({ body: '', sessionId: 'x'.repeat(129) })).rejects.toThrow('128');
  });

  it('refuses an unknown queue', async () => {
    const sender = namespace.client.createSender('no-such-queue');
    await expect(sender.sendMessages({ body: '' })).rejects.toMatchObject({
      code: 'MessagingEntityNotFound',
    });
  });

  it.each([
    ['key', /SharedAccessKey=[^;]*/, 'SharedAccessKey=wrong'],
    ['key name', /SharedAccessKeyName=[^;]*/, 'SharedAccessKeyName=wrong'],
  ])('refuses a token signed with a wrong %s', async (_, part, replacement) => {
    const connectionString = namespace.connectionString.replace(part, replacement);
    const client = new ServiceBusClient(connectionString, {
      retryOptions: { ...retryOptions, maxRetries: 0 },
    });
    await expect(client.createSender(QUEUE).sendMessages({ body: '' })).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
    });
    await client.close();
  });

  it.skipIf(process.env.SERVICEBUS_CONNECTION_STRING).each([
    ['that is valid', 3_600, QUEUE, 'accepts'],
    ['that has expired', -1, QUEUE, 'refuses'],
    ['for another queue', 3_600, 'receiving', 'refuses'],
  ])('takes a token %s (%i s, for %s) and %s it', async (_, lifetime, path, outcome) => {
    const [, host = ''] = /Endpoint=sb:\/\/([^;]+);/.exec(namespace.connectionString) ?? [];
    const [, name = ''] = /SharedAccessKeyName=([^;]+);/.exec(namespace.connectionString) ?? [];
    const [, key = ''] = /SharedAccessKey=([^;]+);/.exec(namespace.connectionString) ?? [];
    const resource = encodeURIComponent(`sb://${host}/${path}`);
    const expiry = Math.floor(Date.now() / 1_000) + lifetime;
    const hmac = createHmac('sha256', key).update(`${resource}\n${expiry}`).digest('base64');
    const signature = `sr=${resource}&sig=${encodeURIComponent(hmac)}&se=${expiry}&skn=${name}`;
    const client = new ServiceBusClient(
      `Endpoint=sb://${host};SharedAccessSignature=SharedAccessSignature ${signature};UseDevelopmentEmulator=true;`,
      { retryOptions: { ...retryOptions, maxRetries: 0 } },
    );
    const sent = client.createSender(QUEUE).sendMessages({ body: 'by token' });
    if (outcome === 'refuses') await expect(sent).rejects.toMatchObject({ code: 'UnauthorizedAccess' });
    else {
      await sent;
      const receiver = client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
      expect((await receiveOne(receiver)).body).toBe('by token');
    }
    await client.close();
  });

  it.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('is reached as localhost too', async () => {
    const client = new ServiceBusClient(namespace.connectionString.replace('127.0.0.1', 'localhost'));
    await client.createSender(QUEUE).sendMessages({ body: 'localhost' });
    const receiver = client.createReceiver(QUEUE.toUpperCase(), { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe('localhost');
    await client.close();
  });
});
