import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

/** More than a link of rhea holds unsettled (2,048). */
const MANY = 2_500;

describe('receiving from a queue', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace(['receiving', 'streaming']);
  });
  afterAll(() => namespace.close());

  async function send(queue: string, bodies: readonly unknown[]): Promise<void> {
    const sender = namespace.client.createSender(queue);
    await sender.sendMessages(bodies.map((body) => ({ body })));
    await sender.close();
  }

  it('hides a locked message from other receivers, and keeps the lock when its receiver closes', async () => {
    const { client } = namespace;
    await send('receiving', ['locked']);
    const first = client.createReceiver('receiving');
    const message = await receiveOne(first);
    expect(message.lockToken).toMatch(/^[0-9a-f-]{36}$/);
    expect(message.lockedUntilUtc?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    await first.close();
    const second = client.createReceiver('receiving');
    expect(await receiveWhatIsThere(second)).toEqual([]);
    await second.completeMessage(message);
    await second.close();
  });

  it('deletes what is received in receive-and-delete mode', async () => {
    await send('receiving', ['once']);
    const receiver = namespace.client.createReceiver('receiving', { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe('once');
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await receiver.close();
  });

  it('deletes no more than was asked for', async () => {
    await send('receiving', ['a', 'b', 'c', 'd']);
    const first = namespace.client.createReceiver('receiving', { receiveMode: 'receiveAndDelete' });
    const taken = await first.receiveMessages(1, { maxWaitTimeInMs: 5_000 });
    await first.close();
    const second = namespace.client.createReceiver('receiving', { receiveMode: 'receiveAndDelete' });
    taken.push(...(await second.receiveMessages(3, { maxWaitTimeInMs: 5_000 })));
    expect(taken.map(({ body }) => body)).toEqual(['a', 'b', 'c', 'd']);
    await second.close();
  });

  it('goes on delivering on a link whose receives ended empty or short', async () => {
    const receiver = namespace.client.createReceiver('receiving');
    for (let round = 0; round < 3; round += 1) {
      expect(await receiver.receiveMessages(5, { maxWaitTimeInMs: 50 })).toEqual([]);
      await send('receiving', [round]);
      const message = await receiveOne(receiver);
      expect(message.body).toBe(round);
      await receiver.completeMessage(message);
    }
    await receiver.close();
  });

  it('peeks at messages without locking them, in order and from a number on', async () => {
    await send('receiving', ['a', 'b', 'c']);
    const receiver = namespace.client.createReceiver('receiving');
    const peeked = await receiver.peekMessages(10);
    expect(peeked.map(({ body }) => body)).toEqual(['a', 'b', 'c']);
    expect(await receiver.peekMessages(10)).toEqual([]);
    const from = peeked[1]?.sequenceNumber;
    const again = await receiver.peekMessages(1, from === undefined ? {} : { fromSequenceNumber: from });
    expect(again.map(({ body }) => body)).toEqual(['b']);
    const messages = await receiver.receiveMessages(3, { maxWaitTimeInMs: 5_000 });
    expect(messages.map(({ deliveryCount }) => deliveryCount)).toEqual([0, 0, 0]);
    await Promise.all(messages.map((message) => receiver.completeMessage(message)));
    await receiver.close();
  });

  it('delivers more than 2,048 messages on one link', async () => {
    const { client } = namespace;
    for (let index = 0; index < MANY; index += 500) await send('streaming', Array(500).fill(index));
    const receiver = client.createReceiver('streaming');
    let received = 0;
    receiver.subscribe(
      {
        processMessage: async () => {
          received += 1;
        },
        processError: async ({ error }) => {
          throw error;
        },
      },
      { maxConcurrentCalls: 50 },
    );
    await vi.waitFor(() => expect(received).toBe(MANY), { timeout: 45_000, interval: 20 });
    await receiver.close();
  });

  it('does not stall a client that sends while it receives', async () => {
    const { client } = namespace;
    const sender = client.createSender('streaming');
    const receiver = client.createReceiver('streaming', { receiveMode: 'receiveAndDelete' });
    const times: number[] = [];
    for (let round = 0; round < 60; round += 1) {
      const started = performance.now();
      const received = receiver.receiveMessages(1, { maxWaitTimeInMs: 5_000 });
      await new Promise((resolve) => setImmediate(resolve));
      await sender.sendMessages({ body: round });
      expect(await received).toHaveLength(1);
      times.push(performance.now() - started);
    }
    // The stall, Nagle's algorithm against a delayed acknowledgement, takes 40 ms each time.
    const median = times.sort((left, right) => left - right)[30];
    expect(median).toBeLessThan(35);
    await receiver.close();
  });

  it('shares the messages among receivers that wait', async () => {
    const { client } = namespace;
    const counts = [0, 0];
    const receivers = counts.map((_, index) => {
      const receiver = client.createReceiver('streaming');
      receiver.subscribe({
        processMessage: async () => {
          counts[index] = (counts[index] ?? 0) + 1;
        },
        processError: async () => {},
      });
      return receiver;
    });
    await vi.waitFor(
      async () => {
        await send('streaming', ['x', 'y', 'z', 'w']);
        expect(Math.min(...counts)).toBeGreaterThan(0);
      },
      { timeout: 45_000 },
    );
    await Promise.all(receivers.map((receiver) => receiver.close()));
    const rest = client.createReceiver('streaming', { receiveMode: 'receiveAndDelete' });
    await receiveWhatIsThere(rest, 100);
    await rest.close();
  });
});
