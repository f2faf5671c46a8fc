import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  ServiceBusClient,
  type ServiceBusMessage,
  type ServiceBusReceiver,
  type ServiceBusSender,
} from '@azure/service-bus';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';
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

const ROUNDS = runs(3, 100);
const SENDERS = 8;

/** After how many completions more each round ends. */
function momentsOfDeath(test: string): number[] {
  return fc.sample(fc.integer({ min: 100, max: 250 }), { seed: printedSeed(test), numRuns: ROUNDS });
}

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
    for (const completions of momentsOfDeath('a queue under load')) {
      const client = await restart();
      const load = putUnderLoad(
        client.createSender('streaming'),
        client.createReceiver('streaming'),
        witness,
      );
      await killAfter(witness, completions, load);
    }

    const client = await restart();
    expectNothingLost(witness, await drain(client.createReceiver('streaming', DELETING)));
  });

  it('under load on a topic: every subscription has its copy of a message or none has', async () => {
    const witness: Witness = { sent: new Set(), completionAsked: new Set(), completed: new Set() };
    const message = {
      body: '',
      subject: 'large',
      contentType: 'text/plain',
      applicationProperties: { color: 'red' },
    };
    for (const completions of momentsOfDeath('a topic under load')) {
      const earlier = new Set(witness.sent);
      let client = await restart();
      const load = putUnderLoad(
        client.createSender('publishing'),
        client.createReceiver('publishing', 'red'),
        witness,
        message,
      );
      await killAfter(witness, completions, load);
      client = await restart();
      const everything = await drain(client.createReceiver('publishing', 'everything', DELETING));
      const labelled = await drain(client.createReceiver('publishing', 'large-or-labelled', DELETING));
      expect(everything).toEqual(labelled);
      expect([...witness.sent].filter((id) => !earlier.has(id) && !everything.has(id))).toEqual([]);
    }
    expectNothingLost(witness, await drain((await restart()).createReceiver('publishing', 'red', DELETING)));
  });

  async function killAfter(witness: Witness, completions: number, load: Promise<void>): Promise<void> {
    const target = witness.completed.size + completions;
    const until = { timeout: 10_000, interval: 5 };
    await vi.waitFor(() => expect(witness.completed.size).toBeGreaterThan(target), until);
    await running?.kill();
    await load;
  }
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

const DELETING = { receiveMode: 'receiveAndDelete' } as const;

/** The ids of all that is there. */
async function drain(receiver: ServiceBusReceiver): Promise<Set<unknown>> {
  const left = new Set<unknown>();
  for (;;) {
    const messages = await receiveWhatIsThere(receiver, 1_000);
    if (messages.length === 0) return left;
    for (const { messageId } of messages) left.add(messageId);
  }
}

function expectNothingLost({ sent, completionAsked, completed }: Witness, left: ReadonlySet<unknown>): void {
  const lost = [...sent].filter((id) => !left.has(id) && !completionAsked.has(id));
  const back = [...completed].filter((id) => left.has(id));
  expect({ lost, back }).toEqual({ lost: [], back: [] });
}

/**
 * Sends and completes until the emulator dies, and writes down what was asked and what was acknowledged. Every other
 * message is scheduled for the next moment.
 */
async function putUnderLoad(
  sender: ServiceBusSender,
  receiver: ServiceBusReceiver,
  witness: Witness,
  message: ServiceBusMessage = { body: '' },
): Promise<void> {
  receiver.subscribe(
    {
      processMessage: async (received) => {
        const id = String(received.messageId);
        witness.completionAsked.add(id);
        await receiver.completeMessage(received).then(
          () => witness.completed.add(id),
          () => {},
        );
      },
      processError: async () => {},
    },
    { autoCompleteMessages: false, maxConcurrentCalls: 20 },
  );
  const sending = Array.from({ length: SENDERS }, async (_, index) => {
    for (;;) {
      const messageId = randomUUID();
      const sent = { ...message, messageId };
      if (index % 2 === 0) await sender.sendMessages(sent);
      else await sender.scheduleMessages(sent, new Date(Date.now() + 30));
      witness.sent.add(messageId);
    }
  });
  await Promise.allSettled(sending);
}
