import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS, COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, scopeId } from '../../../shared/records/index.ts';
import { newDelivery } from '../../../shared/webhooks/delivery/delivery.ts';
import { type Delivery, EndpointStorage, withState } from '../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { testSecretKey } from './test-sealer.ts';
import { eventually, type Servers, startServers, startWebhooks, type Webhooks } from './webhooks-fixture.ts';

const author = { actor: 'test' };
const UNTIL_REPAIRED = { state: 'dead', reason: 'The last attempt failed: HTTP 500' } as const;

let servers: Servers;
let services: Services;
let handlers: readonly RouteHandler[];
let receiver: Receiver;
/** Plays the triggers of the host. */
let webhooks: Webhooks;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  servers = await startServers({}, { partitions: 4 });
  webhooks = await startWebhooks(servers, { retrySeconds: [600] });
  const settings = readSettings({
    [CONNECTIONS.cosmos]: servers.cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: servers.serviceBus.connectionString,
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_WEBHOOK_ALLOW_PRIVATE: 'true',
    SKERRY_SECRET_KEYS: testSecretKey.toString('base64'),
  });
  services = composeServices(settings);
  handlers = createRouteHandlers(endpoints, {
    services,
    access: services.access,
    settings,
    random: services.random,
  });
});

afterAll(async () => {
  services.database.client.dispose();
  await (await services.serviceBus).close();
  await webhooks.stop();
  await servers.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  receiver = await startReceiver();
  return async () => await receiver.stop();
});

describe('a delivery', () => {
  test.each(['dead', 'delivered', 'held', 'pending'] as const)('that is %s is made again', async (state) => {
    const id = await subscribe();
    const delivery = await stand(id, { state, nextAt: new Date(Date.now() + 1e8).toISOString() });
    const retried = await call('POST', `/subscriptions/${id}/deliveries/${delivery.id}/retry`);
    expect(retried).toMatchObject({ status: 202, json: { id: delivery.id, state } });

    const made = await eventually(async () => {
      const { json } = await call('GET', `/subscriptions/${id}/deliveries/${delivery.id}`);
      expect(json).toMatchObject({ state: 'delivered', replays: 1, attempts: [{ status: 200 }] });
      return json;
    });
    expect(made).not.toHaveProperty('ns');
    expect(made).not.toHaveProperty('nextAt');
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual([delivery.id]);
  });

  test('whose turn it is in an order is made again in its place', async () => {
    receiver.answer = (nth) => (nth === 0 ? 500 : 200);
    const id = await subscribe({ ordered: true });
    await put();
    await put();
    const path = `/subscriptions/${id}/deliveries`;
    const waiting = await eventually(async () => {
      const { json } = await call('GET', path);
      expect(json.items).toMatchObject([{ state: 'pending', nextAt: expect.any(String) }]);
      return json.items[0].id;
    });
    expect(await call('POST', `${path}/${waiting}/retry`)).toMatchObject({ status: 202 });
    await eventually(() => expect(receiver.calls).toHaveLength(3));
    expect(receiver.calls.map(({ body }) => body)).toMatchObject(
      [1, 1, 2].map((revision) => ({ data: { revision } })),
    );
  });

  test('is listed by its state, and shown with the last answer only where it is shown alone', async () => {
    const id = await subscribe();
    const { id: delivery } = await stand(id, { state: 'held', lastResponse: 'Not now.' });
    const listed = await call('GET', `/subscriptions/${id}/deliveries?state=held`);
    expect(listed.json).toMatchObject({ items: [{ id: delivery, state: 'held' }] });
    expect(listed.json.items[0]).not.toHaveProperty('lastResponse');
    const shown = await call('GET', `/subscriptions/${id}/deliveries/${delivery}`);
    expect(shown.json).toMatchObject({ lastResponse: 'Not now.' });
  });

  test('is for its own namespace only, and unknown ones are refused alike', async () => {
    const id = await subscribe();
    const { id: delivery } = await stand(id, { state: 'dead' });
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/retry'],
    ] as const) {
      const foreign = await call(method, `/subscriptions/${id}/deliveries/${delivery}${path}`, {
        in: 'other',
      });
      const unknown = await call(method, `/subscriptions/${id}/deliveries/dlv_none${path}`);
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      expect(foreign.json.detail.replace(delivery, '')).toBe(unknown.json.detail.replace('dlv_none', ''));
    }
  });

  test('to a subscription that is not active is left as it is', async () => {
    const id = await subscribe();
    const { id: delivery } = await stand(id, { state: 'dead' });
    expect(await call('POST', `/subscriptions/${id}/pause`)).toMatchObject({
      status: 200,
      json: { state: 'paused' },
    });
    for (const [path, body] of [
      [`deliveries/${delivery}/retry`, undefined],
      ['recover', { since: new Date(0).toISOString() }],
    ] as const) {
      const refused = await call('POST', `/subscriptions/${id}/${path}`, { body });
      expect(refused).toMatchObject({ status: 409, json: { fix: expect.stringContaining(`${id}/resume`) } });
    }
  });
});

test('a paused subscription is told on resumption of what it missed', async () => {
  const id = await subscribe();
  await call('POST', `/subscriptions/${id}/pause`);
  await put();
  const resumed = await call('POST', `/subscriptions/${id}/resume`);
  expect(resumed).toMatchObject({ status: 200, json: { state: 'active', id } });
  expect(resumed.headers).toHaveProperty('ETag');
  await eventually(() => expect(receiver.calls).toHaveLength(1));
});

test('what was before a subscription is told when it asks for it', async () => {
  await put();
  const id = await subscribe();
  const since = new Date(Date.now() - 60_000).toISOString();
  const recovered = await call('POST', `/subscriptions/${id}/recover`, { body: { since } });
  expect(recovered).toMatchObject({ status: 202, json: { run: expect.any(String) } });
  await eventually(() => expect(receiver.calls).toHaveLength(1));
  for (const body of [{ since: 'now' }, {}]) {
    const refused = await call('POST', `/subscriptions/${id}/recover`, { body });
    expect(refused).toMatchObject({ status: 400, json: { fix: expect.stringContaining('2026-11-26T12') } });
  }
});

describe('a test', () => {
  test('tells what the endpoint answered, and leaves nothing behind', async () => {
    const id = await subscribe();
    receiver.answer = () => 500;
    const tested = await call('POST', `/subscriptions/${id}/test`);
    expect(tested).toMatchObject({
      status: 200,
      json: {
        status: 500,
        durationMs: expect.any(Number),
        error: expect.stringContaining('HTTP 500'),
        response: expect.any(String),
      },
    });
    expect(receiver.calls).toMatchObject([
      { headers: { 'webhook-id': expect.stringMatching(/^test_/) }, body: { type: 'skerry.test' } },
    ]);
    expect((await call('GET', `/subscriptions/${id}/deliveries`)).json.items).toEqual([]);
    expect((await call('GET', `/subscriptions/${id}/statistics`)).json.endpoint).toEqual({
      state: 'healthy',
      failures: 0,
    });
  });

  test('is not made without the endpoint’s consent', async () => {
    const id = await subscribe();
    await webhooks.subscriptions.update(ns, id, author, (value) =>
      withState(value, 'unconfirmed', Date.now()),
    );
    expect(await call('POST', `/subscriptions/${id}/test`)).toMatchObject({
      status: 409,
      json: { fix: expect.stringContaining('confirm') },
    });
    expect(receiver.calls).toEqual([]);
  });
});

test('statistics count deliveries by their states, and measure the newest', async () => {
  const id = await subscribe();
  const createdAt = new Date(1e12).toISOString();
  const attempt = (after: number, durationMs: number, error?: string) => ({
    at: new Date(1e12 + after).toISOString(),
    durationMs,
    ...(error !== undefined && { error }),
  });
  await stand(id, {
    createdAt,
    state: 'delivered',
    attempts: [attempt(0, 10, 'HTTP 500'), attempt(100, 30)],
  });
  await stand(id, { createdAt, state: 'delivered', attempts: [attempt(0, 20)] });
  await stand(id, { createdAt, state: 'dead', attempts: [attempt(0, 40, 'HTTP 500')] });
  await stand(id, { createdAt, state: 'held' });
  const { json } = await call('GET', `/subscriptions/${id}/statistics`);
  expect(json).toEqual({
    states: { pending: 0, held: 1, delivered: 2, dead: 1 },
    endpoint: { state: 'healthy', failures: 0 },
    latest: {
      deliveries: 4,
      delivered: 2,
      successRate: 0.5,
      durationMs: { p50: 20, p99: 40 },
      lagMs: { p50: 20, p99: 130 },
    },
  });
});

test('statistics say how an endpoint fails, and until when it is left alone', async () => {
  const id = await subscribe();
  const [since, failingSince, openUntil] = [Date.now(), Date.now() - 1000, Date.now() + 30_000];
  const storage = new EndpointStorage(services.database.container(COSMOS_CONTAINERS.deliveries.id));
  const health = { endpoint: receiver.url, since: new Date(since).toISOString(), failures: 5, openings: 1 };
  await storage.write(id, {}, { ...health, failingSince, openUntil });
  const { json } = await call('GET', `/subscriptions/${id}/statistics`);
  expect(json.endpoint).toEqual({
    state: 'open',
    failures: 5,
    failingSince: new Date(failingSince).toISOString(),
    openUntil: new Date(openUntil).toISOString(),
    disablesAt: new Date(failingSince + 5 * 24 * 60 * 60 * 1000).toISOString(),
  });
  const atLeast = new Date(openUntil).toISOString();
  const later = new Date(openUntil + 1).toISOString();
  const waiting = await stand(id, { state: 'pending' });
  await stand(id, { state: 'pending', nextAt: new Date(since).toISOString() });
  await stand(id, { state: 'pending', nextAt: later });
  await stand(id, { state: 'delivered' });
  const listed = (await call('GET', `/subscriptions/${id}/deliveries`)).json.items;
  const times = listed.map(({ state, nextAt }: Delivery) => `${state} ${nextAt}`).sort();
  expect(times).toEqual([
    'delivered undefined',
    ...[atLeast, atLeast, later].map((time) => `pending ${time}`),
  ]);
  expect((await call('GET', `/subscriptions/${id}/deliveries/${waiting.id}`)).json.nextAt).toBe(atLeast);
  const known = await storage.read(id);
  await storage.write(id, known, { ...health, failures: 2, openings: 0, failingSince });
  const after = await call('GET', `/subscriptions/${id}/statistics`);
  expect(after.json.endpoint).toMatchObject({ state: 'failing', failures: 2 });
  expect(after.json.latest).toEqual({ deliveries: 4, delivered: 1, durationMs: {}, lagMs: {} });
  await webhooks.subscriptions.update(ns, id, author, (value) => withState(value, 'disabled', Date.now()));
  const disabled = await call('GET', `/subscriptions/${id}/statistics`);
  expect(disabled.json.endpoint).toEqual({ state: 'disabled', failures: 0 });
});

describe('dead letters', () => {
  test('are listed in pages, the newest first, each once, however many are of one time', async () => {
    const times = [3, 1, 2, 2, 2, 2, 2, 1, 3, 2, 2, 1];
    const standing = await Promise.all(
      times.map((time, nth) =>
        stand(`sub_${nth}`, { ...UNTIL_REPAIRED, createdAt: new Date(1e12 + time).toISOString() }),
      ),
    );
    await stand('sub_0', { state: 'delivered' });
    for (const limit of [1, 2, 3, 5, 12, 13]) {
      const found: Delivery[] = [];
      let next: string | undefined;
      do {
        const { json } = await call(
          'GET',
          `/dead-letters?limit=${limit}${next === undefined ? '' : `&after=${next}`}`,
        );
        found.push(...json.items);
        next = json.next;
      } while (next !== undefined);
      expect(found.map(({ id }) => id).sort()).toEqual(standing.map(({ id }) => id).sort());
      const created = found.map(({ createdAt }) => createdAt);
      expect(created).toEqual(created.toSorted().reverse());
    }
    expect((await call('GET', '/dead-letters?subscription=sub_3')).json.items).toMatchObject([
      { id: standing[3]?.id, reason: UNTIL_REPAIRED.reason },
    ]);
    expect((await call('GET', '/dead-letters', { in: 'other' })).json.items).toEqual([]);
    expect((await call('GET', '/dead-letters?after=x')).status).toBe(400);
  });

  test('are made again where the subscription is there, and skipped where it is not', async () => {
    const id = await subscribe();
    const paused = await subscribe();
    await call('POST', `/subscriptions/${paused}/pause`);
    const dead = await stand(id, UNTIL_REPAIRED);
    await stand(paused, UNTIL_REPAIRED);
    await stand('sub_gone', UNTIL_REPAIRED);
    const replayed = await call('POST', '/dead-letters', { body: { all: true } });
    expect(replayed).toMatchObject({ status: 202, json: { replayed: 1, skipped: expect.any(Array) } });
    expect(replayed.json.skipped).toHaveLength(2);
    expect(replayed.json.skipped).toContainEqual({
      subscription: 'sub_gone',
      deliveries: 1,
      reason: 'The subscription is gone.',
    });
    await eventually(() => expect(receiver.calls).toMatchObject([{ headers: { 'webhook-id': dead.id } }]));
  });

  test('of the topic of the bus are published again', async () => {
    const { id } = await stand('notifications', UNTIL_REPAIRED);
    expect((await call('POST', '/dead-letters', { body: { all: true } })).json).toEqual({
      replayed: 1,
      skipped: [],
    });
    await eventually(async () => {
      expect(await webhooks.storage.read('notifications', id)).toMatchObject({
        delivery: { state: 'delivered' },
      });
    });
  });

  test('are made again by their ids, of which unknown and foreign ones are skipped alike', async () => {
    const id = await subscribe();
    const dead = await stand(id, UNTIL_REPAIRED);
    const ids = [{ subscription: id, id: dead.id }];
    const skipped = [{ subscription: id, deliveries: 1, reason: 'There is no such dead delivery.' }];
    expect((await call('POST', '/dead-letters', { in: 'other', body: { ids } })).json).toEqual({
      replayed: 0,
      skipped,
    });
    const unknown = { subscription: id, id: 'dlv_none' };
    const replayed = await call('POST', '/dead-letters', { body: { ids: [...ids, unknown] } });
    expect(replayed.json).toEqual({ replayed: 1, skipped });
    await eventually(() => expect(receiver.calls).toHaveLength(1));
  });

  test('are purged, and nothing else', async () => {
    const kept = await stand('sub_a', { state: 'delivered' });
    await stand('sub_a', UNTIL_REPAIRED);
    await stand('sub_a', UNTIL_REPAIRED);
    const other = await stand('sub_b', UNTIL_REPAIRED);
    expect((await call('DELETE', '/dead-letters?subscription=sub_a')).json).toEqual({
      purged: 2,
      more: false,
    });
    expect((await call('GET', '/dead-letters')).json.items).toMatchObject([{ id: other.id }]);
    expect((await call('DELETE', '/dead-letters?all', { in: 'other' })).json).toEqual({
      purged: 0,
      more: false,
    });
    expect((await call('DELETE', '/dead-letters?all')).json).toEqual({ purged: 1, more: false });
    expect(await webhooks.storage.read('sub_a', kept.id)).toBeDefined();
  });

  test.each([
    ['POST', '', {}],
    ['POST', '', { all: true, subscription: 'sub_a' }],
    ['POST', '', { ids: [] }],
    ['POST', '', { ids: [{ subscription: 'sub_a', id: 'a/b' }] }],
    ['POST', '', { ids: [{ subscription: '', id: 'dlv_a' }] }],
    ['POST', '', { subscription: '\ud800' }],
    ['POST', '', { queue: 'deliveries', subscription: 'sub_a' }],
    ['DELETE', '', undefined],
    ['DELETE', '?all&subscription=sub_a', undefined],
    ['GET', '?queue=other', undefined],
  ])('%s%s %j says what to fix', async (method, query, body) => {
    const refused = await call(method, `/dead-letters${query}`, { body });
    expect(refused.status).toBe(400);
    expect(refused.json).toHaveProperty('field');
  });
});

test('the broker’s own dead letters are there to be looked at, drained and purged', async () => {
  expect(await call('GET', '/dead-letters?queue=deliveries')).toMatchObject({
    status: 200,
    json: { items: [] },
  });
  const drained = await call('POST', '/dead-letters', { body: { queue: 'deliveries' } });
  expect(drained).toMatchObject({ status: 202, json: { drained: 0, more: false } });
  const purged = await call('DELETE', '/dead-letters?queue=deliveries');
  expect(purged).toMatchObject({ status: 200, json: { purged: 0, more: false } });
});

interface CallOptions {
  readonly body?: unknown;
  /** A namespace other than that of the test. */
  readonly in?: string;
}

/** Calls the API without a host. */
async function call(method: string, path: string, options: CallOptions = {}) {
  const url = new URL(`http://skerry.test/api/v1${path}`);
  url.searchParams.set('ns', options.in ?? ns);
  const handler = handlers.find(({ route }) => matches(route, url.pathname));
  const request = new Request(url, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const answer = await handler?.handle(request, { traceparent: undefined, logError: () => {} });
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return {
    status: answer?.status,
    headers: answer?.headers ?? {},
    json: text === '' ? undefined : JSON.parse(text),
  };
}

/** Literal segments are at odd places of all these routes. */
function matches(route: string, path: string): boolean {
  const wanted = route.split('/');
  const segments = path.slice(1).split('/');
  return (
    wanted.length === segments.length &&
    wanted.every((segment, nth) => segment.startsWith('{') || segment === segments[nth])
  );
}

async function subscribe(options: { ordered?: boolean } = {}): Promise<string> {
  const input = { name: 'test', key: '/app', endpoint: receiver.url, ...options };
  return (await webhooks.subscriptions.create(ns, input, author)).id;
}

async function put(): Promise<number> {
  const write = { key: '/app/dm', ...author, decide: () => ({ type: 'put', value: {} }) as const };
  return (await webhooks.records.commit<Json>({ ns, kind: 'app', name: '' }, write)).revision;
}

/** A delivery as it may stand there, of a change of another scope that its subscription never heard of. */
async function stand(subscription: string, changes: Partial<Delivery>): Promise<Delivery> {
  const scope = { ns, kind: 'kv', name: 'store' };
  const write = { key: '/kv/store/a', ...author, decide: () => ({ type: 'put', value: {} }) as const };
  const { revision } = await webhooks.records.commit<Json>(scope, write);
  const message = { scope: scopeId(scope), revision, key: '/kv/store/a', subscription, attempt: 1 };
  const delivery = { ...newDelivery(message, Date.now()), ...changes };
  await webhooks.storage.create(delivery);
  return delivery;
}
