import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceBusClient } from '@azure/service-bus';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { receiveOne, receiveWhatIsThere } from './namespace.ts';

interface Emulator {
  readonly client: ServiceBusClient;
  kill(): Promise<void>;
}

/** A message's way as its clients saw it. */
interface Witness {
  readonly sent: Set<string>;
  readonly completionAsked: Set<string>;
  readonly completed: Set<string>;
}

const ROUNDS = 3;
const SENDERS = 8;

describe.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('what was acknowledged survives kill -9', () => {
  let dataFolder: string;
  let running: Emulator | undefined;

  beforeEach(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'service-bus-test-'));
  });
  afterEach(async () => {
    await running?.kill();
    await rm(dataFolder, { recursive: true, force: true });
  });

  async function restart(): Promise<ServiceBusClient> {
    await running?.kill();
    running = await start(dataFolder);
    return running.client;
  }

  it('messages with their properties and delivery counts, scheduled ones, dead letters, known ids and numbers', async () => {
    let client = await restart();
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

    client = await restart();
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

    client = await restart();
    expect(await receiveWhatIsThere(client.createReceiver('settling'))).toEqual([]);
  });

  it('under load: no acknowledged message is lost, none comes back after its completion was acknowledged', async () => {
    const witness: Witness = { sent: new Set(), completionAsked: new Set(), completed: new Set() };
    for (let round = 1; round <= ROUNDS; round += 1) {
      const client = await restart();
      const load = putUnderLoad(client, witness);
      const target = witness.completed.size + 100 + 150 * Math.random();
      await vi.waitFor(() => expect(witness.completed.size).toBeGreaterThan(target), {
        timeout: 10_000,
        interval: 5,
      });
      await running?.kill();
      await load;
    }

    const client = await restart();
    const receiver = client.createReceiver('streaming', { receiveMode: 'receiveAndDelete' });
    const left = new Set<unknown>();
    for (;;) {
      const messages = await receiveWhatIsThere(receiver, 1_000);
      if (messages.length === 0) break;
      for (const { messageId } of messages) left.add(messageId);
    }
    const lost = [...witness.sent].filter((id) => !left.has(id) && !witness.completionAsked.has(id));
    const back = [...witness.completed].filter((id) => left.has(id));
    expect({ lost, back }).toEqual({ lost: [], back: [] });
  });
});

async function start(dataFolder: string): Promise<Emulator> {
  const script = join(import.meta.dirname, 'emulator-process.ts');
  const child = spawn(process.execPath, [script, dataFolder], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [connectionString] = await once(createInterface(child.stdout), 'line');
  const client = new ServiceBusClient(String(connectionString), {
    retryOptions: { maxRetries: 0, timeoutInMs: 1_000 },
  });
  return { client, kill: () => kill(child, client) };
}

async function kill(child: ChildProcess, client: ServiceBusClient): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  await client.close();
}

/** Sends and completes until the emulator dies, and writes down what was asked and what was acknowledged. */
async function putUnderLoad(client: ServiceBusClient, witness: Witness): Promise<void> {
  const sender = client.createSender('streaming');
  const receiver = client.createReceiver('streaming');
  receiver.subscribe(
    {
      processMessage: async (message) => {
        const id = String(message.messageId);
        witness.completionAsked.add(id);
        await receiver.completeMessage(message).then(
          () => witness.completed.add(id),
          () => {},
        );
      },
      processError: async () => {},
    },
    { autoCompleteMessages: false, maxConcurrentCalls: 20 },
  );
  const sending = Array.from({ length: SENDERS }, async () => {
    for (;;) {
      const messageId = randomUUID();
      await sender.sendMessages({ body: '', messageId });
      witness.sent.add(messageId);
    }
  });
  await Promise.allSettled(sending);
}
