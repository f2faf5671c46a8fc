import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Broker } from '../../../infra/local/servicebus/broker/broker.ts';
import type { SubscriptionSettings, TopicSettings } from '../../../infra/local/servicebus/broker/entities.ts';
import type { MessageQueue } from '../../../infra/local/servicebus/broker/message-queue.ts';
import { content } from './content.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';

const SECOND = 1000;

const SUBSCRIPTION = {
  lockDuration: 30 * SECOND,
  maxDeliveryCount: 3,
  deadLetterOnExpiration: false,
  requiresSession: false,
};

const EVERYTHING: SubscriptionSettings = { ...SUBSCRIPTION, name: 'Everything', matches: () => true };
/** The broker does not know what a filter looks at. */
const IMPORTANT: SubscriptionSettings = {
  ...SUBSCRIPTION,
  name: 'important',
  matches: ({ priority }) => priority === 9,
};

const REASONS = {
  maxDeliveryCountExceeded: () => ({}),
  expired: {},
  sessionIdIsNull: { reason: Buffer.from('no session') },
};

describe('a topic', () => {
  let clock: ManualClock;
  let store: MemoryStore;
  let broker: Broker;
  let topic: MessageQueue;

  function open(settings: Partial<TopicSettings> = {}): void {
    const topics = [{ name: 'News', subscriptions: [EVERYTHING, IMPORTANT], ...settings }];
    broker = new Broker({ queues: [], topics }, { clock, store, deadLetterReasons: REASONS });
    topic = find('NEWS');
  }

  beforeEach(() => {
    clock = new ManualClock();
    store = new MemoryStore();
    open();
  });

  const find = (path: string) => broker.find(path) ?? expect.fail(`${path} is not there.`);
  const everything = () => find('news/subscriptions/EVERYTHING').peek(0, 100);
  const important = () => find('News/Subscriptions/important').peek(0, 100);

  it('shares what was sent among the subscriptions that it matches, which number it themselves', async () => {
    const [ordinary, urgent] = [content(), content({ priority: 9 })];
    await topic.send([ordinary, urgent]);
    expect(everything().map((message) => message.content)).toEqual([ordinary, urgent]);
    expect(everything()[1]?.content).toBe(urgent);
    expect(important()[0]?.content).toBe(urgent);
    expect(everything()).toMatchObject([
      { sequenceNumber: 1, enqueuedSequenceNumber: 1 },
      { sequenceNumber: 2, enqueuedSequenceNumber: 2 },
    ]);
    expect(important()).toMatchObject([{ sequenceNumber: 1, enqueuedSequenceNumber: 2 }]);
  });

  it('writes all copies down at once, and shows none before', async () => {
    const release = store.hold();
    const commit = vi.spyOn(store, 'commit');
    const sending = topic.send([content({ priority: 9 })]);
    await new Promise((resolve) => setImmediate(resolve));
    expect([everything(), important()]).toEqual([[], []]);
    release();
    await sending;
    expect(commit).toHaveBeenCalledOnce();
    expect([everything().length, important().length]).toEqual([1, 1]);
  });

  it('accepts what nobody wants', async () => {
    open({ subscriptions: [IMPORTANT] });
    await topic.send([content()]);
    expect(store.messages.size).toBe(0);
    open({ subscriptions: [] });
    await topic.send([content()]);
    expect(store.messages.size).toBe(0);
  });

  it('keeps a message as long as the least of what its sender, the topic and the subscription say', async () => {
    open({
      defaultTimeToLive: 60 * SECOND,
      subscriptions: [
        { ...EVERYTHING, defaultTimeToLive: 30 * SECOND },
        { ...IMPORTANT, matches: () => true, defaultTimeToLive: 90 * SECOND },
      ],
    });
    await topic.send([content({ timeToLive: 10 * SECOND }), content({ timeToLive: 45 * SECOND }), content()]);
    const lives = (messages: ReturnType<typeof everything>) => messages.map(({ timeToLive }) => timeToLive);
    expect(lives(everything())).toEqual([10_000, 30_000, 30_000]);
    expect(lives(important())).toEqual([10_000, 45_000, 60_000]);
    await clock.advance(45 * SECOND);
    expect([everything().length, important().length]).toEqual([0, 1]);
  });

  it('holds a scheduled message back and matches it when it is due', async () => {
    const [scheduledAs] = await topic.send([
      content({ priority: 9, scheduledFor: clock.now() + 5 * SECOND }),
    ]);
    await topic.send([content()]);
    await clock.advance(5 * SECOND - 1);
    expect([everything().length, important().length]).toEqual([1, 0]);
    await clock.advance(1);
    expect(everything()).toMatchObject([
      { sequenceNumber: 1 },
      { sequenceNumber: 2, state: 'active', enqueuedAt: clock.now(), enqueuedSequenceNumber: 3 },
    ]);
    expect(important()).toHaveLength(1);
    await expect(topic.cancelScheduled([scheduledAs ?? 0])).rejects.toThrow('Failed to find');
  });

  it('never delivers a cancelled message', async () => {
    const numbers = await topic.send([content({ scheduledFor: clock.now() + 5 * SECOND })]);
    await topic.cancelScheduled(numbers);
    await clock.advance(5 * SECOND);
    expect(everything()).toEqual([]);
    expect(store.messages.size).toBe(0);
  });

  it('detects duplicates once for all subscriptions, scheduled ones included', async () => {
    open({ duplicateDetectionWindow: 20 * SECOND });
    await topic.send([content({ messageId: 'same', scheduledFor: clock.now() + 5 * SECOND })]);
    await topic.send([content({ messageId: 'same', priority: 9 })]);
    open({ duplicateDetectionWindow: 20 * SECOND });
    await topic.send([content({ messageId: 'same', priority: 9 })]);
    expect([everything(), important()]).toEqual([[], []]);
    await clock.advance(5 * SECOND);
    expect([everything().length, important().length]).toEqual([1, 0]);
    await clock.advance(15 * SECOND);
    await topic.send([content({ messageId: 'same', priority: 9 })]);
    expect([everything().length, important().length]).toEqual([2, 1]);
  });

  it('dead-letters what has no session where a subscription requires one', async () => {
    open({ subscriptions: [{ ...EVERYTHING, requiresSession: true, defaultTimeToLive: SECOND }, IMPORTANT] });
    await topic.send([content({ priority: 9 }), content({ sessionId: 'a' })]);
    const deadLetters = find('news/subscriptions/everything/$deadletterqueue');
    await clock.advance(SECOND);
    expect(deadLetters.peek(0, 10).map(({ propertyChanges }) => propertyChanges.reason?.toString())).toEqual([
      'no session',
    ]);
    expect(important()).toHaveLength(1);
  });

  it('goes on after a restart with messages, schedules and numbers', async () => {
    await topic.send([content({ priority: 9 })]);
    await topic.send([content({ priority: 9, scheduledFor: clock.now() + 5 * SECOND })]);
    open();
    expect([everything().length, important().length]).toEqual([1, 1]);
    await clock.advance(5 * SECOND);
    await topic.send([content()]);
    expect(everything().map(({ sequenceNumber }) => sequenceNumber)).toEqual([1, 2, 3]);
    expect(everything().map(({ enqueuedSequenceNumber }) => enqueuedSequenceNumber)).toEqual([1, 3, 4]);
  });
});
