import { ServiceBusClient } from '@azure/service-bus';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { Callbacks } from '../../../shared/notifications/index.ts';
import { type Command, operationKey, operationScope } from '../../../shared/operations/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import type { Json } from '../../../shared/records/index.ts';
import { Consents } from '../../../shared/webhooks/index.ts';
import { anyMaker } from '../any-maker.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import { testSealer } from '../webhooks/test-sealer.ts';
import {
  eventually,
  type Servers,
  startServers,
  startWebhooks,
  type Webhooks,
} from '../webhooks/webhooks-fixture.ts';
import { deliveriesTo, inject, replay, take } from './bus-fixture.ts';

const author = { actor: 'test' };
const DAY = 24 * 60 * 60 * 1_000;

let servers: Servers;
let webhooks: Webhooks;
let client: ServiceBusClient;
let callbacks: Callbacks;
let ns: string;
let operation: string;
let namespaces = 0;

beforeAll(async () => {
  const [namespace] = serviceBusEntities().UserConfig.Namespaces;
  const queue = (Name: string, RequiresSession: boolean) => ({ Name, Properties: { RequiresSession } });
  const queues = [...(namespace?.Queues ?? []), queue('answers', false), queue('turns', true)];
  const config = { UserConfig: { Namespaces: [{ ...namespace, Name: 'sbemulatorns', Queues: queues }] } };
  servers = await startServers({ config, faultsPort: 0 });
  client = new ServiceBusClient(servers.serviceBus.connectionString);
});

afterAll(async () => {
  await client.close();
  await servers.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  operation = `op_${namespaces}`;
  webhooks = await startWebhooks(servers);
  const { subscriptions, queue } = webhooks;
  callbacks = new Callbacks({
    subscriptions,
    consents: new Consents({
      subscriptions,
      activation: webhooks.activation,
      queue,
      askForConsent: async () => ({ error: 'Nobody is asked.' }),
      sealer: testSealer,
      callerOf: anyMaker,
      clock: systemClock,
      random: systemRandom,
      isDefault: false,
      retrySeconds: [],
    }),
    callerOf: anyMaker,
    clock: systemClock,
    baseUrl: 'https://skerry.example',
  });
});

afterEach(async () => {
  await inject(servers);
  await webhooks.stop();
});

test('who a command names hears of its operation and of nothing else, with the operation as the session', async () => {
  const { told } = await callbacks.prepare(command({ replyto: 'turns' }), operation);
  await putOperation(told, 'queued');
  await put(`${operationKey(operation)}/steps/one`, { state: 'ready' });
  await webhooks.records.commit<Json>(kv(), {
    key: '/kv/s/a',
    ...author,
    decide: () => ({ type: 'put', value: 1 }),
  });
  await putOperation(told, 'succeeded');

  const session = await client.acceptSession('turns', operation);
  const messages = await take(session, { ns, count: 3 });
  expect(messages.map(({ subject }) => subject)).toEqual([
    operationKey(operation),
    `${operationKey(operation)}/steps/one`,
    operationKey(operation),
  ]);
  expect(messages.at(-1)).toMatchObject({
    contentType: 'application/cloudevents+json',
    correlationId: 'command-1',
    body: { type: 'skerry.op.put', data: { after: { state: 'succeeded' } } },
  });
});

test('a process that first hears of a step looks up who is to be told', async () => {
  await putOperation({ replyTo: 'answers' }, 'running');
  await take(client.createReceiver('answers'), { ns, count: 1 });
  await webhooks.stop();
  webhooks = await startWebhooks(servers);
  await put(`${operationKey(operation)}/steps/one`, { state: 'ready' });
  const [message] = await take(client.createReceiver('answers'), { ns, count: 1 });
  expect(message?.subject).toBe(`${operationKey(operation)}/steps/one`);
});

test('a target that is missing makes dead deliveries, which can be replayed, and keeps nobody else waiting', async () => {
  await putOperation({ replyTo: 'nowhere' }, 'queued');
  const dead = await eventually(async () => {
    const deliveries = await deliveriesTo(replies());
    expect(deliveries.map(({ state }) => state)).toEqual(['dead']);
    return deliveries;
  });
  expect(dead[0]?.reason).toBe('There is no queue or topic "nowhere". (MessagingEntityNotFound)');
  expect(await deliveriesTo({ webhooks, ns, subscription: 'notifications' })).toEqual([]);
  await webhooks.records.commit<Json>(operationScope(ns, 'op_other'), {
    key: operationKey('op_other'),
    ...author,
    decide: () => ({ type: 'put', value: operationValue({ replyTo: 'answers' }, 'queued') }),
  });
  await take(client.createReceiver('answers'), { ns, count: 1 });
  await replay(replies(), dead);
  await eventually(async () => {
    const [{ state, attempts = [] } = {}] = await deliveriesTo(replies());
    expect({ state, attempts: attempts.length }).toEqual({ state: 'dead', attempts: 3 });
  });
});

test('a target that does not answer for a moment is told later', async () => {
  await inject(servers, {
    match: { entity: 'answers', operation: 'send' },
    action: { kind: 'detach-link', condition: 'amqp:internal-error' },
  });
  await putOperation({ replyTo: 'answers' }, 'queued');
  await eventually(async () => expect(await deliveriesTo(replies())).toHaveLength(1));
  await inject(servers);
  // Slow as this machine may be: its attempts may be over by now.
  const [delivery] = await deliveriesTo(replies());
  if (delivery?.state === 'dead') {
    expect(delivery.attempts).toHaveLength(3);
    await replay(replies(), [delivery]);
  }
  await take(client.createReceiver('answers'), { ns, count: 1 });
  await eventually(async () => expect(await deliveriesTo(replies())).toMatchObject([{ state: 'delivered' }]));
});

test.each([
  'commands',
  'Steps',
  'deliveries/$deadletterqueue',
  'notifications',
  'no name',
  '',
  '/x',
  'sb://x',
])('a reply to "%s" is refused', async (replyto) => {
  await expect(callbacks.prepare(command({ replyto }), operation)).rejects.toMatchObject({
    kind: 'invalid',
    field: 'replyto',
  });
});

test('a callback hears of the operation from its first change on, signed, and ends a week after it', async () => {
  const receiver = await startReceiver();
  try {
    const calling = command({ callback: receiver.url });
    const { told, secret } = await callbacks.prepare(calling, operation);
    expect(await callbacks.prepare(calling, operation)).toEqual({ told, secret });
    await putOperation(told, 'queued');
    await putOperation(told, 'succeeded');
    await eventually(() => expect(receiver.calls).toHaveLength(2));
    const verifier = new Webhook(secret ?? '');
    for (const call of receiver.calls) {
      expect(verifier.verify(call.text, call.headers as Record<string, string>)).toMatchObject({
        type: 'skerry.op.put',
        subject: operationKey(operation),
      });
    }
    const id = told.subscription ?? '';
    const { createdAt } = await webhooks.subscriptions.get(ns, id);
    const endedAt = new Date(Date.parse(createdAt) - 6 * DAY).toISOString();
    await callbacks.ended(operationOf(told, endedAt));
    // What is said of it meanwhile leaves its end alone.
    const paused = await webhooks.activation.pause(ns, id, author);
    expect(paused.expiresAt).toBe(new Date(Date.parse(endedAt) + 7 * DAY).toISOString());
    await callbacks.ended(operationOf(told, new Date(Date.parse(createdAt) - 8 * DAY).toISOString()));
    expect(await webhooks.subscriptions.find(ns, id)).toBeUndefined();
  } finally {
    await receiver.stop();
  }
});

test('a secret that was given signs, and is not told', async () => {
  const receiver = await startReceiver();
  try {
    const callbacksecret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
    const { told, secret } = await callbacks.prepare(
      command({ callback: receiver.url, callbacksecret }),
      operation,
    );
    expect(secret).toBeUndefined();
    await putOperation(told, 'queued');
    await eventually(() => expect(receiver.calls).toHaveLength(1));
    const [call] = receiver.calls;
    new Webhook(callbacksecret).verify(call?.text ?? '', call?.headers as Record<string, string>);
    for (const faulty of [{ callbacksecret: 'whsec_eA==' }, { callback: 'ftp://x' }]) {
      const sent = command({ callback: receiver.url, ...faulty });
      await expect(callbacks.prepare(sent, `${operation}x`)).rejects.toMatchObject({ kind: 'invalid' });
    }
  } finally {
    await receiver.stop();
  }
});

function command(more: Partial<Command>): Command {
  return {
    specversion: '1.0',
    id: 'command-1',
    source: '/test',
    type: 'environment.create',
    ns,
    actor: 'test',
    data: {},
    ...more,
  };
}

function operationValue(told: object, state: string): Json {
  return { type: 'x', command: { source: '/test', id: 'command-1' }, state, ...told };
}

function operationOf(told: { readonly subscription?: string }, endedAt: string) {
  return {
    id: operation,
    ns,
    type: 'environment.create',
    command: { source: '/test', id: 'command-1' },
    session: 'x',
    state: 'succeeded',
    data: {},
    actor: 'test',
    acceptedAt: endedAt,
    endedAt,
    ...told,
  } as const;
}

async function putOperation(told: object, state: string): Promise<void> {
  await put(operationKey(operation), operationValue(told, state));
}

async function put(key: string, value: Json): Promise<void> {
  await webhooks.records.commit<Json>(operationScope(ns, operation), {
    key,
    ...author,
    decide: () => ({ type: 'put', value }),
  });
}

function replies() {
  return { webhooks, ns, subscription: 'replies' };
}

function kv() {
  return { ns, kind: 'kv', name: 's' };
}
