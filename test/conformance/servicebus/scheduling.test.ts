import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

const QUEUES = ['scheduling', 'expiring', 'expiring-to-dead-letters', 'without-duplicates'];

describe('scheduled, expiring and repeated messages', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace(QUEUES);
  });
  afterAll(() => namespace.close());

  it('delivers a scheduled message when it is due and not before, as a new message', async () => {
    const { client } = namespace;
    const receiver = client.createReceiver('scheduling');
    const due = new Date(Date.now() + 2_000);
    const [scheduledAs] = await client.createSender('scheduling').scheduleMessages({ body: 'later' }, due);
    const [peeked] = await receiver.peekMessages(1);
    expect(peeked).toMatchObject({ body: 'later', state: 'scheduled' });
    const message = await receiveOne(receiver);
    expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
    expect(Date.now() - due.getTime()).toBeLessThan(20_000);
    expect(message.state).toBe('active');
    expect(message.scheduledEnqueueTimeUtc).toEqual(due);
    expect(message.sequenceNumber?.greaterThan(scheduledAs ?? 0)).toBe(true);
    await receiver.completeMessage(message);
    await receiver.close();
  });

  it('schedules a message that is sent with its time, alone or in a batch', async () => {
    const { client } = namespace;
    const due = new Date(Date.now() + 1_500);
    const sender = client.createSender('scheduling');
    await sender.sendMessages({ body: 'alone', scheduledEnqueueTimeUtc: due });
    await sender.sendMessages([{ body: 'batch', scheduledEnqueueTimeUtc: due }, { body: 'now' }]);
    const receiver = client.createReceiver('scheduling', { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe('now');
    const later = [await receiveOne(receiver), await receiveOne(receiver)];
    expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
    expect(later.map(({ body }) => body).sort()).toEqual(['alone', 'batch']);
    await receiver.close();
  });

  it('never delivers a cancelled message, and refuses to cancel what is not scheduled', async () => {
    const { client } = namespace;
    const sender = client.createSender('scheduling');
    const numbers = await sender.scheduleMessages(
      [{ body: 'cancelled' }, { body: 'kept' }],
      new Date(Date.now() + 1_500),
    );
    await sender.cancelScheduledMessages(numbers.slice(0, 1));
    await expect(sender.cancelScheduledMessages(numbers.slice(0, 1))).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    const unknown = numbers.map((number) => number.add(1_000_000));
    await expect(sender.cancelScheduledMessages(unknown)).rejects.toMatchObject({
      code: 'MessageNotFound',
    });
    const receiver = client.createReceiver('scheduling', { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(receiver)).body).toBe('kept');
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await receiver.close();
  });

  it('dead-letters an expired message where the queue says so', async () => {
    const { client } = namespace;
    await client.createSender('expiring-to-dead-letters').sendMessages({ body: 'short', timeToLive: 300 });
    const deadLetters = client.createReceiver('expiring-to-dead-letters', { subQueueType: 'deadLetter' });
    const dead = await receiveOne(deadLetters);
    expect(dead).toMatchObject({ body: 'short', deadLetterReason: 'TTLExpiredException' });
    await deadLetters.completeMessage(dead);
    await deadLetters.close();
  });

  it('drops an expired message where the queue does not', async () => {
    const { client } = namespace;
    const sender = client.createSender('expiring');
    await sender.sendMessages([{ body: 'short', timeToLive: 100 }, { body: 'long' }]);
    const receiver = client.createReceiver('expiring');
    const [first] = await receiver.peekMessages(1);
    const fromSequenceNumber = first?.sequenceNumber ?? expect.fail('Nothing to peek at.');
    const bodies = async () =>
      (await receiver.peekMessages(10, { fromSequenceNumber })).map(({ body }) => body);
    await expect.poll(bodies).toEqual(['long']);
    const message = await receiveOne(receiver);
    expect(message.body).toBe('long');
    // The queue's own time to live is the longest that any of its messages has.
    expect(message.timeToLive).toBe(3_600_000);
    await receiver.completeMessage(message);
    await receiver.close();
  });

  it('accepts a known id inside the window and never delivers it, scheduled messages included', async () => {
    const { client } = namespace;
    const sender = client.createSender('without-duplicates');
    const receiver = client.createReceiver('without-duplicates');
    const messageId = randomUUID();
    await sender.sendMessages({ body: 'first', messageId });
    await sender.sendMessages({ body: 'second', messageId });
    await sender.sendMessages([
      { body: 'third', messageId },
      { body: 'other', messageId: randomUUID() },
    ]);
    await sender.scheduleMessages({ body: 'fourth', messageId }, new Date(Date.now() + 50));
    const first = await receiveOne(receiver);
    await receiver.completeMessage(first);
    await sender.sendMessages({ body: 'after completion', messageId });
    const other = await receiveOne(receiver);
    await receiver.completeMessage(other);
    expect([first.body, other.body]).toEqual(['first', 'other']);
    expect(await receiveWhatIsThere(receiver)).toEqual([]);

    const scheduledId = randomUUID();
    await sender.scheduleMessages({ body: 'scheduled', messageId: scheduledId }, new Date(Date.now() + 200));
    await sender.sendMessages({ body: 'sent', messageId: scheduledId });
    const scheduled = await receiveOne(receiver);
    expect(scheduled.body).toBe('scheduled');
    await receiver.completeMessage(scheduled);
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await receiver.close();
  });
});
