import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KillableEmulator } from './killable-emulator.ts';
import { receive, receiveOne, receiveWhatIsThere } from './namespace.ts';

describe.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('what was acknowledged survives kill -9', () => {
  let emulator: KillableEmulator;
  beforeEach(async () => {
    emulator = await KillableEmulator.create();
  });
  afterEach(() => emulator.remove());

  it('messages with their properties and delivery counts, scheduled ones, dead letters, known ids and numbers', async () => {
    let client = await emulator.restart();
    const due = new Date(Date.now() + 1_500);
    const sender = client.createSender('settling');
    await sender.sendMessages({ body: 'abandoned', applicationProperties: { kept: 1.5 } });
    let receiver = client.createReceiver('settling');
    const abandoned = await receiveOne(receiver);
    await receiver.abandonMessage(abandoned, { added: 'x' });
    await sender.sendMessages({ body: 'dead' });
    const [again, dead] = await receiver.receiveMessages(2, { maxWaitTimeInMs: 5_000 });
    if (again === undefined || dead === undefined) throw new Error('Too few messages.');
    await receiver.deadLetterMessage(dead, {
      deadLetterReason: 'because',
      deadLetterErrorDescription: '',
    });
    const [scheduledAs] = await sender.scheduleMessages({ body: 'scheduled' }, due);
    const messageId = randomUUID();
    await client.createSender('without-duplicates').sendMessages({ body: 'first', messageId });

    client = await emulator.restart();
    receiver = client.createReceiver('settling');
    const restored = await receiveOne(receiver);
    expect(restored).toMatchObject({ body: 'abandoned', deliveryCount: 1, messageId: abandoned.messageId });
    expect(restored.applicationProperties).toEqual({ kept: 1.5, added: 'x' });
    await receiver.completeMessage(restored);
    const scheduled = await receiveOne(receiver);
    expect(scheduled.body).toBe('scheduled');
    expect(Date.now()).toBeGreaterThanOrEqual(due.getTime());
    expect(scheduled.sequenceNumber?.greaterThan(scheduledAs ?? 0)).toBe(true);
    await receiver.completeMessage(scheduled);
    const deadLetters = client.createReceiver('settling', { subQueueType: 'deadLetter' });
    expect((await receiveOne(deadLetters)).deadLetterReason).toBe('because');
    await client.createSender('without-duplicates').sendMessages({ body: 'second', messageId });
    const once = client.createReceiver('without-duplicates', { receiveMode: 'receiveAndDelete' });
    expect((await receiveOne(once)).body).toBe('first');
    expect(await receiveWhatIsThere(once)).toEqual([]);

    client = await emulator.restart();
    expect(await receiveWhatIsThere(client.createReceiver('settling'))).toEqual([]);
  });

  it('the messages of sessions and their states, but no lock', async () => {
    let client = await emulator.restart();
    await client
      .createSender('sessions')
      .sendMessages([1, 2, 3].map((body) => ({ body, sessionId: 'kept' })));
    let receiver = await client.acceptSession('sessions', 'kept');
    await receiver.setSessionState({ step: 1 });
    const [first] = await receive(receiver, 2);
    if (first === undefined) throw new Error('No message.');
    await receiver.completeMessage(first);
    const other = await client.acceptSession('sessions', 'without messages');
    await other.setSessionState('alone');

    client = await emulator.restart();
    receiver = await client.acceptNextSession('sessions');
    expect(receiver.sessionId).toBe('kept');
    expect(await receiver.getSessionState()).toEqual({ step: 1 });
    const left = await receive(receiver, 2);
    expect(left.map(({ body }) => body)).toEqual([2, 3]);
    for (const message of left) await receiver.completeMessage(message);
    await receiver.setSessionState(null);
    const again = await client.acceptSession('sessions', 'without messages');
    expect(await again.getSessionState()).toBe('alone');

    client = await emulator.restart();
    expect(await (await client.acceptSession('sessions', 'kept')).getSessionState()).toBeNull();
  });

  it('and senders and handlers that try again go on when it is back', async () => {
    await emulator.start();
    const client = emulator.connect({ maxRetries: 20, retryDelayInMs: 100, timeoutInMs: 1_000 });
    const handled: unknown[] = [];
    client.createReceiver('receiving').subscribe({
      processMessage: async ({ body }) => void handled.push(body),
      processError: async () => {},
    });
    const sender = client.createSender('receiving');
    await sender.sendMessages({ body: 'before' });
    await vi.waitFor(() => expect(handled).toEqual(['before']), { timeout: 45_000 });
    await emulator.killProcess();
    await emulator.start({ port: emulator.port });
    await sender.sendMessages({ body: 'after' });
    await vi.waitFor(() => expect(handled).toContain('after'), { timeout: 45_000 });
  });

  it('because it ends when it can no longer write, instead of going on without', async () => {
    await emulator.start({ largestFile: 2_000 });
    const sender = emulator.connect({ maxRetries: 0, timeoutInMs: 4_000 }).createSender('sending');
    const sent: number[] = [];
    const failed = async () => {
      for (let number = 0; ; number += 1) {
        await sender.sendMessages({ body: Buffer.alloc(100_000), messageId: number });
        sent.push(number);
      }
    };
    await expect(failed()).rejects.toThrow();
    await emulator.exited();
    const client = await emulator.restart();
    const left = await client.createReceiver('sending').peekMessages(100);
    expect(left.map(({ messageId }) => Number(messageId))).toEqual(expect.arrayContaining(sent));
    expect(sent.length).toBeGreaterThan(0);
  });
});
