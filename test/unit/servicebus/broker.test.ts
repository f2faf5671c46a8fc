import { beforeEach, describe, expect, it } from 'vitest';
import { Broker } from '../../../infra/local/servicebus/broker/broker.ts';
import type { Consumer, Lock, Supply } from '../../../infra/local/servicebus/broker/consumer.ts';
import type { Message, MessageContent } from '../../../infra/local/servicebus/broker/message.ts';
import type { MessageQueue } from '../../../infra/local/servicebus/broker/message-queue.ts';
import type { QueueSettings } from '../../../infra/local/servicebus/broker/queue-settings.ts';
import { content } from './content.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';

const SECOND = 1000;

const SETTINGS: QueueSettings = {
  name: 'Orders',
  lockDuration: 30 * SECOND,
  maxDeliveryCount: 3,
  deadLetterOnExpiration: true,
  requiresSession: false,
  duplicateDetectionWindow: 20 * SECOND,
};

const REASONS = {
  maxDeliveryCountExceeded: (count: number) => ({ reason: Buffer.from(`more than ${count}`) }),
  expired: { reason: Buffer.from('expired') },
  sessionIdIsNull: { reason: Buffer.from('no session') },
};

interface Received {
  readonly message: Message;
  readonly token: string;
}

/** A consumer that takes as many messages as it is asked to. */
class TestConsumer implements Consumer {
  readonly name = 'consumer';
  readonly mode: Consumer['mode'];
  readonly received: Received[] = [];
  #credit = 0;
  readonly #supply: Supply;

  constructor(queue: MessageQueue, mode: Consumer['mode'] = 'peekLock') {
    this.mode = mode;
    this.#supply = queue.subscribe(this);
  }

  credit(): number {
    return this.#credit;
  }

  reserve(): void {
    this.#credit -= 1;
  }

  deliver(message: Message, lock?: Lock): void {
    this.received.push({ message, token: lock?.token ?? '' });
  }

  fail(): void {}

  ask(count: number): void {
    this.#credit += count;
    this.#supply.dispatch();
  }

  /** Takes one message that is there already. */
  take(): Received {
    this.ask(1);
    return this.received.pop() ?? expect.fail('Nothing was delivered.');
  }
}

describe('a queue', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let queue: MessageQueue;
  let deadLetters: MessageQueue;
  let consumer: TestConsumer;

  function open(settings: Partial<QueueSettings> = {}): void {
    const broker = new Broker(
      { queues: [{ ...SETTINGS, ...settings }], topics: [] },
      { clock, store, deadLetterReasons: REASONS },
    );
    queue = broker.find('ORDERS') ?? expect.fail();
    deadLetters = broker.find('orders/$DeadLetterQueue') ?? expect.fail();
    consumer = new TestConsumer(queue);
  }

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore();
    open();
  });

  async function send(options: Partial<MessageContent> = {}): Promise<MessageContent> {
    const sent = content(options);
    await queue.send([sent]);
    return sent;
  }

  const reasonOf = ({ message }: Received) => message.propertyChanges.reason?.toString();

  describe('delivering', () => {
    it('shows a message only when it is stored', async () => {
      const release = store.hold();
      consumer.ask(1);
      const sending = send();
      await new Promise((resolve) => setImmediate(resolve));
      expect(consumer.received).toEqual([]);
      expect(queue.peek(0, 10)).toEqual([]);
      release();
      await sending;
      expect(consumer.received).toHaveLength(1);
    });

    it('serves waiting consumers in turn, each within its credit', async () => {
      const other = new TestConsumer(queue);
      consumer.ask(5);
      other.ask(2);
      for (let index = 0; index < 6; index += 1) await send();
      expect([consumer.received.length, other.received.length]).toEqual([4, 2]);
    });

    it('removes a message before it is delivered for good', async () => {
      const deleting = new TestConsumer(queue, 'receiveAndDelete');
      await send();
      const release = store.hold();
      deleting.ask(1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(deleting.received).toEqual([]);
      release();
      await expect.poll(() => deleting.received.length).toBe(1);
      expect(store.messages.size).toBe(0);
    });

    it('keeps the order of sending for what is abandoned', async () => {
      for (let index = 0; index < 3; index += 1) await send();
      const [first, second] = [consumer.take(), consumer.take()];
      await queue.abandon(second.token, {});
      await queue.abandon(first.token, {});
      consumer.ask(3);
      expect(consumer.received.map(({ message }) => message.sequenceNumber)).toEqual([1, 2, 3]);
    });
  });

  describe('locks', () => {
    it('returns a message exactly when its lock expires, and counts the delivery', async () => {
      await send();
      const { token } = consumer.take();
      consumer.ask(1);
      await clock.advance(30 * SECOND - 1);
      expect(consumer.received).toEqual([]);
      await clock.advance(1);
      expect(consumer.received[0]?.message.deliveryCount).toBe(1);
      await expect(queue.complete(token)).rejects.toMatchObject({
        condition: 'com.microsoft:message-lock-lost',
      });
      expect(() => queue.renewLock(token)).toThrow('lock');
    });

    it('holds a renewed lock as long again from the renewal on', async () => {
      await send();
      const { token } = consumer.take();
      await clock.advance(20 * SECOND);
      expect(queue.renewLock(token)).toBe(clock.now() + 30 * SECOND);
      await clock.advance(29 * SECOND);
      await queue.complete(token);
      expect(store.messages.size).toBe(0);
    });

    it('dead-letters a message whose lock expires once too often', async () => {
      await send();
      for (let delivery = 0; delivery < 3; delivery += 1) {
        consumer.take();
        await clock.advance(30 * SECOND);
      }
      const dead = new TestConsumer(deadLetters).take();
      expect(reasonOf(dead)).toBe('more than 3');
      expect(dead.message.deliveryCount).toBe(3);
      expect(queue.peek(0, 10)).toEqual([]);
    });
  });

  describe('time to live', () => {
    it('is the shorter of the message and the queue', async () => {
      open({ defaultTimeToLive: 60 * SECOND });
      await send({ timeToLive: 10 * SECOND });
      await send({ timeToLive: 600 * SECOND });
      await send();
      expect(queue.peek(0, 10).map(({ timeToLive }) => timeToLive)).toEqual([10_000, 60_000, 60_000]);
    });

    it('ends at its moment, with a dead letter that never expires', async () => {
      await send({ timeToLive: 10 * SECOND });
      await clock.advance(10 * SECOND - 1);
      expect(queue.peek(0, 10)).toHaveLength(1);
      await clock.advance(1);
      expect(queue.peek(0, 10)).toEqual([]);
      await clock.advance(1000 * SECOND);
      expect(reasonOf(new TestConsumer(deadLetters).take())).toBe('expired');
    });

    it('does not end while the message is locked', async () => {
      await send({ timeToLive: 10 * SECOND });
      const { token } = consumer.take();
      await clock.advance(20 * SECOND);
      await queue.complete(token);
      await send({ timeToLive: 10 * SECOND });
      await queue.abandon(consumer.take().token, {});
      await clock.advance(10 * SECOND);
      expect(deadLetters.peek(0, 10)).toHaveLength(1);
    });

    it('begins when a scheduled message is enqueued', async () => {
      await send({ scheduledFor: clock.now() + 100 * SECOND, timeToLive: 10 * SECOND });
      await clock.advance(105 * SECOND);
      expect(queue.peek(0, 10)).toHaveLength(1);
      await clock.advance(5 * SECOND);
      expect(queue.peek(0, 10)).toEqual([]);
    });
  });

  describe('scheduling', () => {
    it('enqueues a message at its moment with a new sequence number', async () => {
      const [scheduledAs] = await queue.send([content({ scheduledFor: clock.now() + 5 * SECOND })]);
      await send();
      await clock.advance(5 * SECOND - 1);
      expect(queue.peek(0, 10).map(({ state }) => state)).toEqual(['scheduled', 'active']);
      await clock.advance(1);
      expect(queue.peek(0, 10)).toMatchObject([
        { sequenceNumber: 2, state: 'active' },
        { sequenceNumber: 3, state: 'active', enqueuedAt: clock.now() },
      ]);
      await expect(queue.cancelScheduled([scheduledAs ?? 0])).rejects.toMatchObject({
        condition: 'com.microsoft:message-not-found',
      });
    });

    it('shows the message at every moment of its enqueueing', async () => {
      await send({ scheduledFor: clock.now() + 5 * SECOND });
      const release = store.hold();
      await clock.advance(5 * SECOND);
      expect(queue.peek(0, 10)).toMatchObject([{ state: 'scheduled' }]);
      release();
      await new Promise((resolve) => setImmediate(resolve));
      expect(queue.peek(0, 10)).toMatchObject([{ state: 'active' }]);
    });

    it('cancels all or nothing', async () => {
      const scheduledFor = clock.now() + 5 * SECOND;
      const numbers = await queue.send([content({ scheduledFor }), content({ scheduledFor })]);
      await expect(queue.cancelScheduled([...numbers, 99])).rejects.toThrow();
      expect(queue.peek(0, 10)).toHaveLength(2);
      await queue.cancelScheduled(numbers);
      await clock.advance(5 * SECOND);
      expect(queue.peek(0, 10)).toEqual([]);
    });

    it('enqueues at once what is scheduled for the past', async () => {
      await send({ scheduledFor: clock.now() - 1 });
      expect(consumer.take().message.state).toBe('active');
    });
  });

  describe('duplicate detection', () => {
    it('lasts for the window from the first message on', async () => {
      await send({ messageId: 'same' });
      await clock.advance(20 * SECOND - 1);
      await send({ messageId: 'same' });
      expect(queue.peek(0, 10)).toHaveLength(1);
      await clock.advance(1);
      await send({ messageId: 'same' });
      expect(queue.peek(0, 10)).toHaveLength(2);
    });

    it('finds repetitions inside one batch', async () => {
      await queue.send([content({ messageId: 'same' }), content({ messageId: 'same' }), content()]);
      expect(queue.peek(0, 10)).toHaveLength(2);
    });

    it('acknowledges a duplicate only when the first is safe', async () => {
      const release = store.hold();
      const acknowledged: string[] = [];
      const first = send({ messageId: 'same' }).then(() => acknowledged.push('first'));
      const second = send({ messageId: 'same' }).then(() => acknowledged.push('second'));
      await new Promise((resolve) => setImmediate(resolve));
      expect(acknowledged).toEqual([]);
      release();
      await Promise.all([first, second]);
      expect(store.messages.size).toBe(1);
    });
  });

  describe('after a restart', () => {
    it('goes on with messages, counts, ids and numbers, and without locks', async () => {
      await send({ messageId: 'known' });
      await queue.abandon(consumer.take().token, { reason: Buffer.from('tried') });
      await send({ scheduledFor: clock.now() + 5 * SECOND });
      const { token } = consumer.take();
      open();
      await expect(queue.complete(token)).rejects.toThrow();
      const restored = consumer.take();
      expect(restored.message).toMatchObject({ sequenceNumber: 1, deliveryCount: 1 });
      expect(reasonOf(restored)).toBe('tried');
      await send({ messageId: 'known' });
      await clock.advance(5 * SECOND);
      expect(consumer.take().message.sequenceNumber).toBeGreaterThan(2);
      expect(queue.peek(0, 10)).toHaveLength(2);
    });

    it('enqueues and expires at once what became due meanwhile', async () => {
      await send({ scheduledFor: clock.now() + 5 * SECOND });
      await send({ timeToLive: 5 * SECOND });
      const stopped = new Map(store.messages);
      clock = new ManualClock();
      await clock.advance(60 * SECOND);
      store = new MemoryStore();
      for (const [key, message] of stopped) store.messages.set(key, message);
      open();
      await clock.advance(0);
      expect(consumer.take().message.state).toBe('active');
      expect(reasonOf(new TestConsumer(deadLetters).take())).toBe('expired');
    });
  });

  it('refuses to dead-letter what is a dead letter', async () => {
    await send();
    await queue.deadLetter(consumer.take().token, {});
    const { token } = new TestConsumer(deadLetters).take();
    await expect(deadLetters.deadLetter(token, {})).rejects.toMatchObject({ condition: 'amqp:not-allowed' });
    await deadLetters.complete(token);
    expect(store.messages.size).toBe(0);
  });
});
