import type { Container } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, toTimestamp } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records, type Scope } from '../../../shared/records/index.ts';
import {
  type DeliveryMessage,
  type DeliveryQueue,
  DeliveryStorage,
  FanOut,
  type Publication,
  type QueueMessage,
  Subscriptions,
  type SubscriptionValue,
  withState,
} from '../../../shared/webhooks/index.ts';
import { type MeteredDatabase, startMeteredDatabase } from '../../bench/product/metered-database.ts';
import { anyMaker } from '../any-maker.ts';
import { testSealer } from './test-sealer.ts';

const author = { actor: 'test' };
const SKEW = 1_000;

let metered: MeteredDatabase;
let container: Container;
let records: Records;
let subscriptions: Subscriptions;
let storage: DeliveryStorage;
let ns: string;
let namespaces = 0;

/** What was sent to the bus, which may refuse; a message that was sent before counts once. */
let sent: Map<string, DeliveryMessage>;
let tasks: Exclude<QueueMessage, DeliveryMessage>[];
let nameOf: Map<string, string>;
let published: { scope: string; revision: number; value: Json | undefined }[];
let queueFault: Error | undefined;
let publish: Publication['publish'];
let alerts: string[];
let fanOut: FanOut;

beforeAll(async () => {
  metered = await startMeteredDatabase();
  const { database } = metered;
  container = database.container(COSMOS_CONTAINERS.records.id);
  const clock = systemClock;
  records = new Records({ container, clock, random: systemRandom });
  storage = new DeliveryStorage(database.container(COSMOS_CONTAINERS.deliveries.id));
  const endpointPolicy = { allowPrivate: true, ports: [] };
  subscriptions = new Subscriptions({
    records,
    clock,
    random: systemRandom,
    sealer: testSealer,
    endpointPolicy,
  });
});

afterAll(async () => {
  await metered.stop();
});

beforeEach(() => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  sent = new Map();
  tasks = [];
  nameOf = new Map();
  published = [];
  queueFault = undefined;
  publish = async (changes) => {
    published.push(
      ...changes.map(({ scope, change }) => ({ scope, revision: change.revision, value: change.value })),
    );
    return [];
  };
  alerts = [];
  fanOut = new FanOut({
    records,
    subscriptions,
    storage,
    queue,
    ordered: { prepare: async () => undefined },
    publications: [{ id: 'notifications', publish: (changes) => publish(changes) }],
    callerOf: anyMaker,
    clock: systemClock,
    clockSkewMilliseconds: SKEW,
  });
});

const queue: DeliveryQueue = {
  async send<Message extends QueueMessage>(messages: readonly Message[]) {
    if (queueFault !== undefined) {
      throw queueFault;
    }
    for (const message of messages as readonly QueueMessage[]) {
      if ('task' in message) {
        tasks.push(message);
      } else {
        sent.set(`${message.subscription} ${message.scope}@${message.revision}`, message);
      }
    }
    return [];
  },
  async schedule() {
    throw new Error('Nothing is scheduled here.');
  },
};

describe('a subscription', () => {
  test('hears of the types that it names', async () => {
    await subscribe('removals', { types: ['delete', 'expire'] });
    await subscribe('all', {});
    await put('/kv/s/a', 1);
    await remove('/kv/s/a');
    await handle();
    expect(heardBy('all')).toEqual([1, 2]);
    expect(heardBy('removals')).toEqual([2]);
  });

  test('hears of what differs at the places that it names, by the log: the host rewrites times in documents', async () => {
    await subscribe('until', { changed: ['/until', '/tags/0'] });
    const until = '2026-01-02T03:04:05.000Z';
    await put('/kv/s/a', { until, tags: ['x'] });
    await put('/kv/s/a', { until, tags: ['x'], note: 'other' });
    await put('/kv/s/a', { until: '2026-01-02T03:04:05.123Z', tags: ['x'] });
    await put('/kv/s/a', { until: '2026-01-02T03:04:05.123Z', tags: ['y'] });
    await put('/kv/s/b', { other: 1 });
    const rewritten = (await documents()).map((document) => ({
      ...document,
      value: { until: '2026-01-02T03:04:05' },
      previous: { until: '2026-01-02T03:04:05' },
    }));
    await handleDocuments(rewritten);
    expect(heardBy('until')).toEqual([1, 3, 4]);
    expect(published.map(({ value }) => value)).toContainEqual({ until, tags: ['x'], note: 'other' });
  });

  test('hears of the keys that its pattern covers, the one that it begins with among them', async () => {
    await subscribe('pattern', { key: '/kv/s/*/mtu' });
    await subscribe('below', { key: '/kv/s/if/**' });
    await put('/kv/s/eth0/mtu', 1);
    await put('/kv/s/eth0/state', 1);
    await put('/kv/s/if', 1);
    await put('/kv/s/if/a/b', 1);
    await handle();
    expect(heardBy('pattern')).toEqual([1]);
    expect(heardBy('below')).toEqual([3, 4]);
  });

  test('that is made, changed and removed between batches is known as it stands', async () => {
    await put('/kv/s/a', 0);
    await handle();
    const one = await subscribe('one', {});
    const two = await subscribe('two', {});
    await put('/kv/s/a', 1);
    await handle(2);
    expect([heardBy('one'), heardBy('two')]).toEqual([[2], [2]]);
    await update(one, (value) => ({ ...value, key: '/kv/s/b' }));
    await subscriptions.remove(ns, two, author);
    sent.clear();
    await put('/kv/s/a', 2);
    await put('/kv/s/b', 2);
    await handle(3);
    expect(heardBy('one')).toEqual([4]);
    expect(sent.size).toBe(1);
  });

  test('that is removed has what waits for it ended, by the feed: whoever removed it may have died', async () => {
    const id = await subscribe('one', {});
    await subscribe('two', {});
    await put('/kv/s/a', 1);
    await remove('/kv/s/a');
    await handle();
    expect(tasks).toEqual([]);
    const revision = await subscriptions.remove(ns, id, author);
    await handle();
    expect(tasks).toMatchObject([
      { task: 'recover', run: `removed-${revision}`, ns, subscription: id, awaitsActive: true, page: 1 },
    ]);
  });

  test.each(['paused', 'unconfirmed', 'disabled'] as const)(
    'that is %s is sent nothing of what changed since, and all that changed before',
    async (state) => {
      const id = await subscribe('quiet', {});
      await put('/kv/s/a', 1);
      await put('/kv/s/a', 2);
      const since = systemClock.now() + 60_000;
      await update(id, (value) => withState(value, state, since));
      const madeAt = async (at: number) =>
        (await documents()).map((document) => ({ ...document, at: toTimestamp(at) }));
      await handleDocuments(await madeAt(since - SKEW));
      expect(heardBy('quiet')).toEqual([]);
      await handleDocuments(await madeAt(since - SKEW - 1));
      expect(heardBy('quiet')).toEqual([1, 2]);
      await update(id, (value) => withState(value, 'active', systemClock.now()));
      await put('/kv/s/a', 3);
      await handle(3);
      expect(heardBy('quiet')).toEqual([1, 2, 3]);
    },
  );
});

describe('a batch', () => {
  test('is published whole, with or without subscriptions, but for what is not public', async () => {
    await subscribe('other', { key: '/app' });
    await put('/kv/s/a', 1);
    await put('/kv/t/a', 2);
    await put('/kv/s/a', 3);
    await handle();
    expect(published.toSorted((one, other) => Number(one.value) - Number(other.value))).toEqual([
      { scope: `${ns}:kv:s`, revision: 1, value: 1 },
      { scope: `${ns}:kv:t`, revision: 1, value: 2 },
      { scope: `${ns}:kv:s`, revision: 2, value: 3 },
    ]);
    expect(sent.size).toBe(0);
  });

  test('of one change costs one reading of the log and one proof of the subscriptions; of many, a query', async () => {
    await subscribe('one', {});
    await put('/kv/s/a', 0);
    await handle();
    for (let value = 1; value <= 20; value += 1) {
      await put('/kv/s/a', value);
    }
    const all = await documents();
    const batchOf = (first: number, last: number) =>
      all.filter(({ revision }) => Number(revision) >= first && Number(revision) <= last);
    const single = await metered.measure(() => handleDocuments(batchOf(2, 2)));
    expect(single.requests).toBe(2);
    const { requests } = await metered.measure(() => handleDocuments(batchOf(3, 21)));
    expect(heardBy('one')).toHaveLength(21);
    // The query comes with the request for its plan.
    expect(requests).toBeLessThanOrEqual(3);
  });

  test('whose messages cannot be sent is published and repeated', async () => {
    await subscribe('one', {});
    await put('/kv/s/a', 1);
    queueFault = new Error('The bus is away.');
    await expect(handle()).rejects.toThrow('The bus is away.');
    expect(published).toHaveLength(1);
    queueFault = undefined;
    await handle();
    expect(heardBy('one')).toEqual([1]);
  });

  test('that cannot be published for the moment is enqueued and repeated', async () => {
    await subscribe('one', {});
    await put('/kv/s/a', 1);
    publish = async () => {
      throw new Error('The bus is away.');
    };
    await expect(handle()).rejects.toThrow('The bus is away.');
    expect(heardBy('one')).toEqual([1]);
    expect(alerts).toEqual([]);
  });

  test('that the topic does not take leaves dead deliveries and one alert, and is done', async () => {
    await subscribe('one', {});
    await put('/kv/s/a', 1);
    await put('/kv/s/b', 2);
    publish = async (changes) => changes.map((told) => ({ told, reason: 'It is full.' }));
    await handle();
    await handle();
    expect(heardBy('one')).toEqual([1, 2]);
    const { deliveries } = await storage.list('notifications', { state: 'dead', limit: 10 });
    const own = deliveries.filter((delivery) => delivery.ns === ns);
    expect(own.map(({ key, revision, reason }) => ({ key, revision, reason }))).toEqual(
      expect.arrayContaining([
        { key: '/kv/s/a', revision: 1, reason: 'It is full.' },
        { key: '/kv/s/b', revision: 2, reason: 'It is full.' },
      ]),
    );
    expect(own).toHaveLength(2);
    expect(alerts[0]).toBe('2 deliveries to notifications are dead: It is full.');
  });
});

async function subscribe(name: string, value: Partial<SubscriptionValue>): Promise<string> {
  const input = { name, key: '/kv', endpoint: 'http://127.0.0.1:1/' };
  const { id } = await subscriptions.create(ns, input, author);
  nameOf.set(id, name);
  await update(id, (created) => ({ ...created, ...value }));
  return id;
}

async function update(id: string, change: (value: SubscriptionValue) => SubscriptionValue): Promise<void> {
  await subscriptions.update(ns, id, author, change);
}

function scopeOf(key: string): Scope {
  const [, kind = '', name = ''] = key.split('/');
  return { ns, kind, name };
}

async function put(key: string, value: Json): Promise<void> {
  await records.commit<Json>(scopeOf(key), { key, ...author, decide: () => ({ type: 'put', value }) });
}

async function remove(key: string): Promise<void> {
  await records.commit<Json>(scopeOf(key), { key, ...author, decide: () => ({ type: 'delete' }) });
}

/** The documents of the namespace as the feed has them. */
async function documents(): Promise<Record<string, unknown>[]> {
  const query = 'SELECT * FROM c WHERE c.ns = @ns';
  const parameters = [{ name: '@ns', value: ns }];
  return (await container.items.query({ query, parameters }).fetchAll()).resources;
}

/** Hands over what changed, from a revision on. */
async function handle(from = 1): Promise<void> {
  await handleDocuments((await documents()).filter(({ revision }) => Number(revision) >= from));
}

async function handleDocuments(batch: readonly object[]): Promise<void> {
  await fanOut.handle(batch, { error: (...texts) => alerts.push(texts.join(' ')) });
}

/** Revisions, of whatever scope, that a subscription is sent. */
function heardBy(name: string): number[] {
  return [...sent.values()]
    .filter(({ subscription }) => nameOf.get(subscription) === name)
    .map(({ revision }) => revision)
    .sort((one, other) => one - other);
}
