import type { ServiceBusReceiver } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Namespace, openNamespace, receiveOne, receiveWhatIsThere } from './namespace.ts';

describe('settling messages', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace(['settling', 'short-lock', 'two-deliveries']);
  });
  afterAll(() => namespace.close());

  async function send(queue: string, body: unknown): Promise<void> {
    const sender = namespace.client.createSender(queue);
    await sender.sendMessages({ body, applicationProperties: { kept: 'kept', changed: 1 } });
    await sender.close();
  }

  function deadLettersOf(queue: string): ServiceBusReceiver {
    return namespace.client.createReceiver(queue, { subQueueType: 'deadLetter' });
  }

  it('removes a completed message, and refuses to complete it again', async () => {
    await send('settling', 'complete');
    const receiver = namespace.client.createReceiver('settling');
    const message = await receiveOne(receiver);
    await receiver.completeMessage(message);
    await expect(receiver.completeMessage(message)).rejects.toThrow();
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await receiver.close();
  });

  it('delivers an abandoned message again, counted and with changed properties', async () => {
    await send('settling', 'abandon');
    const receiver = namespace.client.createReceiver('settling');
    await receiver.abandonMessage(await receiveOne(receiver), { changed: 2.5, added: true });
    const again = await receiveOne(receiver);
    expect(again.deliveryCount).toBe(1);
    expect(again.applicationProperties).toEqual({ kept: 'kept', changed: 2.5, added: true });
    await receiver.completeMessage(again);
    await receiver.close();
  });

  it('moves a dead-lettered message with its reason, from where it can be received and completed', async () => {
    await send('settling', 'dead');
    const receiver = namespace.client.createReceiver('settling');
    const message = await receiveOne(receiver);
    await receiver.deadLetterMessage(message, {
      deadLetterReason: 'unreadable',
      deadLetterErrorDescription: 'not what was agreed',
      added: 3,
    });
    const deadLetters = deadLettersOf('settling');
    const dead = await receiveOne(deadLetters);
    expect(dead).toMatchObject({
      body: 'dead',
      messageId: message.messageId,
      deadLetterReason: 'unreadable',
      deadLetterErrorDescription: 'not what was agreed',
      applicationProperties: { kept: 'kept', changed: 1, added: 3 },
    });
    await deadLetters.completeMessage(dead);
    expect(await receiveWhatIsThere(receiver)).toEqual([]);
    await Promise.all([receiver.close(), deadLetters.close()]);
  });

  it('answers the settlements that are under way when the receiver closes', async () => {
    const sender = namespace.client.createSender('settling');
    await sender.sendMessages(Array.from({ length: 200 }, (_, index) => ({ body: index })));
    const receiver = namespace.client.createReceiver('settling');
    const messages = await receiver.receiveMessages(200, { maxWaitTimeInMs: 5_000 });
    const completing = messages.map((message) => receiver.completeMessage(message));
    await receiver.close();
    await Promise.all(completing);
    expect(messages).toHaveLength(200);
  });

  it('settles messages whose receiver has closed', async () => {
    for (const body of ['complete', 'abandon', 'dead']) await send('settling', body);
    const first = namespace.client.createReceiver('settling');
    const messages = await first.receiveMessages(3, { maxWaitTimeInMs: 5_000 });
    await first.close();
    const [complete, abandon, dead] = messages;
    if (complete === undefined || abandon === undefined || dead === undefined)
      throw new Error('Too few messages.');
    const receiver = namespace.client.createReceiver('settling');
    await receiver.completeMessage(complete);
    await receiver.abandonMessage(abandon, { changed: 2 });
    await receiver.deadLetterMessage(dead, {
      deadLetterReason: 'late',
      deadLetterErrorDescription: 'too late',
    });
    const again = await receiveOne(receiver);
    expect(again).toMatchObject({ body: 'abandon', deliveryCount: 1, applicationProperties: { changed: 2 } });
    await receiver.completeMessage(again);
    const deadLetters = deadLettersOf('settling');
    const deadLetter = await receiveOne(deadLetters);
    expect(deadLetter).toMatchObject({ body: 'dead', deadLetterReason: 'late' });
    await deadLetters.completeMessage(deadLetter);
    await Promise.all([receiver.close(), deadLetters.close()]);
  });

  it('dead-letters a message after its last allowed delivery', async () => {
    await send('two-deliveries', 'poison');
    const receiver = namespace.client.createReceiver('two-deliveries');
    await receiver.abandonMessage(await receiveOne(receiver));
    await receiver.abandonMessage(await receiveOne(receiver));
    const deadLetters = deadLettersOf('two-deliveries');
    const dead = await receiveOne(deadLetters);
    expect(dead.deadLetterReason).toBe('MaxDeliveryCountExceeded');
    expect(dead.deliveryCount).toBe(2);
    // In the dead-letter queue there is no limit, and no count.
    await deadLetters.abandonMessage(dead);
    const again = await receiveOne(deadLetters);
    expect(again.deliveryCount).toBe(2);
    await deadLetters.completeMessage(again);
    await Promise.all([receiver.close(), deadLetters.close()]);
  });

  it('delivers a message again when its lock expires, not when it was renewed, and tells the late receiver at once', async () => {
    const { client } = namespace;
    await send('short-lock', 'renewed');
    await send('short-lock', 'late');
    const receiver = client.createReceiver('short-lock', { maxAutoLockRenewalDurationInMs: 0 });
    const [renewed, late] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 });
    if (renewed === undefined || late === undefined) throw new Error('Too few messages.');
    const renewAt = (renewed.lockedUntilUtc?.getTime() ?? 0) - 2_000;
    const other = client.createReceiver('short-lock', { maxAutoLockRenewalDurationInMs: 0 });
    expect(await other.receiveMessages(1, { maxWaitTimeInMs: renewAt - Date.now() })).toEqual([]);
    const renewedUntil = await receiver.renewMessageLock(renewed);
    expect(renewedUntil.getTime()).toBeGreaterThan(renewAt + 4_000);

    const redelivered = await receiveOne(other);
    expect(redelivered).toMatchObject({ body: 'late', deliveryCount: 1 });
    const started = Date.now();
    await expect(receiver.completeMessage(late)).rejects.toMatchObject({ code: 'MessageLockLost' });
    await expect(receiver.renewMessageLock(late)).rejects.toMatchObject({ code: 'MessageLockLost' });
    expect(Date.now() - started).toBeLessThan(4_000);
    await receiver.completeMessage(renewed);
    await other.completeMessage(redelivered);
    await Promise.all([receiver.close(), other.close()]);
  });
});
