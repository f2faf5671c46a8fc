import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, type Scope, scopeId } from '../../../shared/records/index.ts';
import type { Delivery } from '../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver, toldBy } from './receiver.ts';
import { eventually, type Servers, startServers, startWebhooks, type Webhooks } from './webhooks-fixture.ts';

const author = { actor: 'test', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

let servers: Servers;
let webhooks: Webhooks;
let receiver: Receiver;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  servers = await startServers();
});

afterAll(async () => {
  await servers.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  receiver = await startReceiver();
  webhooks = await startWebhooks(servers);
});

afterEach(async () => {
  await webhooks.stop();
  await receiver.stop();
});

test('every change under a subscription’s key is told once to its endpoint, with before and after', async () => {
  const { id } = await webhooks.subscriptions.create(
    ns,
    { name: 'dm', key: '/app/dm', endpoint: `${receiver.url}/hook?x=1` },
    author,
  );
  await put(apps(), '/app/dm', { config: 1 });
  await put(apps(), '/app/dm', { config: 2 });
  await remove(apps(), '/app/dm');

  await eventually(() => expect(receiver.calls).toHaveLength(3));
  const calls = receiver.calls.toSorted((a, b) => toldBy(a).revision - toldBy(b).revision);
  const common = { subscription: id, ns, scope: scopeId(apps()), key: '/app/dm', actor: 'test' };
  expect(calls.map(({ body }) => body)).toEqual(
    [
      { ...common, revision: 1, type: 'put', before: null, after: { config: 1 } },
      { ...common, revision: 2, type: 'put', before: { config: 1 }, after: { config: 2 } },
      { ...common, revision: 3, type: 'delete', before: { config: 2 }, after: null },
    ].map((data) => ({ type: `app.${data.type}`, timestamp: expect.stringMatching(/Z$/), data })),
  );
  for (const { path, headers } of calls) {
    expect(path).toBe('/hook?x=1');
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Skerry\/\d+\.\d+\.\d+$/),
      traceparent: author.traceparent,
    });
  }
  await eventually(async () => {
    expect((await deliveriesOf(id)).map(({ state }) => state)).toEqual([
      'delivered',
      'delivered',
      'delivered',
    ]);
  });
  const deliveries = await deliveriesOf(id);
  expect(webhookIds().toSorted()).toEqual(deliveries.map((delivery) => delivery.id).toSorted());
});

test('a subscription hears nothing that happened before it, and nothing of keys that only begin alike', async () => {
  await put(apps(), '/app/dm', { config: 'old' });
  await webhooks.subscriptions.create(ns, { name: 'dm', key: '/app/dm', endpoint: receiver.url }, author);
  await put(apps(), '/app/dm2', { config: 'other' });
  await put(apps(), '/app/dm', { config: 'new' });

  await eventually(() => expect(receiver.calls.length).toBeGreaterThan(0));
  await handOverAgain(apps(), 3);
  await put(apps(), '/app/dm', { config: 'last' });
  await eventually(() => expect(receiver.calls).toHaveLength(2));
  expect(receiver.calls.map(toldBy)).toMatchObject([
    { after: { config: 'new' } },
    { after: { config: 'last' } },
  ]);
});

test('a subscription to everything hears of all scopes, but not of subscriptions', async () => {
  await webhooks.subscriptions.create(ns, { name: 'all', key: '/', endpoint: receiver.url }, author);
  await webhooks.subscriptions.create(ns, { name: 'two', key: '/reg', endpoint: receiver.url }, author);
  await put(apps(), '/app/dm', {});
  await put({ ns, kind: 'srv', name: 'web' }, '/srv/web/a', {});
  await eventually(() => expect(receiver.calls).toHaveLength(2));
  expect(receiver.calls.map((call) => toldBy(call).key).sort()).toEqual(['/app/dm', '/srv/web/a']);
});

test('namespaces do not hear of one another', async () => {
  await webhooks.subscriptions.create(ns, { name: 'mine', key: '/app', endpoint: receiver.url }, author);
  await put({ ns: `${ns}-other`, kind: 'app', name: '' }, '/app/dm', {});
  await put(apps(), '/app/mine', {});
  await eventually(() => expect(receiver.calls).toHaveLength(1));
  expect(receiver.calls.map(toldBy)).toMatchObject([{ key: '/app/mine' }]);
});

test('a Nesoi hook is sent its name and the resource that it is on, whichever host of it changed', async () => {
  await webhooks.nesoiHooks.create(
    ns,
    '/srv/web',
    { name: 'h', endpoint: receiver.url, baseUrl: 'http://skerry.example:7071' },
    author,
  );
  await put({ ns, kind: 'srv', name: 'web' }, '/srv/web/host1', {});
  await eventually(() => expect(receiver.calls).toHaveLength(1));
  expect(receiver.calls[0]?.body).toEqual({ name: 'h', uri: 'http://skerry.example:7071/srv/web' });
});

test('a failed attempt is repeated under the same webhook-id until one succeeds', async () => {
  receiver.answer = (nth) => (nth === 0 ? 503 : nth === 1 ? 404 : 204);
  const id = await subscribe('/app');
  await put(apps(), '/app/dm', {});
  const delivery = await settled(id);
  expect(delivery).toMatchObject({
    state: 'delivered',
    key: '/app/dm',
    revision: 1,
    attempts: [
      { status: 503, error: 'HTTP 503: no, not now', durationMs: expect.any(Number) },
      { status: 404 },
      { status: 204 },
    ],
  });
  expect(delivery).not.toHaveProperty('nextAt');
  expect(delivery.attempts[2]).not.toHaveProperty('error');
  expect(webhookIds()).toEqual([delivery.id, delivery.id, delivery.id]);
});

test('after the last attempt a delivery is dead, says why, and is listed', async () => {
  receiver.answer = () => 500;
  const id = await subscribe('/app');
  await put(apps(), '/app/dm', {});
  const delivery = await settled(id);
  expect(delivery).toMatchObject({ state: 'dead', reason: 'The last attempt failed: HTTP 500: no, not now' });
  expect(delivery.attempts).toHaveLength(3);
  expect(receiver.calls).toHaveLength(3);
  const dead = await webhooks.deliveries.list(ns, id, { state: 'dead', limit: 10 });
  expect(dead).toEqual({ deliveries: [delivery] });
  expect(await webhooks.deliveries.list(ns, id, { state: 'pending', limit: 10 })).toEqual({ deliveries: [] });
});

test('a redirect is a failure and is not followed', async () => {
  const elsewhere = await startReceiver();
  try {
    receiver.answer = () => ({ redirectTo: elsewhere.url });
    const id = await subscribe('/app');
    await put(apps(), '/app/dm', {});
    const delivery = await settled(id);
    expect(delivery).toMatchObject({
      state: 'dead',
      attempts: [{ status: 307 }, { status: 307 }, { status: 307 }],
    });
    expect(delivery.reason).toContain('redirects are not followed');
    expect(elsewhere.calls).toHaveLength(0);
  } finally {
    await elsewhere.stop();
  }
});

test('an endpoint that refuses connections makes a failed attempt like any other', async () => {
  const gone = await startReceiver();
  await gone.stop();
  const { id } = await webhooks.subscriptions.create(
    ns,
    { name: 'x', key: '/app', endpoint: gone.url },
    author,
  );
  await put(apps(), '/app/dm', {});
  const delivery = await settled(id);
  expect(delivery.state).toBe('dead');
  expect(delivery.attempts[0]?.error).toContain('ECONNREFUSED');
  expect(delivery.attempts[0]).not.toHaveProperty('status');
});

test('a deleted subscription hears nothing more, not even what was to be repeated', async () => {
  receiver.answer = async () => {
    await webhooks.subscriptions.remove(ns, id, author);
    return 500;
  };
  const id = await subscribe('/app');
  await put(apps(), '/app/dm', {});
  const delivery = await settled(id);
  expect(delivery).toMatchObject({ state: 'dead', reason: 'The subscription was deleted.' });
  expect(receiver.calls).toHaveLength(1);
});

test('a Nesoi hook that was registered anew hears nothing of what its predecessor was owed', async () => {
  const hook = { name: 'h', endpoint: receiver.url, baseUrl: 'http://skerry.example' };
  receiver.answer = async (nth) => {
    if (nth > 0) {
      return 200;
    }
    await webhooks.nesoiHooks.remove(ns, '/app/dm', 'h', author);
    await webhooks.nesoiHooks.create(ns, '/app/dm', hook, author);
    return 500;
  };
  const { id } = await webhooks.nesoiHooks.create(ns, '/app/dm', hook, author);
  await put(apps(), '/app/dm', { config: 1 });
  expect((await settled(id)).state).toBe('dead');
  expect(receiver.calls).toHaveLength(1);
  await put(apps(), '/app/dm', { config: 2 });
  await eventually(() => expect(receiver.calls).toHaveLength(2));
});

describe('the fan-out', () => {
  test('passes over what can never be delivered, and says so', async () => {
    const id = await subscribe('/');
    const container = servers.cosmos.connect().container(COSMOS_CONTAINERS.records.id);
    const poison = { scope: `${ns}:app:`, type: 'change', at: new Date().toISOString() };
    await container.items.create({ ...poison, id: 'p:1', key: '/app/x', revision: 'one' });
    await container.items.create({ ...poison, id: 'p:2', key: 7, revision: 1 });
    await container.items.create({
      ...poison,
      id: 'c:0000000000000009',
      key: `/app/${'x'.repeat(300_000)}`,
      revision: 9,
      change: 'put',
    });
    const lost = { ...poison, scope: `${ns}:srv:lost`, key: '/srv/lost/a' };
    await container.items.create({ ...lost, id: 'p:4', revision: 10 });
    await put({ ns, kind: 'srv', name: 'web' }, '/srv/web/a', {});

    await eventually(() => expect(receiver.calls).toHaveLength(1));
    expect(receiver.calls.map(toldBy)).toMatchObject([{ key: '/srv/web/a' }]);
    await eventually(async () => {
      const dead = await webhooks.deliveries.list(ns, id, { state: 'dead', limit: 10 });
      expect(dead.deliveries.map(({ revision, reason }) => `${revision}: ${reason}`).sort()).toEqual([
        '10: The log no longer has the change.',
        '9: It does not fit into a message of the bus.',
      ]);
    });
    expect(webhooks.alerts.join('\n')).toMatch(/p:1.*revision/);
  });

  test('is not held up by a subscription that it cannot read, and buries what that one might have heard', async () => {
    const faulty = { name: 'faulty', key: '/app', endpoint: receiver.url, format: 'standard' };
    await put({ ns, kind: 'hook', name: '' }, '/hook/sub_faulty', faulty);
    await subscribe('/app');
    await put(apps(), '/app/dm', {});
    await eventually(() => expect(receiver.calls).toHaveLength(1));
    const buried = await eventually(async () => {
      const deliveries = await deliveriesOf('sub_faulty');
      expect(deliveries).toHaveLength(1);
      return deliveries;
    });
    expect(buried).toMatchObject([{ state: 'dead', reason: expect.stringContaining('cannot be read') }]);
    expect(webhooks.alerts.join()).toContain('sub_faulty');
  });

  test('repeats a batch without telling anyone twice', async () => {
    const id = await subscribe('/app');
    await put(apps(), '/app/dm', {});
    await settled(id);
    await handOverAgain(apps(), 1);
    await put(apps(), '/app/dm', { config: 'last' });
    await eventually(() => expect(receiver.calls).toHaveLength(2));
    expect(new Set(webhookIds()).size).toBe(2);
  });

  test('tells many subscriptions of many changes, each once', async () => {
    const others = Array.from({ length: 20 }, (_, nth) =>
      webhooks.subscriptions.create(ns, { name: `s${nth}`, key: '/app', endpoint: receiver.url }, author),
    );
    await Promise.all(others);
    await Promise.all(Array.from({ length: 20 }, (_, nth) => put(apps(), `/app/a${nth}`, { config: nth })));
    await eventually(() => expect(receiver.calls).toHaveLength(400));
    expect(new Set(webhookIds()).size).toBe(400);
  });
});

describe('a page of deliveries', () => {
  test('comes newest first and goes on where the one before ended, equal times included', async () => {
    const id = await subscribe('/app');
    const times = ['03', '01', '02', '02', '02', '02'];
    for (const [index, second] of times.entries()) {
      await webhooks.storage.create({
        id: `dlv_${index}`,
        subscription: id,
        ns,
        scope: `${ns}:app:`,
        revision: index + 1,
        key: '/app/dm',
        state: 'delivered',
        createdAt: `2026-01-01T00:00:${second}.000Z`,
        attempts: [],
      });
    }
    const seen: Delivery[] = [];
    let after: string | undefined;
    do {
      const page = await webhooks.deliveries.list(ns, id, { limit: 2, after });
      expect(page.deliveries.length).toBeLessThanOrEqual(2);
      seen.push(...page.deliveries);
      after = page.next;
    } while (after !== undefined);
    expect(seen.map(({ createdAt }) => createdAt.slice(17, 19))).toEqual([
      '03',
      '02',
      '02',
      '02',
      '02',
      '01',
    ]);
    expect(new Set(seen.map((delivery) => delivery.id)).size).toBe(6);
  });

  test('refuses a cursor that is none, and a subscription that is none', async () => {
    const id = await subscribe('/app');
    await expect(webhooks.deliveries.list(ns, id, { limit: 2, after: 'x' })).rejects.toMatchObject({
      kind: 'invalid',
      field: 'after',
    });
    await expect(webhooks.deliveries.list(ns, 'sub_none', { limit: 2 })).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});

function apps(): Scope {
  return { ns, kind: 'app', name: '' };
}

async function subscribe(key: string): Promise<string> {
  const input = { name: 'test', key, endpoint: receiver.url };
  return (await webhooks.subscriptions.create(ns, input, author)).id;
}

async function put(scope: Scope, key: string, value: Json): Promise<void> {
  await webhooks.records.commit<Json>(scope, { key, ...author, decide: () => ({ type: 'put', value }) });
}

async function remove(scope: Scope, key: string): Promise<void> {
  await webhooks.records.commit<Json>(scope, { key, ...author, decide: () => ({ type: 'delete' }) });
}

async function deliveriesOf(id: string): Promise<readonly Delivery[]> {
  return (await webhooks.storage.list(id, { limit: 100 })).deliveries;
}

/** The subscription's only delivery, once it is delivered or dead. */
async function settled(id: string): Promise<Delivery> {
  return await eventually(async () => {
    const [delivery, ...others] = await deliveriesOf(id);
    expect(others).toEqual([]);
    if (delivery === undefined || delivery.state === 'pending') {
      throw new Error('The delivery is pending.');
    }
    return delivery;
  });
}

/** Gives the fan-out changes that it was given before. */
async function handOverAgain(scope: Scope, upTo: number): Promise<void> {
  const documents: object[] = [];
  for (let revision = 1; revision <= upTo; revision += 1) {
    const change = await webhooks.records.readChange(scope, revision);
    documents.push({ ...change, scope: scopeId(scope), type: 'change' });
  }
  await webhooks.fanOut.handle(documents, { error: (...texts) => expect.fail(texts.join(' ')) });
}

function webhookIds(): unknown[] {
  return receiver.calls.map(({ headers }) => headers['webhook-id']);
}
