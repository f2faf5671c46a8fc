import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import type { Json } from '../../../shared/records/index.ts';
import {
  type Delivery,
  type DeliveryMessage,
  type DeliveryStorage,
  Replays,
} from '../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { eventually, type Servers, startServers, startWebhooks, type Webhooks } from './webhooks-fixture.ts';

const author = { actor: 'test' };

let servers: Servers;
let webhooks: Webhooks;
let receiver: Receiver;
/** Until this is resolved the endpoint does not answer its first call. */
let slow: PromiseWithResolvers<void>;
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
});

afterEach(async () => {
  await webhooks.stop();
  await receiver.stop();
});

test('a delivery that succeeds at once is read once and written once', async () => {
  const calls: unknown[] = [];
  webhooks = await startWebhooks(servers, {
    wrap: (parts) => ({
      ...parts,
      storage: beforeEachCall(parts.storage, (method) => {
        calls.push(method);
      }),
    }),
  });
  const subscription = await subscribe();
  await put();
  expect(await settled(subscription)).toMatchObject({ state: 'delivered', attempts: [{ status: 200 }] });
  expect(calls).toEqual(['read', 'create']);
});

test('while storage can be read and not written an endpoint is called once, and again with the record', async () => {
  const created: number[] = [];
  webhooks = await startWebhooks(servers, {
    wrap: (parts) => ({
      ...parts,
      storage: beforeEachCall(parts.storage, (method) => {
        if (method === 'create' && created.push(receiver.calls.length) <= 2) {
          throw unavailable('The database is over its request limit at the moment.');
        }
      }),
    }),
  });
  const subscription = await subscribe();
  await put();
  expect(await settled(subscription)).toMatchObject({ state: 'delivered', attempts: [{ status: 200 }] });
  expect(created).toEqual([1, 1, 1]);
  expect(receiver.calls).toHaveLength(2);
});

test('a delivery that must wait before it is made is shown as pending', async () => {
  webhooks = await startWebhooks(servers);
  const id = await subscribe();
  const subscription = await webhooks.subscriptions.get(ns, id);
  const pause = { status: 503, error: 'It asks for a pause.', retryAfterMilliseconds: 60_000 };
  await webhooks.gate.call({ ns, subscription }, async () => pause);
  await put();
  await eventually(async () =>
    expect(await onlyDelivery(id)).toMatchObject({ state: 'pending', attempts: [] }),
  );
  expect(receiver.calls).toEqual([]);
});

describe('a delivery that is being made for the first time', () => {
  test.each([0, 1])(
    'is delivered when one of two handlers of its message succeeds, and not number %d',
    async (failing) => {
      const subscription = await beginSlowly((nth) => {
        slow.resolve();
        return nth === failing ? 500 : 200;
      });
      await webhooks.deliveries.handle(firstMessage(subscription), webhooks.log);
      const { id } = await eventually(async () => {
        const delivery = await onlyDelivery(subscription);
        expect(delivery.state).toBe('delivered');
        return delivery;
      });
      expect(webhookIds()).toEqual([id, id]);
    },
  );

  test('fails once when both handlers of its message fail', async () => {
    receiver.answer = () => 500;
    webhooks = await startWebhooks(servers, { retrySeconds: [60] });
    await put();
    const subscription = await subscribe();
    const message = { ...firstMessage(subscription), replay: 1 };
    await Promise.all([
      webhooks.deliveries.handle(message, webhooks.log),
      webhooks.deliveries.handle(message, webhooks.log),
    ]);
    expect(await onlyDelivery(subscription)).toMatchObject({ state: 'pending', attempts: [{ status: 500 }] });
    expect(receiver.calls).toHaveLength(2);
  });

  test('is not begun twice by who recovers it after its record', async () => {
    const subscription = await beginSlowly(() => 200);
    slow.resolve();
    const delivery = await settled(subscription);
    await replays().recover(subscription, [{ ...firstMessage(subscription), isLeftToCursor: false }]);
    expect(await onlyDelivery(subscription)).toEqual(delivery);
  });

  test('is begun anew by who recovers it before its record, and ends with the first success, whoever hears it', async () => {
    const subscription = await beginSlowly((nth) => (nth === 1 ? 500 : 200));
    await replays().recover(subscription, [{ ...firstMessage(subscription), isLeftToCursor: false }]);
    await eventually(async () =>
      expect(await onlyDelivery(subscription)).toMatchObject({ replays: 1, attempts: [{ status: 500 }] }),
    );
    slow.resolve();
    const { id, state, attempts } = await settled(subscription);
    expect(state).toBe('delivered');
    expect(attempts.map(({ status }) => status)).toEqual([500, 200]);
    await webhooks.deliveries.handle({ ...firstMessage(subscription), attempt: 2, replay: 1 }, webhooks.log);
    expect(webhookIds()).toEqual([id, id]);
  });

  test('leaves to a replay, when it fails, what that one began', async () => {
    const subscription = await beginSlowly((nth) => (nth === 2 ? 200 : 500), [1]);
    await replays().recover(subscription, [{ ...firstMessage(subscription), isLeftToCursor: false }]);
    await eventually(async () =>
      expect(await onlyDelivery(subscription)).toMatchObject({ replays: 1, attempts: [{ status: 500 }] }),
    );
    slow.resolve();
    const { attempts } = await settled(subscription);
    expect(attempts.map(({ status }) => status)).toEqual([500, 200]);
    expect(receiver.calls).toHaveLength(3);
  });

  test('does not stand for the replay of what another handler had delivered', async () => {
    const subscription = await beginSlowly((nth) => (nth === 2 ? 500 : 200), [1]);
    await webhooks.deliveries.handle(firstMessage(subscription), webhooks.log);
    const { id } = await settled(subscription);
    await replays().replay(subscription, [{ id, replay: 1 }]);
    await eventually(async () => expect((await onlyDelivery(subscription)).attempts).toHaveLength(2));
    slow.resolve();
    const { attempts } = await settled(subscription);
    expect(attempts.map(({ status }) => status)).toEqual([200, 500, 200]);
    expect(webhookIds()).toEqual([id, id, id, id]);
  });
});

/** Has a change told to an endpoint that is slow to answer the first call, and may be called again meanwhile. */
async function beginSlowly(
  answer: (nth: number) => number,
  retrySeconds: readonly number[] = [60],
): Promise<string> {
  slow = Promise.withResolvers();
  receiver.answer = async (nth) => {
    await (nth === 0 ? slow.promise : undefined);
    return answer(nth);
  };
  webhooks = await startWebhooks(servers, { retrySeconds });
  const id = await subscribe();
  const subscription = await webhooks.subscriptions.get(ns, id);
  // Until it has answered one, an endpoint gets one call at a time.
  await webhooks.gate.call({ ns, subscription }, async () => ({ status: 200 }));
  await put();
  await eventually(() => expect(receiver.calls).toHaveLength(1));
  return id;
}

function beforeEachCall(storage: DeliveryStorage, look: (method: string | symbol) => void): DeliveryStorage {
  return new Proxy(storage, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      return typeof method === 'function'
        ? async (...parameters: unknown[]): Promise<unknown> => {
            look(name);
            return await Reflect.apply(method, target, parameters);
          }
        : method;
    },
  });
}

function replays(): Replays {
  const { storage, queue } = webhooks;
  return new Replays({ storage, queue, clock: systemClock });
}

async function subscribe(): Promise<string> {
  const input = { name: 'test', key: '/app', endpoint: receiver.url };
  return (await webhooks.subscriptions.create(ns, input, author)).id;
}

async function put(): Promise<void> {
  const write = { key: '/app/dm', ...author, decide: () => ({ type: 'put', value: {} }) as const };
  await webhooks.records.commit<Json>({ ns, kind: 'app', name: '' }, write);
}

/** As the fan-out sends it for the first change. */
function firstMessage(subscription: string): DeliveryMessage {
  return { scope: `${ns}:app:`, revision: 1, key: '/app/dm', subscription, attempt: 1 };
}

async function onlyDelivery(subscription: string): Promise<Delivery> {
  const { deliveries } = await webhooks.storage.list(subscription, { limit: 10 });
  const [delivery] = deliveries;
  if (delivery === undefined || deliveries.length > 1) {
    throw new Error(`There are ${deliveries.length} deliveries.`);
  }
  return delivery;
}

async function settled(subscription: string): Promise<Delivery> {
  return await eventually(async () => {
    const delivery = await onlyDelivery(subscription);
    expect(delivery.state).not.toBe('pending');
    return delivery;
  });
}

function webhookIds(): unknown[] {
  return receiver.calls.map(({ headers }) => headers['webhook-id']);
}
