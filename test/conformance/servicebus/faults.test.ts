import { randomUUID } from 'node:crypto';
import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

const QUEUE = 'faults';
const SESSIONS = 'sessions';
/** Without retries, so that each fault is seen as it is. */
const SINGLE_ATTEMPT = { maxRetries: 0, timeoutInMs: 1_500 };
const SEVERAL_ATTEMPTS = { maxRetries: 3, retryDelayInMs: 20, timeoutInMs: 1_000 };

describe.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('injected faults', () => {
  let namespace: Namespace;
  const clients: ServiceBusClient[] = [];
  beforeEach(async () => {
    namespace = await openNamespace([QUEUE, SESSIONS], { faultsPort: 0 });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await namespace.close();
  });

  async function control(method: string, body?: unknown): Promise<Response> {
    if (namespace.faultsUrl === undefined) throw new Error('There is no control endpoint.');
    return fetch(namespace.faultsUrl, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  }

  async function inject(...rules: readonly unknown[]): Promise<void> {
    expect((await control('PUT', { rules })).status).toBe(200);
  }

  async function firedCounts(): Promise<number[]> {
    const { rules } = (await (await control('GET')).json()) as { rules: { fired: number }[] };
    return rules.map(({ fired }) => fired);
  }

  function connect(retryOptions = SINGLE_ATTEMPT): ServiceBusClient {
    const client = new ServiceBusClient(namespace.connectionString, { retryOptions });
    clients.push(client);
    return client;
  }

  async function peekedBodies(): Promise<unknown[]> {
    // A client goes on peeking where it stopped.
    const peeked = await connect().createReceiver(QUEUE).peekMessages(10);
    return peeked.map(({ body }) => body);
  }

  /** Receives a message that was just sent, from a client of its own. */
  async function receiveFresh(
    retryOptions = SINGLE_ATTEMPT,
  ): Promise<[ServiceBusReceiver, ServiceBusReceivedMessage]> {
    await namespace.client.createSender(QUEUE).sendMessages({ body: 'fresh' });
    const receiver = connect(retryOptions).createReceiver(QUEUE);
    return [receiver, await receiveOne(receiver)];
  }

  describe('while sending', () => {
    it.each([
      [{ kind: 'server-busy' }, { code: 'ServiceBusy', retryable: true }],
      [
        { kind: 'detach-link', condition: 'com.microsoft:entity-disabled' },
        { code: 'MessagingEntityDisabled' },
      ],
      [{ kind: 'detach-link' }, { message: expect.stringContaining('DetachForcedError') }],
    ])('%o is what the sender is told, and nothing is stored', async (action, error) => {
      const sender = connect().createSender(QUEUE);
      await inject({ match: { entity: QUEUE, operation: 'send' }, count: 1, action });
      await expect(sender.sendMessages({ body: 'refused' })).rejects.toMatchObject(error);
      expect(await peekedBodies()).toEqual([]);
      await sender.sendMessages({ body: 'accepted' });
      expect(await peekedBodies()).toEqual(['accepted']);
    });

    it.each([
      ['before', ['after the drop']],
      ['after', ['dropped', 'after the drop']],
    ])('a connection dropped %s the message is stored leaves %o', async (when, bodies) => {
      const sender = connect().createSender(QUEUE);
      const action = { kind: 'drop-connection', when };
      await inject({ match: { operation: 'send' }, count: 1, action });
      await expect(sender.sendMessages({ body: 'dropped' })).rejects.toThrow();
      await sender.sendMessages({ body: 'after the drop' });
      expect(await peekedBodies()).toEqual(bodies);
    });

    it.each(['server-busy', 'detach-link', 'drop-connection'])(
      'a client that tries again overcomes %s',
      async (kind) => {
        const sender = connect(SEVERAL_ATTEMPTS).createSender(QUEUE);
        await inject({ match: { operation: 'send' }, count: 1, action: { kind } });
        await sender.sendMessages({ body: kind });
        expect(await peekedBodies()).toEqual([kind]);
        expect(await firedCounts()).toEqual([1]);
      },
    );

    it('a delay is only a delay', async () => {
      await inject({ match: { operation: 'send' }, action: { kind: 'delay', ms: 200 } });
      const started = performance.now();
      await connect().createSender(QUEUE).sendMessages({ body: 'late' });
      expect(performance.now() - started).toBeGreaterThan(190);
      expect(await peekedBodies()).toEqual(['late']);
    });
  });

  describe('while settling', () => {
    const settlements = [
      ['complete', (receiver, message) => receiver.completeMessage(message)],
      ['abandon', (receiver, message) => receiver.abandonMessage(message)],
      ['deadLetter', (receiver, message) => receiver.deadLetterMessage(message)],
    ] as const satisfies readonly (readonly [
      string,
      (receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) => Promise<void>,
    ])[];

    it.each(settlements)(
      'lock-lost is what %s is told, and the message comes again',
      async (operation, settle) => {
        const [receiver, message] = await receiveFresh();
        await inject({ match: { operation }, count: 1, action: { kind: 'lock-lost' } });
        await expect(settle(receiver, message)).rejects.toMatchObject({ code: 'MessageLockLost' });
        const again = await receiveOne(receiver);
        expect(again).toMatchObject({ body: 'fresh', deliveryCount: 1 });
        await receiver.completeMessage(again);
      },
    );

    it.each(settlements)(
      'server-busy is what %s is told, and nothing is settled',
      async (operation, settle) => {
        const [receiver, message] = await receiveFresh();
        await inject({ match: { operation }, count: 1, action: { kind: 'server-busy' } });
        await expect(settle(receiver, message)).rejects.toMatchObject({ code: 'ServiceBusy' });
        expect(await peekedBodies()).toEqual(['fresh']);
        expect(await receiveWhatIsThere(receiver)).toEqual([]);
      },
    );

    it('a connection dropped before the completion leaves the message locked, and the next try completes it', async () => {
      const [receiver, message] = await receiveFresh(SEVERAL_ATTEMPTS);
      await inject({ match: { operation: 'complete' }, count: 1, action: { kind: 'drop-connection' } });
      await receiver.completeMessage(message);
      expect(await peekedBodies()).toEqual([]);
    });

    it('a connection dropped after the completion leaves nothing, though nobody was told', async () => {
      const [receiver, message] = await receiveFresh();
      const action = { kind: 'drop-connection', when: 'after' };
      await inject({ match: { operation: 'complete' }, count: 1, action });
      await expect(receiver.completeMessage(message)).rejects.toThrow();
      expect(await peekedBodies()).toEqual([]);
    });
  });

  describe('while receiving', () => {
    it.each(['server-busy', 'detach-link', 'drop-connection'])('a handler goes on after %s', async (kind) => {
      const receiver = connect(SEVERAL_ATTEMPTS).createReceiver(QUEUE);
      const handled: unknown[] = [];
      receiver.subscribe({
        processMessage: async ({ body }) => void handled.push(body),
        processError: async () => {},
      });
      await inject({ match: { operation: 'receive' }, count: 1, action: { kind } });
      const sender = namespace.client.createSender(QUEUE);
      await sender.sendMessages({ body: 'undelivered' });
      await vi.waitFor(async () => expect(await firedCounts()).toEqual([1]), 45_000);
      await sender.sendMessages({ body: 'delivered' });
      await vi.waitFor(() => expect(handled).toEqual(['delivered']), { timeout: 45_000 });
      // What could not be delivered is locked as if it had been.
      expect(await peekedBodies()).toContain('undelivered');
    });

    it('a lock lost before the handler has the message lets it be handled twice', async () => {
      const receiver = connect().createReceiver(QUEUE);
      await inject({ match: { operation: 'receive' }, count: 1, action: { kind: 'lock-lost' } });
      await namespace.client.createSender(QUEUE).sendMessages({ body: 'twice' });
      const first = await receiveOne(receiver);
      await expect(receiver.completeMessage(first)).rejects.toMatchObject({ code: 'MessageLockLost' });
      const second = await receiveOne(receiver);
      expect([first.deliveryCount, second.deliveryCount]).toEqual([0, 1]);
      await receiver.completeMessage(second);
    });

    it('delays do not change the order', async () => {
      const action = { kind: 'delay', ms: 20 };
      await inject({ match: { operation: 'receive' }, probability: 0.3, seed: 7, action });
      const bodies = Array.from({ length: 20 }, (_, index) => index);
      await namespace.client.createSender(QUEUE).sendMessages(bodies.map((body) => ({ body })));
      const receiver = connect().createReceiver(QUEUE);
      const messages = await receiver.receiveMessages(20, { maxWaitTimeInMs: 5_000 });
      expect(messages.map(({ body }) => body)).toEqual(bodies);
      await Promise.all(messages.map((message) => receiver.completeMessage(message)));
    });
  });

  describe('by way of management', () => {
    it('a message is scheduled once though its sender was not told', async () => {
      const action = { kind: 'drop-connection', when: 'after' };
      await inject({ match: { operation: 'schedule' }, count: 1, action });
      const sender = connect().createSender(QUEUE);
      const due = new Date(Date.now() + 500);
      await expect(sender.scheduleMessages({ body: 'scheduled' }, due)).rejects.toThrow();
      expect((await receiveOne(namespace.client.createReceiver(QUEUE))).body).toBe('scheduled');
    });

    it('a lock is lost when it is to be renewed', async () => {
      const [receiver, message] = await receiveFresh();
      await inject({ match: { operation: 'renewLock' }, count: 1, action: { kind: 'lock-lost' } });
      await expect(receiver.renewMessageLock(message)).rejects.toMatchObject({ code: 'MessageLockLost' });
      await receiver.completeMessage(await receiveOne(receiver));
    });

    it('a rule for management matches every request', async () => {
      await inject({ match: { operation: 'management' }, action: { kind: 'server-busy' } });
      const client = connect();
      const busy = { code: 'ServiceBusy' };
      const due = new Date(Date.now() + 60_000);
      await expect(client.createReceiver(QUEUE).peekMessages(1)).rejects.toMatchObject(busy);
      await expect(client.createSender(QUEUE).scheduleMessages({ body: '' }, due)).rejects.toMatchObject(
        busy,
      );
      expect(await firedCounts()).toEqual([2]);
    });

    it('the lock on a session is lost with its messages, and its receiver told', async () => {
      const sessionId = randomUUID();
      await namespace.client.createSender(SESSIONS).sendMessages({ body: 'x', sessionId });
      const client = connect();
      const receiver = await client.acceptSession(SESSIONS, sessionId);
      await receiveOne(receiver);
      await inject({ match: { operation: 'renewSessionLock' }, count: 1, action: { kind: 'lock-lost' } });
      await expect(receiver.renewSessionLock()).rejects.toMatchObject({ code: 'SessionLockLost' });
      await vi.waitFor(() => expect(receiver.isClosed).toBe(true), 45_000);
      const next = await client.acceptSession(SESSIONS, sessionId);
      const message = await receiveOne(next);
      expect(message.deliveryCount).toBe(1);
      await next.completeMessage(message);
    });

    it('a session is free again when the connection of its holder drops', async () => {
      const sessionId = randomUUID();
      const holder = await connect().acceptSession(SESSIONS, sessionId);
      await inject({ match: { entity: SESSIONS }, count: 1, action: { kind: 'drop-connection' } });
      await expect(holder.getSessionState()).rejects.toThrow();
      expect((await connect().acceptSession(SESSIONS, sessionId)).sessionId).toBe(sessionId);
    });
  });

  describe('the rules', () => {
    it('fire only where they match, at most as often as they say, and tell how often they did', async () => {
      const action = { kind: 'server-busy' };
      await inject(
        { match: { entity: 'Faults', operation: 'send' }, count: 2, action },
        { match: { entity: SESSIONS }, action },
      );
      const sender = connect().createSender(QUEUE);
      const send = () =>
        sender.sendMessages({ body: 'x' }).then(
          () => 'sent',
          () => 'busy',
        );
      expect([await send(), await send(), await send()]).toEqual(['busy', 'busy', 'sent']);
      expect(await firedCounts()).toEqual([2, 0]);
      await control('DELETE');
      expect(await firedCounts()).toEqual([]);
    });

    it('fail the same operations each time with the same seed', async () => {
      const sender = connect().createSender(QUEUE);
      const pattern = async () => {
        const rule = { match: { operation: 'send' }, probability: 0.5, seed: 42 };
        await inject({ ...rule, action: { kind: 'server-busy' } });
        const sent: boolean[] = [];
        for (let count = 0; count < 20; count += 1) {
          const accepted = sender.sendMessages({ body: count }).then(() => true);
          sent.push(await accepted.catch(() => false));
        }
        return sent;
      };
      const first = await pattern();
      expect(await pattern()).toEqual(first);
      expect(new Set(first).size).toBe(2);
    });

    it.each([
      { action: { kind: 'explode' } },
      { action: { kind: 'drop-connection', when: 'sometimes' } },
      { action: { kind: 'delay' } },
      { match: { entity: 7 }, action: { kind: 'server-busy' } },
      { match: { queue: 'faults' }, action: { kind: 'server-busy' } },
      { propability: 0.5, action: { kind: 'server-busy' } },
      { probability: 'often', action: { kind: 'server-busy' } },
      {},
    ])('that make no sense (%o) are refused, and the others stay', async (rule) => {
      await inject({ match: { entity: 'none' }, action: { kind: 'server-busy' } });
      const refused = await control('PUT', { rules: [rule] });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toHaveProperty('message');
      expect(await firedCounts()).toEqual([0]);
    });
  });
});
