import { ServiceBusClient, type ServiceBusReceivedMessage } from '@azure/service-bus';
import { CloudEvent } from 'cloudevents';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { SERVICE_BUS_TOPICS } from '../../../shared/platform/topology.ts';
import { type Json, type Scope, scopeId } from '../../../shared/records/index.ts';
import { startReceiver } from '../webhooks/receiver.ts';
import {
  eventually,
  type Servers,
  startServers,
  startWebhooks,
  type Webhooks,
} from '../webhooks/webhooks-fixture.ts';
import { deliveriesTo, inject, replay, take } from './bus-fixture.ts';

const { name: TOPIC } = SERVICE_BUS_TOPICS.notifications;
const author = { actor: 'test', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
const FULL = {
  match: { entity: TOPIC, operation: 'send' },
  action: { kind: 'detach-link', condition: 'amqp:resource-limit-exceeded' },
};

let servers: Servers;
let webhooks: Webhooks;
let client: ServiceBusClient;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  const subscriptions = [
    { name: 'all', hasSessions: false },
    {
      name: 'removals',
      hasSessions: false,
      filter: "kind = 'kv' AND change <> 'put' AND revision > 1 AND sys.Label LIKE '/kv/s/%'",
    },
    { name: 'turns', hasSessions: true, filter: "type = 'skerry.kv.put' AND actor = 'test'" },
  ];
  servers = await startServers({ config: serviceBusEntities(subscriptions), faultsPort: 0 });
});

afterAll(async () => {
  await servers.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  client = new ServiceBusClient(servers.serviceBus.connectionString);
  webhooks = await startWebhooks(servers);
});

afterEach(async () => {
  await inject(servers);
  await webhooks.stop();
  await client.close();
});

test('every change is published as a CloudEvent, with properties that filters can use', async () => {
  await put('/kv/s/a b', { size: 1 });
  await put('/kv/s/a b', { size: 2 });
  await remove('/kv/s/a b');
  await put('/app/dm', 'x');
  await webhooks.subscriptions.create(ns, { name: 'x', key: '/kv', endpoint: 'http://127.0.0.1:1/' }, author);
  await put('/kv/t/last', 1);

  const messages = await receive('all', 5);
  expect(messages.map(({ subject }) => subject)).toEqual([
    '/kv/s/a b',
    '/kv/s/a b',
    '/kv/s/a b',
    '/app/dm',
    '/kv/t/last',
  ]);
  const [, second, removal, application] = messages;
  expect(second).toMatchObject({
    contentType: 'application/cloudevents+json',
    messageId: `${ns}:kv:s@2`,
    sessionId: `${ns}:kv:s`,
    applicationProperties: {
      ns,
      kind: 'kv',
      name: 's',
      key: '/kv/s/a b',
      type: 'skerry.kv.put',
      change: 'put',
      revision: 2,
      actor: 'test',
    },
  });
  expect(second?.body).toEqual({
    specversion: '1.0',
    id: '2',
    source: `/${ns}/kv/s`,
    type: 'skerry.kv.put',
    subject: '/kv/s/a b',
    time: expect.any(String),
    datacontenttype: 'application/json',
    traceparent: author.traceparent,
    data: {
      ns,
      scope: `${ns}:kv:s`,
      key: '/kv/s/a b',
      revision: 2,
      type: 'put',
      actor: 'test',
      before: { size: 1 },
      after: { size: 2 },
    },
  });
  expect(removal?.body.data).toMatchObject({ type: 'delete', before: { size: 2 }, after: null });
  expect(application?.applicationProperties).toMatchObject({ kind: 'app', name: '' });
  for (const { body } of messages) {
    expect(() => new CloudEvent(body, true).validate()).not.toThrow();
  }
  const filtered = await receive('removals', 1);
  expect(filtered.map(({ body }) => body.id)).toEqual(['3']);
});

test('a batch that is handed over again is published once', async () => {
  await put('/kv/s/a', 1);
  await receive('all', 1);
  await handOverAgain('/kv/s/a', 1);
  await put('/kv/s/a', 2);
  expect((await receive('all', 1)).map(({ body }) => body.id)).toEqual(['2']);
});

test('a subscription with sessions has the changes of each scope in their order', async () => {
  const revisions = Array.from({ length: 10 }, (_, nth) => nth + 1);
  for (const revision of revisions) {
    await Promise.all(['one', 'two'].map((store) => put(`/kv/${store}/key`, revision)));
  }
  for (const store of ['one', 'two']) {
    const session = await client.acceptSession(TOPIC, 'turns', `${ns}:kv:${store}`);
    const messages = await take(session, { ns, count: revisions.length });
    expect(messages.map(({ body }) => body.data.revision)).toEqual(revisions);
  }
});

test('a change too large for a message goes without its values, and says where they are', async () => {
  const large = 'x'.repeat(150_000);
  await put('/kv/s/a%b', large);
  await put('/kv/s/a%b', `${large}y`);
  const [whole, reduced] = await receive('all', 2);
  expect(whole?.body.data).toMatchObject({ before: null, after: large });
  expect(reduced?.body).toMatchObject({
    id: '2',
    historyref: `/api/v1/history/kv/s/a%25b?ns=${ns}`,
    data: { revision: 2, type: 'put' },
  });
  expect(reduced?.body.data).not.toHaveProperty('before');
  expect(reduced?.body.data).not.toHaveProperty('after');
  expect(reduced?.applicationProperties).toMatchObject({ revision: 2 });
});

test('names that are longer than ids of the bus may be are published under a hash', async () => {
  const store = 's'.repeat(128);
  await put(`/kv/${store}/a`, 1);
  await put(`/kv/${store}/a`, 2);
  const [one, two] = await receive('all', 2);
  expect(one?.sessionId).toBe(two?.sessionId);
  expect(one?.messageId).not.toBe(two?.messageId);
  for (const id of [one?.sessionId, one?.messageId]) {
    expect(String(id).length).toBeLessThanOrEqual(128);
  }
  expect(one?.applicationProperties).toMatchObject({ name: store });
});

test('a full topic keeps no webhook back; what it did not take is replayed once it has room', async () => {
  const receiver = await startReceiver();
  try {
    const input = { name: 'x', key: '/kv', endpoint: receiver.url };
    await webhooks.subscriptions.create(ns, input, author);
    await inject(servers, FULL);
    await put('/kv/s/a', 1);
    await put('/kv/s/b', 2);
    await eventually(() => expect(receiver.calls).toHaveLength(2));
    const dead = await eventually(async () => {
      const deliveries = await deliveriesTo(notifications());
      expect(deliveries.map(({ state }) => state)).toEqual(['dead', 'dead']);
      return deliveries;
    });
    for (const { reason } of dead) {
      expect(reason).toBe(
        'The topic of notifications is full: one of its subscriptions is not read from. (QuotaExceeded)',
      );
    }
    await replay(notifications(), dead);
    await eventually(async () => {
      // Both: one that is still tried would be taken once there is room.
      const tried = await deliveriesTo(notifications());
      expect(tried.map(({ state, attempts }) => [state, attempts.length])).toEqual([
        ['dead', 3],
        ['dead', 3],
      ]);
    });
    await inject(servers);
    await put('/kv/s/c', 3);
    expect((await receive('all', 1)).map(({ body }) => body.id)).toEqual(['3']);
    await eventually(async () => {
      expect((await deliveriesTo(notifications())).map(({ state }) => state)).toEqual(['dead', 'dead']);
    });
    await replay(notifications(), await deliveriesTo(notifications()));
    expect((await receive('all', 2)).map(({ body }) => body.id).sort()).toEqual(['1', '2']);
    await eventually(async () => {
      expect((await deliveriesTo(notifications())).map(({ state }) => state)).toEqual([
        'delivered',
        'delivered',
      ]);
    });
    expect(receiver.calls).toHaveLength(3);
  } finally {
    await receiver.stop();
  }
});

test('without a topic webhooks go on', async () => {
  const [namespace] = serviceBusEntities().UserConfig.Namespaces;
  const config = { UserConfig: { Namespaces: [{ ...namespace, Name: 'sbemulatorns', Topics: [] }] } };
  const bare = await startServers({ config });
  const receiver = await startReceiver();
  const own = await startWebhooks(bare);
  try {
    await own.subscriptions.create(ns, { name: 'x', key: '/kv', endpoint: receiver.url }, author);
    await put('/kv/s/a', 1, own);
    await eventually(() => expect(receiver.calls).toHaveLength(1));
    await eventually(async () => {
      const { deliveries } = await own.storage.list('notifications', { limit: 10 });
      expect(deliveries).toMatchObject([{ reason: expect.stringContaining('There is no topic') }]);
    });
    expect(own.alerts).toHaveLength(1);
  } finally {
    await own.stop();
    await receiver.stop();
    await bare.stop();
  }
});

function scopeOf(key: string): Scope {
  const [, kind = '', name = ''] = key.split('/');
  return { ns, kind, name: kind === 'app' ? '' : name };
}

async function put(key: string, value: Json, to = webhooks): Promise<void> {
  await to.records.commit<Json>(scopeOf(key), { key, ...author, decide: () => ({ type: 'put', value }) });
}

async function remove(key: string): Promise<void> {
  await webhooks.records.commit<Json>(scopeOf(key), { key, ...author, decide: () => ({ type: 'delete' }) });
}

async function handOverAgain(key: string, revision: number): Promise<void> {
  const change = await webhooks.records.readChange(scopeOf(key), revision);
  const document = { ...change, scope: scopeId(scopeOf(key)), type: 'change' };
  await webhooks.fanOut.handle([document], { error: (...texts) => expect.fail(texts.join(' ')) });
}

function notifications() {
  return { webhooks, ns, subscription: 'notifications' };
}

/** The next messages of a subscription, of this test's namespace, which has no more than these. */
async function receive(subscription: string, count: number): Promise<ServiceBusReceivedMessage[]> {
  return await take(client.createReceiver(TOPIC, subscription), { ns, count });
}
