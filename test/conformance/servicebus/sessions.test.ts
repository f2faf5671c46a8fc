import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ServiceBusClient,
  type ServiceBusSessionReceiver,
  type ServiceBusSessionReceiverOptions,
} from '@azure/service-bus';
import type { Connection, EventContext } from 'rhea';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openConnection, putToken } from './amqp-client.ts';
import { type Namespace, openNamespace, receive, receiveOne, receiveWhatIsThere } from './namespace.ts';

const QUEUE = 'sessions';
/** Queues of their own for cases that take just any session. */
const NEXT = 'sessions-next';
const SHORT_LOCK = 'sessions-short-lock';
const WITHOUT_DUPLICATES = 'sessions-without-duplicates';
const LIMIT = 256 * 1024;

describe('sessions', () => {
  let namespace: Namespace;
  const receivers: ServiceBusSessionReceiver[] = [];
  beforeAll(async () => {
    namespace = await openNamespace([QUEUE, NEXT, SHORT_LOCK, WITHOUT_DUPLICATES]);
  });
  afterEach(async () => {
    await Promise.all(receivers.splice(0).map((receiver) => receiver.close()));
  });
  afterAll(() => namespace.close());

  async function send(queue: string, sessionId: string, ...bodies: readonly unknown[]): Promise<void> {
    const sender = namespace.client.createSender(queue);
    await sender.sendMessages(bodies.map((body) => ({ body, sessionId })));
    await sender.close();
  }

  async function accept(
    queue: string,
    sessionId: string,
    options?: ServiceBusSessionReceiverOptions,
  ): Promise<ServiceBusSessionReceiver> {
    const receiver = await namespace.client.acceptSession(queue, sessionId, options);
    receivers.push(receiver);
    return receiver;
  }

  async function acceptNext(queue: string): Promise<ServiceBusSessionReceiver> {
    const receiver = await namespace.client.acceptNextSession(queue);
    receivers.push(receiver);
    return receiver;
  }

  /** A client that waits for two seconds instead of ten. */
  function impatientClient(): ServiceBusClient {
    const retryOptions = { maxRetries: 0, timeoutInMs: 2_000 };
    return new ServiceBusClient(namespace.connectionString, { retryOptions });
  }

  async function completeAll(receiver: ServiceBusSessionReceiver, count: number): Promise<unknown[]> {
    const messages = await receive(receiver, count);
    for (const message of messages) await receiver.completeMessage(message);
    return messages.map(({ body }) => body);
  }

  const bodiesIn = async (receiver: ServiceBusSessionReceiver) =>
    (await receiver.peekMessages(10)).map(({ body }) => body);

  describe('accepting', () => {
    it("gives a session's messages, in order, to nobody but its receiver", async () => {
      const [first, second] = [randomUUID(), randomUUID()];
      for (const body of [1, 2, 3]) {
        await send(QUEUE, first, `first ${body}`);
        await send(QUEUE, second, `second ${body}`);
      }
      const [one, two] = await Promise.all([accept(QUEUE, first), accept(QUEUE, second)]);
      expect([one.sessionId, two.sessionId]).toEqual([first, second]);
      const [firsts, seconds] = await Promise.all([receive(one, 3), receive(two, 3)]);
      expect(firsts.map(({ body }) => body)).toEqual(['first 1', 'first 2', 'first 3']);
      expect(seconds.map(({ body }) => body)).toEqual(['second 1', 'second 2', 'second 3']);
      expect(firsts.map(({ sessionId }) => sessionId)).toEqual([first, first, first]);
      await Promise.all(firsts.map((message) => one.completeMessage(message)));
      await Promise.all(seconds.map((message) => two.completeMessage(message)));
    });

    it('refuses a session that somebody holds, until it is closed', async () => {
      const sessionId = randomUUID();
      const holder = await accept(QUEUE, sessionId);
      await expect(accept(QUEUE, sessionId)).rejects.toMatchObject({ code: 'SessionCannotBeLocked' });
      await holder.close();
      expect((await accept(QUEUE, sessionId)).sessionId).toBe(sessionId);
    });

    it('takes a session that has no messages yet, and receives what comes', async () => {
      const sessionId = randomUUID();
      const receiver = await accept(QUEUE, sessionId);
      expect(await receiveWhatIsThere(receiver)).toEqual([]);
      await send(QUEUE, sessionId, 'came');
      expect(await completeAll(receiver, 1)).toEqual(['came']);
    });

    it('takes the next session that has messages and is free', async () => {
      const sessions = [randomUUID(), randomUUID()];
      for (const sessionId of sessions) await send(NEXT, sessionId, sessionId);
      const accepted = [await acceptNext(NEXT), await acceptNext(NEXT)];
      expect(accepted.map(({ sessionId }) => sessionId).sort()).toEqual([...sessions].sort());
      const client = impatientClient();
      await expect(client.acceptNextSession(NEXT)).rejects.toMatchObject({ code: 'ServiceTimeout' });
      await client.close();
      for (const receiver of accepted) expect(await completeAll(receiver, 1)).toEqual([receiver.sessionId]);
    });

    it('waits for the next session until a message comes', async () => {
      const waiting = acceptNext(NEXT);
      await delay(100);
      await send(NEXT, 'came later', 'x');
      const receiver = await waiting;
      expect(receiver.sessionId).toBe('came later');
      expect(await completeAll(receiver, 1)).toEqual(['x']);
    });

    it('waits for the next session until its receiver closes', async () => {
      await send(NEXT, 'left', 'x');
      const holder = await acceptNext(NEXT);
      const waiting = acceptNext(NEXT);
      await delay(100);
      await holder.close();
      const receiver = await waiting;
      expect(receiver.sessionId).toBe('left');
      expect(await completeAll(receiver, 1)).toEqual(['x']);
    });

    it('gives each of those who wait a session of their own', async () => {
      const waiting = [acceptNext(NEXT), acceptNext(NEXT), acceptNext(NEXT)];
      const sessions = ['a', 'b', 'c'];
      await namespace.client
        .createSender(NEXT)
        .sendMessages(sessions.flatMap((sessionId) => [1, 2].map((body) => ({ body, sessionId }))));
      const accepted = await Promise.all(waiting);
      expect(accepted.map(({ sessionId }) => sessionId).sort()).toEqual(sessions);
      for (const receiver of accepted) expect(await completeAll(receiver, 2)).toEqual([1, 2]);
    });

    it('gives no session to a client that has gone while it waited', async () => {
      const gone = impatientClient();
      // The SDK settles this promise only after a minute.
      void gone.acceptNextSession(NEXT).catch(() => {});
      await delay(100);
      await gone.close();
      await send(NEXT, 'for the other', 'x');
      const receiver = await acceptNext(NEXT);
      expect(receiver.sessionId).toBe('for the other');
      expect(await completeAll(receiver, 1)).toEqual(['x']);
    });

    it('goes on with other sessions before it comes back to one that was left with messages', async () => {
      await send(NEXT, 'first', 1);
      await send(NEXT, 'second', 2);
      const first = await acceptNext(NEXT);
      expect(first.sessionId).toBe('first');
      await first.close();
      const second = await acceptNext(NEXT);
      expect(second.sessionId).toBe('second');
      const again = await acceptNext(NEXT);
      expect(again.sessionId).toBe('first');
      await Promise.all([completeAll(second, 1), completeAll(again, 1)]);
    });
  });

  describe('the lock', () => {
    it('holds for as long as the queue says, and is renewed', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 'x');
      const receiver = await accept(QUEUE, sessionId);
      const lockedUntil = receiver.sessionLockedUntilUtc;
      expect(Math.abs(lockedUntil.getTime() - Date.now() - 60_000)).toBeLessThan(10_000);
      await delay(20);
      const renewed = await receiver.renewSessionLock();
      expect(renewed.getTime()).toBeGreaterThan(lockedUntil.getTime());
      expect(receiver.sessionLockedUntilUtc).toEqual(renewed);
      const message = await receiveOne(receiver);
      expect(message.lockedUntilUtc?.getTime()).toBeGreaterThanOrEqual(renewed.getTime() - 1_000);
      await receiver.completeMessage(message);
    });

    it('is lost when it is not renewed; its messages are counted and go to the next receiver in order', async () => {
      const sessionId = randomUUID();
      await send(SHORT_LOCK, sessionId, 1, 2, 3);
      const late = await accept(SHORT_LOCK, sessionId, { maxAutoLockRenewalDurationInMs: 0 });
      const [first] = await receive(late, 2);
      if (first === undefined) throw new Error('No message.');
      const next = await acceptNext(SHORT_LOCK);
      expect(next.sessionId).toBe(sessionId);
      const started = Date.now();
      const lost = { code: 'SessionLockLost' };
      await expect(late.completeMessage(first)).rejects.toMatchObject(lost);
      await expect(late.renewSessionLock()).rejects.toMatchObject(lost);
      await expect(late.getSessionState()).rejects.toMatchObject(lost);
      await expect(late.setSessionState('late')).rejects.toMatchObject(lost);
      await expect(late.receiveMessages(1)).rejects.toMatchObject(lost);
      expect(Date.now() - started).toBeLessThan(4_000);
      expect(late.isClosed).toBe(true);
      const messages = await receive(next, 3);
      expect(messages.map(({ body }) => body)).toEqual([1, 2, 3]);
      expect(messages.map(({ deliveryCount }) => deliveryCount)).toEqual([1, 1, 0]);
      for (const message of messages) await next.completeMessage(message);
      expect(await next.getSessionState()).toBeNull();
    });

    it('is renewed by the receiver itself while it works', async () => {
      const sessionId = randomUUID();
      await send(SHORT_LOCK, sessionId, 'slow');
      const receiver = await accept(SHORT_LOCK, sessionId);
      const message = await receiveOne(receiver);
      const lockedUntil = receiver.sessionLockedUntilUtc.getTime();
      await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(lockedUntil + 500), {
        timeout: 45_000,
        interval: 100,
      });
      await receiver.completeMessage(message);
      expect(await receiver.peekMessages(1)).toEqual([]);
    });

    it('is given up when the receiver closes; what it left is not counted and comes first', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 1, 2, 3);
      const first = await accept(QUEUE, sessionId);
      const [message] = await receive(first, 2);
      if (message === undefined) throw new Error('No message.');
      await first.close();
      await expect(first.completeMessage(message)).rejects.toThrow();
      const second = await accept(QUEUE, sessionId);
      await expect(second.completeMessage(message)).rejects.toMatchObject({ code: 'SessionLockLost' });
      const messages = await receive(second, 3);
      expect(messages.map(({ body }) => body)).toEqual([1, 2, 3]);
      expect(messages.map(({ deliveryCount }) => deliveryCount)).toEqual([0, 0, 0]);
      for (const left of messages) await second.completeMessage(left);
    });

    it('of a message cannot be renewed: it has none of its own', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 'x');
      const receiver = await accept(QUEUE, sessionId);
      const message = await receiveOne(receiver);
      await expect(receiver.renewMessageLock(message)).rejects.toThrow('sessions');
      await receiver.completeMessage(message);
    });
  });

  describe('the state', () => {
    it('is null at first, lasts when the receiver closes and the messages have gone, and can be taken back', async () => {
      const sessionId = randomUUID();
      const first = await accept(QUEUE, sessionId);
      expect(await first.getSessionState()).toBeNull();
      await send(QUEUE, sessionId, 'x');
      await completeAll(first, 1);
      await first.setSessionState({ step: 1, text: 'zażółć' });
      await first.close();
      const second = await accept(QUEUE, sessionId);
      expect(await second.getSessionState()).toEqual({ step: 1, text: 'zażółć' });
      await second.setSessionState(Buffer.from([0, 1, 255]));
      expect(await second.getSessionState()).toEqual(Buffer.from([0, 1, 255]));
      await second.setSessionState(null);
      expect(await second.getSessionState()).toBeNull();
    });

    it('belongs to one session alone', async () => {
      const [one, two] = [await accept(QUEUE, randomUUID()), await accept(QUEUE, randomUUID())];
      await one.setSessionState('one');
      expect(await two.getSessionState()).toBeNull();
      await one.setSessionState(null);
    });

    it('is refused when it is larger than a message may be', async () => {
      const receiver = await accept(QUEUE, randomUUID());
      await expect(receiver.setSessionState(Buffer.alloc(LIMIT + 1))).rejects.toMatchObject({
        code: 'MessageSizeExceeded',
      });
      expect(await receiver.getSessionState()).toBeNull();
    });
  });

  describe('settling', () => {
    it('delivers an abandoned message again before those after it', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 1, 2);
      const receiver = await accept(QUEUE, sessionId);
      await receiver.abandonMessage(await receiveOne(receiver), { tried: true });
      const messages = await receive(receiver, 2);
      expect(messages).toMatchObject([
        { body: 1, deliveryCount: 1, applicationProperties: { tried: true } },
        { body: 2, deliveryCount: 0 },
      ]);
      for (const message of messages) await receiver.completeMessage(message);
    });

    it('dead-letters after the last allowed delivery and goes on; dead letters need no session', async () => {
      const sessionId = randomUUID();
      await send(SHORT_LOCK, sessionId, 'poison', 'rejected', 'good');
      const receiver = await accept(SHORT_LOCK, sessionId);
      await receiver.abandonMessage(await receiveOne(receiver));
      await receiver.abandonMessage(await receiveOne(receiver));
      await receiver.deadLetterMessage(await receiveOne(receiver), {
        deadLetterReason: 'because',
        deadLetterErrorDescription: 'it was rejected',
      });
      expect(await completeAll(receiver, 1)).toEqual(['good']);
      const deadLetters = namespace.client.createReceiver(SHORT_LOCK, { subQueueType: 'deadLetter' });
      const dead = await receive(deadLetters, 2);
      expect(dead).toMatchObject([
        { body: 'poison', deadLetterReason: 'MaxDeliveryCountExceeded', sessionId },
        { body: 'rejected', deadLetterReason: 'because', sessionId },
      ]);
      // The receiver that received them must be open: the SDK settles what has a session id on no other link.
      for (const message of dead) await deadLetters.completeMessage(message);
      await deadLetters.close();
    });

    it('deletes what is received in receive-and-delete mode', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 1, 2);
      const first = await accept(QUEUE, sessionId, { receiveMode: 'receiveAndDelete' });
      expect((await receiveOne(first)).body).toBe(1);
      await first.close();
      const second = await accept(QUEUE, sessionId, { receiveMode: 'receiveAndDelete' });
      expect((await receiveOne(second)).body).toBe(2);
      expect(await receiveWhatIsThere(second)).toEqual([]);
    });

    it('knows the id of a message in another session as a duplicate', async () => {
      const messageId = randomUUID();
      const sender = namespace.client.createSender(WITHOUT_DUPLICATES);
      const [first, second] = [randomUUID(), randomUUID()];
      await sender.sendMessages({ body: 'first', sessionId: first, messageId });
      await sender.sendMessages([
        { body: 'again', sessionId: first, messageId },
        { body: 'elsewhere', sessionId: second, messageId },
      ]);
      const [one, two] = [await accept(WITHOUT_DUPLICATES, first), await accept(WITHOUT_DUPLICATES, second)];
      expect(await completeAll(one, 1)).toEqual(['first']);
      expect(await receiveWhatIsThere(one)).toEqual([]);
      expect(await receiveWhatIsThere(two)).toEqual([]);
    });
  });

  describe('peeking and scheduling', () => {
    it('shows the messages of this session alone, from a number on', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 'a', 'b');
      await send(QUEUE, randomUUID(), 'other');
      await send(QUEUE, sessionId, 'c');
      const receiver = await accept(QUEUE, sessionId);
      const peeked = await receiver.peekMessages(2);
      expect(peeked.map(({ body }) => body)).toEqual(['a', 'b']);
      expect(peeked.map((message) => message.sessionId)).toEqual([sessionId, sessionId]);
      const fromSequenceNumber = peeked[1]?.sequenceNumber ?? expect.fail('No number.');
      const again = await receiver.peekMessages(10, { fromSequenceNumber });
      expect(again.map(({ body }) => body)).toEqual(['b', 'c']);
      expect(await completeAll(receiver, 3)).toEqual(['a', 'b', 'c']);
    });

    it('delivers a scheduled message to the holder of its session when it is due', async () => {
      const sessionId = randomUUID();
      const receiver = await accept(QUEUE, sessionId);
      const due = new Date(Date.now() + 500);
      const sender = namespace.client.createSender(QUEUE);
      const numbers = await sender.scheduleMessages(
        [
          { body: 'cancelled', sessionId },
          { body: 'due', sessionId },
        ],
        due,
      );
      expect((await receiver.peekMessages(10)).map(({ state }) => state)).toEqual(['scheduled', 'scheduled']);
      await sender.cancelScheduledMessages(numbers.slice(0, 1));
      const message = await receiveOne(receiver);
      expect(message).toMatchObject({ body: 'due', sessionId, state: 'active' });
      expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
      await receiver.completeMessage(message);
    });

    it('makes a session available when its scheduled message is due, and not before', async () => {
      const due = new Date(Date.now() + 500);
      await namespace.client.createSender(NEXT).scheduleMessages({ body: 'x', sessionId: 'scheduled' }, due);
      const receiver = await acceptNext(NEXT);
      expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
      expect(receiver.sessionId).toBe('scheduled');
      await completeAll(receiver, 1);
    });
  });

  describe('handlers and iterators', () => {
    it('handle one message after the other, complete them, and handle one again whose handler threw', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 1, 2, 3);
      const receiver = await accept(QUEUE, sessionId);
      const handled: unknown[] = [];
      let underWay = 0;
      let most = 0;
      const errors: string[] = [];
      receiver.subscribe({
        processMessage: async ({ body, deliveryCount }) => {
          underWay += 1;
          most = Math.max(most, underWay);
          await delay(5);
          handled.push(body);
          underWay -= 1;
          if (body === 2 && deliveryCount === 0) throw new Error('not yet');
        },
        processError: async ({ error }) => {
          errors.push(error.message);
        },
      });
      await vi.waitFor(() => expect(handled).toHaveLength(4), { timeout: 45_000 });
      expect(handled).toEqual([1, 2, 2, 3]);
      expect(most).toBe(1);
      expect(errors).toEqual(['not yet']);
      await vi.waitFor(async () => expect(await bodiesIn(receiver)).toEqual([]), { timeout: 45_000 });
    });

    it('are told that the lock was lost', async () => {
      const sessionId = randomUUID();
      const receiver = await accept(SHORT_LOCK, sessionId, { maxAutoLockRenewalDurationInMs: 0 });
      const codes: unknown[] = [];
      receiver.subscribe({
        processMessage: async () => {},
        processError: async ({ error }) => {
          codes.push('code' in error ? error.code : error.message);
        },
      });
      await vi.waitFor(() => expect(codes).toEqual(['SessionLockLost']), { timeout: 45_000, interval: 50 });
    });

    it('stop when the subscription is closed, and another may begin', async () => {
      const sessionId = randomUUID();
      const receiver = await accept(QUEUE, sessionId);
      const handled: unknown[] = [];
      const handlers = {
        processMessage: async ({ body }: { body: unknown }) => void handled.push(body),
        processError: async () => {},
      };
      const subscription = receiver.subscribe(handlers);
      await send(QUEUE, sessionId, 'before');
      await vi.waitFor(() => expect(handled).toEqual(['before']), { timeout: 45_000 });
      await subscription.close();
      await send(QUEUE, sessionId, 'after');
      await delay(100);
      expect(handled).toEqual(['before']);
      await receiver.close();
      expect(await completeAll(await accept(QUEUE, sessionId), 1)).toEqual(['after']);
    });

    it('iterate over the messages in order', async () => {
      const sessionId = randomUUID();
      await send(QUEUE, sessionId, 1, 2, 3);
      const receiver = await accept(QUEUE, sessionId);
      const bodies: unknown[] = [];
      for await (const message of receiver.getMessageIterator()) {
        bodies.push(message.body);
        await receiver.completeMessage(message);
        if (bodies.length === 3) break;
      }
      expect(bodies).toEqual([1, 2, 3]);
    });

    it('keep the order of every session, however many work at once', async () => {
      const sessions = Array.from({ length: 12 }, () => randomUUID());
      const expected = Array.from({ length: 10 }, (_, index) => index);
      const sender = namespace.client.createSender(NEXT);
      for (const body of expected)
        await sender.sendMessages(sessions.map((sessionId) => ({ body, sessionId })));
      const handled = new Map<string, unknown[]>();
      const workers = Array.from({ length: 4 }, async () => {
        for (let count = 0; count < sessions.length / 4; count += 1) {
          const receiver = await acceptNext(NEXT);
          handled.set(receiver.sessionId, await completeAll(receiver, expected.length));
          await receiver.close();
        }
      });
      await Promise.all(workers);
      for (const sessionId of sessions) expect(handled.get(sessionId)).toEqual(expected);
    });
  });

  describe.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('for clients that are not the SDK', () => {
    let connection: Connection;
    beforeEach(async () => {
      connection = await openConnection(namespace.connectionString);
      await putToken(connection, namespace.connectionString, NEXT);
    });
    afterEach(() => void connection.close());

    const openNext = (name: string) =>
      connection.open_receiver({
        name,
        source: { address: NEXT, filter: { 'com.microsoft:session-filter': null } },
        credit_window: 10,
      });

    it('count the credit that was given before there was a session', async () => {
      const link = openNext('early');
      const opened = new Promise<EventContext>((resolve) => link.once('receiver_open', resolve));
      const received = new Promise<EventContext>((resolve) => link.once('message', resolve));
      link.add_credit(1);
      await delay(50);
      await send(NEXT, 'early credit', 'x');
      const { receiver } = await opened;
      expect(receiver?.source.filter).toEqual({ 'com.microsoft:session-filter': 'early credit' });
      expect((await received).message?.group_id).toBe('early credit');
    });

    it('are rid of a link that they leave while it waits, and go on with others', async () => {
      const left = openNext('left');
      await delay(50);
      const closed = new Promise((resolve) => left.once('receiver_close', resolve));
      left.close();
      await closed;
      await send(NEXT, 'for the next', 'x');
      const link = openNext('next');
      const received = await new Promise<EventContext>((resolve) => link.once('message', resolve));
      expect(received.message?.group_id).toBe('for the next');
      expect(connection.is_open()).toBe(true);
    });
  });

  describe('what is refused', () => {
    it('a message without a session id: alone, in a batch, scheduled', async () => {
      const sender = namespace.client.createSender(QUEUE);
      const message = /InvalidOperationError: The SessionId was not set on a message/;
      await expect(sender.sendMessages({ body: '' })).rejects.toThrow(message);
      await expect(sender.sendMessages([{ body: '', sessionId: 'x' }, { body: '' }])).rejects.toThrow(
        message,
      );
      const due = new Date(Date.now() + 60_000);
      await expect(sender.scheduleMessages({ body: '' }, due)).rejects.toThrow(message);
      const receiver = await accept(QUEUE, 'x');
      expect(await receiver.peekMessages(1)).toEqual([]);
    });

    it('a receiver without a session: receiving, peeking, subscribing', async () => {
      const message = /InvalidOperationError: It is not possible for an entity that requires sessions/;
      const receiver = namespace.client.createReceiver(QUEUE);
      await expect(receiver.receiveMessages(1)).rejects.toThrow(message);
      await expect(receiver.peekMessages(1)).rejects.toThrow(message);
      const told = Promise.withResolvers<string>();
      receiver.subscribe({
        processMessage: async () => {},
        processError: async ({ error }) => told.resolve(error.message),
      });
      expect(await told.promise).toMatch(message);
      await receiver.close();
    });

    it.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)(
      'deferring a message, which stays locked',
      async () => {
        const sessionId = randomUUID();
        await send(QUEUE, sessionId, 'x');
        const receiver = await accept(QUEUE, sessionId);
        const message = await receiveOne(receiver);
        await expect(receiver.deferMessage(message)).rejects.toThrow('NotImplementedError');
        const number = message.sequenceNumber ?? expect.fail('No number.');
        await expect(receiver.receiveDeferredMessages(number)).rejects.toMatchObject({
          code: 'MessageNotFound',
        });
        expect(await receiveWhatIsThere(receiver)).toEqual([]);
      },
    );
  });
});
