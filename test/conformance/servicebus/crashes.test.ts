import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceBusClient, ServiceBusReceivedMessage, ServiceBusReceiver } from '@azure/service-bus';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';
import { KillableEmulator } from './killable-emulator.ts';

const CRASHES = runs(2, 250);
/** Milliseconds; a busy machine takes seconds to start a process. */
const PATIENCE = runs(90_000, 1_800_000);
const CONNECTED_WITHIN = { timeout: 45_000, interval: 10 };
const SENDERS = 4;
const receiveMode = 'receiveAndDelete';
const HOUR = 3_600_000;
const SESSIONS = ['one', 'two'];
/** What every subscription of `COPIES` wants. */
const WANTED = {
  body: '',
  subject: 'large',
  contentType: 'text/plain',
  applicationProperties: { color: 'red' },
};
const COPIES = ['everything', 'red', 'large-or-labelled'];
/** Shorter than the queue's window for duplicates, to which a restart and a check belong (milliseconds). */
const REPEATED_WITHIN = 8_000;

/** Something a client asks for: the answer, if one came, and whether the asking began at all. */
class Deeds {
  readonly asked = new Set<string>();
  readonly acknowledged = new Set<string>();

  /** Rejects when no answer came. */
  async perform<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    this.asked.add(id);
    const result = await work();
    this.acknowledged.add(id);
    return result;
  }
}

/** What the clients of one life of the emulator asked for and were told. */
class Witness {
  readonly sent = new Deeds();
  readonly completed = new Deeds();
  readonly deadLettered = new Deeds();
  readonly scheduled = new Map<string, Long>();
  readonly cancelled = new Deeds();
  readonly published = new Deeds();
  readonly repeatable = new Map<string, number>();
  readonly sessions = new Map(SESSIONS.map((id) => [id, new SessionWitness()]));
}

class SessionWitness {
  readonly sent: string[] = [];
  readonly completed = new Deeds();
  stateAsked = 0;
  stateAcknowledged = 0;
}

/** The SDK's sequence number. */
type Long = Awaited<ReturnType<ReturnType<ServiceBusClient['createSender']>['scheduleMessages']>>[number];

describe.skipIf(process.env.SERVICEBUS_CONNECTION_STRING)('kill -9 at any moment', () => {
  let emulator: KillableEmulator;
  beforeAll(async () => {
    emulator = await KillableEmulator.create();
  });
  afterAll(() => emulator.remove());

  it(
    `under load, ${CRASHES} times: what was acknowledged stands, exactly once`,
    async () => {
      const moments = fc.sample(fc.integer({ min: 50, max: 600 }), {
        numRuns: CRASHES,
        seed: printedSeed('Service Bus crashes'),
      });
      let client = await emulator.restart();
      let acknowledged = 0;
      for (const [index, moment] of moments.entries()) {
        const witness = new Witness();
        void Promise.allSettled(workloads(client, witness).map((work) => work()));
        // Every other one dies when something is acknowledged for sure: a busy machine may take longer than the moment to connect.
        if (index % 2 === 1) {
          await vi.waitFor(() => expect(witness.sent.acknowledged.size).toBeGreaterThan(0), CONNECTED_WITHIN);
        }
        await delay(moment);
        await emulator.kill();
        client = await emulator.restart();
        await verifyQueue(emulator, witness);
        await verifyScheduled(client, witness);
        await verifyDuplicates(client, witness);
        await verifyCopies(client, witness);
        for (const [sessionId, known] of witness.sessions) {
          // A client goes on peeking where it stopped, in whatever session.
          await verifySession(emulator.connect(), sessionId, known);
        }
        acknowledged += witness.sent.acknowledged.size + witness.completed.acknowledged.size;
      }
      expect(acknowledged).toBeGreaterThan(0);
    },
    PATIENCE,
  );
});

/** Each goes on until the emulator dies. */
function workloads(client: ServiceBusClient, witness: Witness): (() => Promise<void>)[] {
  return [
    ...Array.from({ length: SENDERS }, () => () => sendOnAndOn(client, witness)),
    () => settleOnAndOn(client, witness),
    () => scheduleOnAndOn(client, witness),
    () => repeatOnAndOn(client, witness),
    () => publishOnAndOn(client, witness),
    ...SESSIONS.map((sessionId) => () => workInSession(client, witness, sessionId)),
  ];
}

async function sendOnAndOn(client: ServiceBusClient, { sent }: Witness): Promise<void> {
  const sender = client.createSender('streaming');
  for (;;) {
    const messageId = randomUUID();
    await sent.perform(messageId, () => sender.sendMessages({ body: '', messageId }));
  }
}

/** Completes most messages, and dead-letters or abandons the others. */
async function settleOnAndOn(client: ServiceBusClient, witness: Witness): Promise<void> {
  const receiver = client.createReceiver('streaming');
  for (;;) {
    const messages = await receiver.receiveMessages(20, { maxWaitTimeInMs: 1_000 });
    await Promise.all(messages.map((message, index) => settle(receiver, message, index, witness)));
  }
}

async function settle(
  receiver: ServiceBusReceiver,
  message: ServiceBusReceivedMessage,
  index: number,
  { completed, deadLettered }: Witness,
): Promise<void> {
  const id = String(message.messageId);
  // Only once, or the queue would dead-letter it by itself.
  if (index % 5 === 3 && message.deliveryCount === 0) await receiver.abandonMessage(message);
  else if (index % 5 === 4) await deadLettered.perform(id, () => receiver.deadLetterMessage(message));
  else await completed.perform(id, () => receiver.completeMessage(message));
}

/** Schedules for later, and cancels every other one; some become due while the load goes on. */
async function scheduleOnAndOn(client: ServiceBusClient, witness: Witness): Promise<void> {
  const sender = client.createSender('streaming');
  const later = client.createSender('scheduling');
  for (let count = 0; ; count += 1) {
    const [soon, messageId] = [randomUUID(), randomUUID()];
    const due = new Date(Date.now() + 50);
    await witness.sent.perform(soon, () => sender.scheduleMessages({ body: '', messageId: soon }, due));
    const [number] = await later.scheduleMessages({ body: '', messageId }, new Date(Date.now() + HOUR));
    if (number === undefined) throw new Error('No sequence number.');
    witness.scheduled.set(messageId, number);
    if (count % 2 === 0)
      await witness.cancelled.perform(messageId, () => later.cancelScheduledMessages(number));
  }
}

async function repeatOnAndOn(client: ServiceBusClient, { repeatable }: Witness): Promise<void> {
  const sender = client.createSender('without-duplicates');
  for (;;) {
    const messageId = randomUUID();
    await Promise.all([1, 2].map((body) => sender.sendMessages({ body, messageId })));
    repeatable.set(messageId, Date.now());
  }
}

/** The topic holds every other message for a moment. */
async function publishOnAndOn(client: ServiceBusClient, { published }: Witness): Promise<void> {
  const sender = client.createSender('publishing');
  for (;;) {
    const [sent, scheduled] = [randomUUID(), randomUUID()];
    const due = new Date(Date.now() + 20);
    await Promise.all([
      published.perform(sent, () => sender.sendMessages({ ...WANTED, messageId: sent })),
      published.perform(scheduled, () => sender.scheduleMessages({ ...WANTED, messageId: scheduled }, due)),
    ]);
  }
}

async function workInSession(client: ServiceBusClient, witness: Witness, sessionId: string): Promise<void> {
  const known = witness.sessions.get(sessionId) ?? new SessionWitness();
  const sender = client.createSender('sessions');
  const receiver = await client.acceptSession('sessions', sessionId);
  for (let number = 1; ; number += 1) {
    await sender.sendMessages({ body: number, sessionId });
    known.sent.push(String(number));
    known.stateAsked = number;
    await receiver.setSessionState(number);
    known.stateAcknowledged = number;
    if (number % 3 !== 0) continue;
    const [message] = await receiver.receiveMessages(1, { maxWaitTimeInMs: 1_000 });
    if (message === undefined) throw new Error('A session lost its message.');
    await known.completed.perform(String(message.body), () => receiver.completeMessage(message));
  }
}

/** Like the others, takes away what it finds, so that the next life of the emulator begins with empty queues. */
async function verifyQueue(emulator: KillableEmulator, witness: Witness): Promise<void> {
  const { sent, completed, deadLettered } = witness;
  const subQueueType = 'deadLetter';
  const client = emulator.connect();
  const dead = new Set(await idsIn(client.createReceiver('streaming', { subQueueType })));
  const active = idsOf(await peekAtRest(emulator, 'streaming'));
  const everywhere = new Set([...active, ...dead]);
  expect({
    lost: [...sent.acknowledged].filter((id) => !everywhere.has(id) && !completed.asked.has(id)),
    doubled: active.length + dead.size - everywhere.size,
    back: [...completed.acknowledged].filter((id) => everywhere.has(id)),
    notDead: [...deadLettered.acknowledged].filter((id) => !dead.has(id)),
    deadUnasked: [...dead].filter((id) => !deadLettered.asked.has(id)),
  }).toEqual({ lost: [], doubled: 0, back: [], notDead: [], deadUnasked: [] });
  await take(client.createReceiver('streaming', { receiveMode }), active.length);
  await take(client.createReceiver('streaming', { receiveMode, subQueueType }), dead.size);
}

async function verifyScheduled(client: ServiceBusClient, { scheduled, cancelled }: Witness): Promise<void> {
  const waiting = await peekAll(client.createReceiver('scheduling'));
  const numbers = new Map(
    waiting.map(({ messageId, sequenceNumber }) => [String(messageId), String(sequenceNumber)]),
  );
  for (const [id, number] of scheduled) {
    if (cancelled.acknowledged.has(id)) expect(numbers.has(id)).toBe(false);
    else if (!cancelled.asked.has(id)) expect(numbers.get(id)).toBe(String(number));
  }
  const left = waiting.flatMap(({ sequenceNumber }) => sequenceNumber ?? []);
  await client.createSender('scheduling').cancelScheduledMessages(left);
}

async function verifyDuplicates(client: ServiceBusClient, { repeatable }: Witness): Promise<void> {
  const ids = [...repeatable].filter(([, at]) => Date.now() - at < REPEATED_WITHIN).map(([id]) => id);
  const sender = client.createSender('without-duplicates');
  if (ids.length > 0) await sender.sendMessages(ids.map((messageId) => ({ body: 'again', messageId })));
  const delivered = await idsIn(client.createReceiver('without-duplicates'));
  expect(new Set(delivered).size).toBe(delivered.length);
  expect([...repeatable.keys()].filter((id) => !delivered.includes(id))).toEqual([]);
  await take(client.createReceiver('without-duplicates', { receiveMode }), delivered.length);
}

/** Every subscription has its copy of a message, or none has. */
async function verifyCopies(client: ServiceBusClient, { published }: Witness): Promise<void> {
  const copies = await Promise.all(COPIES.map((name) => idsIn(client.createReceiver('publishing', name))));
  const [first = [], ...others] = copies;
  expect(new Set(first).size).toBe(first.length);
  for (const other of others) expect(other).toEqual(first);
  expect([...published.acknowledged].filter((id) => !first.includes(id))).toEqual([]);
  const receivers = COPIES.map((name) => client.createReceiver('publishing', name, { receiveMode }));
  await Promise.all(receivers.map((receiver) => take(receiver, first.length)));
}

async function verifySession(
  client: ServiceBusClient,
  sessionId: string,
  { sent, completed, stateAsked, stateAcknowledged }: SessionWitness,
): Promise<void> {
  const receiver = await client.acceptSession('sessions', sessionId, { receiveMode });
  const state = Number((await receiver.getSessionState()) ?? 0);
  expect(state).toBeGreaterThanOrEqual(stateAcknowledged);
  expect(state).toBeLessThanOrEqual(stateAsked);
  const bodies = (await peekAll(receiver)).map(({ body }) => String(body));
  const inOrder = [...new Set(bodies)].sort((left, right) => Number(left) - Number(right));
  expect(bodies).toEqual(inOrder);
  expect(sent.filter((id) => !bodies.includes(id) && !completed.asked.has(id))).toEqual([]);
  expect(bodies.filter((id) => completed.acknowledged.has(id))).toEqual([]);
  await receiver.setSessionState(null);
  await take(receiver, bodies.length);
}

async function idsIn(receiver: ServiceBusReceiver): Promise<string[]> {
  return idsOf(await peekAll(receiver));
}

function idsOf(messages: readonly ServiceBusReceivedMessage[]): string[] {
  return messages.map(({ messageId }) => String(messageId));
}

/** What is there when nothing is scheduled any more: what becomes due while one looks gets another number. */
async function peekAtRest(emulator: KillableEmulator, queue: string): Promise<ServiceBusReceivedMessage[]> {
  for (;;) {
    const messages = await peekAll(emulator.connect().createReceiver(queue));
    if (messages.every(({ state }) => state === 'active')) return messages;
  }
}

/** All that this client has not peeked at yet. */
async function peekAll(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage[]> {
  const messages: ServiceBusReceivedMessage[] = [];
  for (;;) {
    const page = await receiver.peekMessages(1_000);
    if (page.length === 0) return messages;
    messages.push(...page);
  }
}

async function take(receiver: ServiceBusReceiver, count: number): Promise<void> {
  for (let left = count; left > 0; ) {
    const messages = await receiver.receiveMessages(left, { maxWaitTimeInMs: 5_000 });
    expect(messages).not.toEqual([]);
    left -= messages.length;
  }
  await receiver.close();
}
