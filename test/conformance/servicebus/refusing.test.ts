import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import rhea, { type EventContext, type Session, type Typed } from 'rhea';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf, openConnection, putToken } from './amqp-client.ts';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

const QUEUE = 'refusing';
const BATCH_FORMAT = 0x80013700;

/** What rhea's typings leave out of its frames and delivery states. */
interface RheaFrames {
  disposition(fields: object): object;
}
interface RheaStates {
  accepted(): { described(): Typed };
}
const frames = createRequire(import.meta.url)('rhea/lib/frames.js') as RheaFrames;

const isEmulator = process.env.SERVICEBUS_CONNECTION_STRING === undefined;

describe('what is refused', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace([QUEUE]);
  });
  afterAll(() => namespace.close());

  it('a session receiver on a queue without sessions', async () => {
    const message = 'InvalidOperationError: A sessionful message receiver cannot be created';
    await expect(namespace.client.acceptNextSession(QUEUE)).rejects.toThrow(message);
    // Unless it hears the reason in time, this SDK takes whatever a named session is refused with for one that somebody holds.
    await expect(namespace.client.acceptSession(QUEUE, 'session')).rejects.toThrow(
      /A sessionful message receiver cannot be created|Failed to create a receiver for the requested session/,
    );
  });

  it.runIf(isEmulator)('the administration API, at once', async () => {
    const { port } = endpointOf(namespace.connectionString);
    const started = performance.now();
    const administration = new ServiceBusAdministrationClient(namespace.connectionString);
    await expect(administration.getQueue(QUEUE)).rejects.toThrow('alert access denied');
    await expect(administration.createQueue('new')).rejects.toThrow('alert access denied');
    const response = await fetch(`http://127.0.0.1:${port}/${QUEUE}?api-version=2021-05`);
    expect(response.status).toBe(501);
    expect(await response.text()).toContain('does not support the administration API');
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it.runIf(isEmulator)('AMQP over WebSockets, at once', async () => {
    const client = new ServiceBusClient(namespace.connectionString, {
      webSocketOptions: { webSocket: WebSocket },
      retryOptions: { maxRetries: 0, timeoutInMs: 5_000 },
    });
    const started = performance.now();
    await expect(client.createSender(QUEUE).sendMessages({ body: '' })).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(2_000);
    await client.close();
  });

  it('a subscription of a topic that does not exist', async () => {
    const receiver = namespace.client.createReceiver('no-topic', 'no-subscription');
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject({ code: 'MessagingEntityNotFound' });
  });

  it('receiving a deferred message where none is deferred', async () => {
    const { client } = namespace;
    await client.createSender(QUEUE).sendMessages({ body: 'not deferred' });
    const receiver = client.createReceiver(QUEUE);
    const message = await receiveOne(receiver);
    const sequenceNumber = message.sequenceNumber ?? expect.fail('No sequence number.');
    await expect(receiver.receiveDeferredMessages(sequenceNumber)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    await receiver.completeMessage(message);
    await receiver.close();
  });

  it.runIf(isEmulator)('deferring a message, which stays locked', async () => {
    const { client } = namespace;
    await client.createSender(QUEUE).sendMessages({ body: 'deferred' });
    const receiver = client.createReceiver(QUEUE);
    const message = await receiveOne(receiver);
    await expect(receiver.deferMessage(message)).rejects.toThrow('NotImplementedError');
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await receiver.close();
  });

  it('sending to a dead-letter queue', async () => {
    const sender = namespace.client.createSender(`${QUEUE}/$DeadLetterQueue`);
    await expect(sender.sendMessages({ body: '' })).rejects.toThrow();
  });

  describe.runIf(isEmulator)('to clients that are not the SDK', () => {
    it('a link without a token', async () => {
      const connection = await openConnection(namespace.connectionString);
      const receiver = connection.open_receiver({ source: QUEUE });
      const refused = await new Promise<EventContext>((resolve) => receiver.once('receiver_error', resolve));
      expect(refused.receiver?.error).toMatchObject({ condition: 'amqp:unauthorized-access' });
      connection.close();
    });

    it('a link without an address, such as that of a transaction coordinator', async () => {
      const connection = await openConnection(namespace.connectionString);
      const sender = connection.open_sender({ target: {} });
      const refused = await new Promise<EventContext>((resolve) => sender.once('sender_error', resolve));
      expect(refused.sender?.error).toMatchObject({ condition: 'amqp:not-implemented' });
      connection.close();
    });

    it('a named session on a queue without sessions', async () => {
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      const filter = { 'com.microsoft:session-filter': 'session' };
      const receiver = connection.open_receiver({ source: { address: QUEUE, filter } });
      const refused = await new Promise<EventContext>((resolve) => receiver.once('receiver_error', resolve));
      expect(refused.receiver?.error).toMatchObject({ condition: 'amqp:not-allowed' });
      connection.close();
    });

    it.each(['add-rule', 'remove-rule', 'enumerate-rules', 'batch-delete-messages', 'get-message-sessions'])(
      'the management operation %s',
      async (operation) => {
        const connection = await openConnection(namespace.connectionString);
        await putToken(connection, namespace.connectionString, QUEUE);
        const replies = connection.open_receiver({ source: `${QUEUE}/$management`, name: 'management' });
        const requests = connection.open_sender({ target: { address: `${QUEUE}/$management` } });
        await new Promise((resolve) => requests.once('sendable', resolve));
        const reply = new Promise<EventContext>((resolve) => replies.once('message', resolve));
        requests.send({
          message_id: operation,
          reply_to: 'management',
          application_properties: { operation: `com.microsoft:${operation}` },
          body: {},
        });
        expect((await reply).message).toMatchObject({
          correlation_id: operation,
          application_properties: { statusCode: 501, errorCondition: 'amqp:not-implemented' },
        });
        connection.close();
      },
    );

    it('nothing of a drain: it is answered even when there is no credit left', async () => {
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      const receiver = connection.open_receiver({ source: QUEUE, credit_window: 0 });
      await new Promise((resolve) => receiver.once('receiver_open', resolve));
      for (const credit of [0, 5, 0]) {
        const drained = new Promise((resolve) => receiver.once('receiver_drained', resolve));
        receiver.add_credit(credit);
        receiver.drain_credit();
        await drained;
        receiver.drain = false;
      }
      connection.close();
    });

    it.each(['$cbs', `${QUEUE}/$management`])('a request to %s that is no message', async (address) => {
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      const requests = connection.open_sender({ target: { address } });
      await new Promise((resolve) => requests.once('sendable', resolve));
      const refused = new Promise<EventContext>((resolve) => requests.once('sender_error', resolve));
      requests.send(Buffer.from([0, 0x53, 0x73, 0xd0, 0xff]), 'tag', 0);
      expect((await refused).sender?.error).toMatchObject({ condition: 'amqp:decode-error' });
      connection.close();
    });

    it('a batch that holds something other than encoded messages', async () => {
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      const sender = connection.open_sender(QUEUE);
      await new Promise((resolve) => sender.once('sendable', resolve));
      const rejected = new Promise<EventContext>((resolve) => sender.once('rejected', resolve));
      sender.send(rhea.message.encode({ body: 'no data section' }), 'tag', BATCH_FORMAT);
      expect((await rejected).delivery?.remote_state).toMatchObject({
        error: { condition: 'amqp:decode-error' },
      });
      connection.close();
    });

    it('nothing of credit that comes with the attach: what is there comes behind its answer', async () => {
      await namespace.client.createSender(QUEUE).sendMessages([{ body: 1 }, { body: 2 }]);
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      for (const _ of [1, 2]) {
        const receiver = connection.open_receiver({ source: QUEUE, credit_window: 0, snd_settle_mode: 1 });
        receiver.add_credit(1);
        await new Promise((resolve) => receiver.once('message', resolve));
      }
      connection.close();
    });

    it('nothing of a settlement of more deliveries than there were, and goes on', async () => {
      const connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, QUEUE);
      await namespace.client.createSender(QUEUE).sendMessages({ body: 'settled' });
      const receiver = connection.open_receiver({ source: QUEUE, credit_window: 0, autoaccept: false });
      receiver.add_credit(1);
      await new Promise((resolve) => receiver.once('message', resolve));
      const session = receiver.session as Session & { output(frame: object): void };
      const state = (rhea.message as unknown as RheaStates).accepted().described();
      const range = { role: true, first: 0, last: 0xffff_fff0, settled: true, state };
      session.output(frames.disposition(range));
      await namespace.client.createSender(QUEUE).sendMessages({ body: 'next' });
      const next = namespace.client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
      expect((await receiveOne(next)).body).toBe('next');
      expect((await next.peekMessages(10)).map(({ body }) => body)).not.toContain('settled');
      await next.close();
      connection.close();
    });

    it('bytes that are not AMQP, without harm to others', async () => {
      const { port } = endpointOf(namespace.connectionString);
      const socket = connect(port, '127.0.0.1');
      socket.write('GET / HTTP/1.1\r\n\r\n');
      await new Promise((resolve) => socket.once('close', resolve).resume());
      await namespace.client.createSender(QUEUE).sendMessages({ body: 'still there' });
      const receiver = namespace.client.createReceiver(QUEUE, { receiveMode: 'receiveAndDelete' });
      expect((await receiveOne(receiver)).body).toBe('still there');
      await receiver.close();
    });
  });
});
