import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../../../shared/records/index.ts';
import type { Delivery } from '../../../shared/webhooks/index.ts';
import { type Answer, type Receiver, startReceiver } from './receiver.ts';
import {
  eventually,
  type Servers,
  startServers,
  startWebhooks,
  type Webhooks,
  type WebhooksOptions,
} from './webhooks-fixture.ts';

const author = { actor: 'test' };

let servers: Servers;
let receiver: Receiver;
let running: Webhooks[];
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
  running = [];
  receiver = await startReceiver();
});

afterEach(async () => {
  await Promise.all(running.map((webhooks) => webhooks.stop()));
  await receiver.stop();
});

test('an endpoint that hangs holds up nobody but itself', async () => {
  const webhooks = await start();
  const healthy = await startReceiver();
  const { promise: hangs, resolve } = Promise.withResolvers<Answer>();
  try {
    receiver.answer = () => hangs;
    await subscribe(webhooks, receiver.url);
    await putMany(webhooks, 20);
    await eventually(() => expect(receiver.calls).toHaveLength(1));
    await subscribe(webhooks, healthy.url);
    await putMany(webhooks, 20);
    await eventually(() => expect(healthy.calls).toHaveLength(20));
    expect(receiver.calls).toHaveLength(1);
  } finally {
    resolve(200);
    await healthy.stop();
  }
});

test('of a dead endpoint two processes together ask no more than until its breaker opens', async () => {
  const puts = 40;
  const scheduled = new Set<string>();
  const wrap: WebhooksOptions['wrap'] = (parts) => ({
    ...parts,
    queue: {
      send: (messages) => parts.queue.send(messages),
      async schedule(message, at) {
        await parts.queue.schedule(message, at);
        scheduled.add('revision' in message ? `${message.subscription} ${message.revision}` : '');
      },
    },
  });
  const [one] = await Promise.all([start({ wrap, retrySeconds: [60] }), start({ wrap, retrySeconds: [60] })]);
  receiver.answer = () => 500;
  const id = await subscribe(one, receiver.url);
  await putMany(one, puts);
  await eventually(() => expect([...scheduled].filter((text) => text.startsWith(id))).toHaveLength(puts));
  expect(receiver.calls.length).toBeGreaterThanOrEqual(5);
  expect(receiver.calls.length).toBeLessThanOrEqual(25);
  const { deliveries } = await one.storage.list(id, { limit: 100 });
  const attempts = deliveries.reduce((sum, delivery) => sum + delivery.attempts.length, 0);
  expect(deliveries).toHaveLength(puts);
  expect(attempts).toBe(receiver.calls.length);
});

test('an endpoint that asks for a pause is left alone for so long, by all that is under way to it', async () => {
  const [one] = await Promise.all([start(), start()]);
  const times: number[] = [];
  receiver.answer = (nth) => {
    times.push(Date.now());
    return nth === 0 ? { retryAfter: 1 } : 200;
  };
  const id = await subscribe(one, receiver.url);
  await put(one, '/app/a');
  await eventually(async () => {
    const [delivery] = await deliveriesOf(one, id);
    expect(delivery?.attempts).toMatchObject([{ status: 429 }]);
    expect(Date.parse(delivery?.nextAt ?? '')).toBeGreaterThanOrEqual((times[0] ?? 0) + 1_000);
  });
  await put(one, '/app/b');
  await eventually(async () =>
    expect((await deliveriesOf(one, id)).map(({ state }) => state)).toEqual(['delivered', 'delivered']),
  );
  const [first = 0, ...later] = times;
  expect(Math.min(...later) - first).toBeGreaterThanOrEqual(1_000);
});

test('an endpoint that is gone is called no more', async () => {
  const webhooks = await start();
  receiver.answer = () => 410;
  const id = await subscribe(webhooks, receiver.url);
  await put(webhooks, '/app/a');
  const reason = 'The endpoint answered 410 Gone.';
  await eventually(async () =>
    expect(await deliveriesOf(webhooks, id)).toMatchObject([{ state: 'dead', reason }]),
  );
  expect(await webhooks.subscriptions.get(ns, id)).toMatchObject({ state: 'disabled', reason });
  await put(webhooks, '/app/b');
  await webhooks.deliveries.handle(
    {
      scope: `${ns}:app:`,
      revision: 2,
      key: '/app/b',
      subscription: id,
      attempt: 1,
    },
    webhooks.log,
  );
  expect((await deliveriesOf(webhooks, id)).map((delivery) => delivery.reason)).toContain(
    `The subscription is disabled. ${reason}`,
  );
  expect(receiver.calls).toHaveLength(1);
});

test('the rate that an endpoint allows is kept over two processes', async () => {
  const [one] = await Promise.all([start(), start()]);
  const times: number[] = [];
  receiver.answer = () => {
    times.push(Date.now());
    return 200;
  };
  const id = await subscribe(one, receiver.url);
  const consent = {
    tokenHash: '',
    sealedToken: '',
    baseUrl: '',
    origin: '',
    grantedAt: '2026-01-01T00:00:00Z',
  };
  await one.subscriptions.update(ns, id, author, (value) => ({
    ...value,
    consent: { ...consent, ratePerMinute: 600 },
  }));
  await putMany(one, 12);
  await eventually(() => expect(receiver.calls).toHaveLength(12));
  // Each call comes at its own time or later, and these lie a tenth of a second apart.
  const [first = 0] = times;
  expect((times.at(-1) ?? 0) - first).toBeGreaterThanOrEqual(1_000);
});

describe('an endpoint that does nothing but fail', () => {
  test('is disabled after its time, of which those hear who subscribed to it', async () => {
    const patience = { warnAfterMilliseconds: 20, disableAfterMilliseconds: 100 };
    const webhooks = await start({ patience, retrySeconds: [0.05, 0.05, 0.05] });
    const operator = await startReceiver();
    try {
      receiver.answer = () => 503;
      const id = await subscribe(webhooks, receiver.url);
      await webhooks.subscriptions.create(
        ns,
        { name: 'operator', key: '/endpoint', endpoint: operator.url },
        author,
      );
      await put(webhooks, '/app/a');
      const disabled = await eventually(() => {
        const call = operator.calls.find(
          ({ body }) => (body as { type: string }).type === 'endpoint.disabled',
        );
        if (call === undefined) {
          throw new Error('The operator was not told.');
        }
        return call;
      });
      const subscription = await webhooks.subscriptions.get(ns, id);
      expect(subscription.state).toBe('disabled');
      expect(disabled.body).toMatchObject({
        data: {
          key: `/endpoint/${id}`,
          actor: 'system:webhooks',
          after: { state: 'disabled', since: expect.any(String), reason: subscription.reason },
        },
      });
    } finally {
      await operator.stop();
    }
  });
});

async function start(options?: WebhooksOptions): Promise<Webhooks> {
  const webhooks = await startWebhooks(servers, options);
  running.push(webhooks);
  return webhooks;
}

async function subscribe(webhooks: Webhooks, endpoint: string): Promise<string> {
  return (await webhooks.subscriptions.create(ns, { name: 'test', key: '/app', endpoint }, author)).id;
}

async function put(webhooks: Webhooks, key: string): Promise<void> {
  await webhooks.records.commit<Json>(
    { ns, kind: 'app', name: '' },
    { key, ...author, decide: () => ({ type: 'put', value: {} }) },
  );
}

async function putMany(webhooks: Webhooks, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, nth) => put(webhooks, `/app/a${nth}`)));
}

async function deliveriesOf(webhooks: Webhooks, id: string): Promise<readonly Delivery[]> {
  return (await webhooks.storage.list(id, { limit: 100 })).deliveries;
}
