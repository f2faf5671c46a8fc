import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import type { Json } from '../../../shared/records/index.ts';
import {
  type Delivery,
  type DeliveryMessage,
  Replays,
  type Subscription,
} from '../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import {
  eventually,
  type Parts,
  type Servers,
  startServers,
  startWebhooks,
  type Webhooks,
} from './webhooks-fixture.ts';

const author = { actor: 'test' };

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
});

afterEach(async () => {
  await webhooks.stop();
  await receiver.stop();
});

type Step = <Result>(work: () => Promise<Result>) => Promise<Result>;

describe('a process that dies at any step of a delivery loses nothing', () => {
  /** Read, ask the gate, POST, note, create, schedule; read, POST, note, replace. */
  const STEPS = 10;
  const points = pointsOf(Array.from({ length: STEPS }, (_, nth) => nth));

  test('a delivery that fails once takes ten steps', async () => {
    let steps = 0;
    await deliverWith((work) => {
      steps += 1;
      return work();
    });
    expect(steps).toBe(STEPS);
    expect(receiver.calls).toHaveLength(2);
  });

  test.each(points)('$moment step $nth', async (point) => {
    const delivery = await deliverWith(crashAt(point));
    expect(webhooks.crashes).toEqual([expect.any(Crash)]);
    expect(delivery.state).toBe('delivered');
    expect(receiver.calls.length).toBeLessThanOrEqual(3);
    expect(new Set(webhookIds())).toEqual(new Set([delivery.id]));
  });
});

describe('a process that dies while a delivery waits for its time by the allowed rate loses nothing', () => {
  /** Reserve, create, schedule; a busy machine may find the time come before it, and post instead. */
  test.each(pointsOf([1, 2, 3]))('$moment step $nth', async (point) => {
    const delivery = await deliverInTurn(crashAt(point));
    expect(webhooks.crashes).toEqual([expect.any(Crash)]);
    expect(delivery.state).toBe('delivered');
    expect(new Set(webhookIds())).toEqual(new Set([delivery.id]));
  });

  /** Delivers a change right after a call that took the time at hand. */
  async function deliverInTurn(step: Step): Promise<Delivery> {
    let isTaken = false;
    webhooks = await startWebhooks(servers, {
      wrap: (parts) => interrupt(parts, (work) => (isTaken ? step(work) : work())),
    });
    const id = await subscribe();
    const subscription = await allowRate(id, 100);
    await webhooks.gate.call({ ns, subscription }, async () => ({ status: 200 }));
    isTaken = true;
    await put();
    return await delivered(id);
  }
});

describe('a process that dies while it holds a delivery of a paused subscription loses nothing', () => {
  test.each(pointsOf([7]))('$moment step $nth', async (point) => {
    const step = crashAt(point);
    let isPaused = true;
    receiver.answer = async (nth) => {
      if (nth > 0) {
        return 200;
      }
      await webhooks.activation.pause(ns, subscription, author);
      return 500;
    };
    webhooks = await startWebhooks(servers, {
      wrap: (parts) => interrupt(parts, (work) => (isPaused ? step(work) : work())),
    });
    const subscription = await subscribe();
    await put();
    const held = await eventually(async () => {
      const delivery = await onlyDelivery(subscription);
      expect(delivery).toMatchObject({ state: 'held', reason: 'The subscription is paused.' });
      expect(webhooks.crashes).toEqual([expect.any(Crash)]);
      return delivery;
    });
    expect(held.attempts).toHaveLength(1);
    isPaused = false;
    await webhooks.activation.resume(ns, subscription, author);
    await delivered(subscription);
    expect(webhookIds()).toEqual([held.id, held.id]);
  });

  /** Read, create. */
  test.each(pointsOf([0, 1]))('nor one that was never attempted, $moment step $nth', async (point) => {
    const step = crashAt(point);
    let isPaused = true;
    webhooks = await startWebhooks(servers, {
      wrap: (parts) => interrupt(parts, (work) => (isPaused ? step(work) : work())),
    });
    const subscription = await subscribe();
    await webhooks.activation.pause(ns, subscription, author);
    await put();
    const first = { scope: `${ns}:app:`, revision: 1, key: '/app/dm', subscription, attempt: 1 };
    await webhooks.queue.send([first]);
    await eventually(async () => {
      expect(await onlyDelivery(subscription)).toMatchObject({ state: 'held', attempts: [] });
      expect(webhooks.crashes).toEqual([expect.any(Crash)]);
    });
    isPaused = false;
    await webhooks.activation.resume(ns, subscription, author);
    expect(await delivered(subscription)).toMatchObject({ replays: 1 });
    expect(receiver.calls).toHaveLength(1);
  });

  test('nor one that looked at the subscription just before it was resumed', async () => {
    webhooks = await startWebhooks(servers, {
      wrap: (parts) => ({
        ...parts,
        storage: new Proxy(parts.storage, {
          get: (target, name) =>
            name === 'replace'
              ? async (...[known, delivery]: Parameters<typeof target.replace>) => {
                  if (delivery.state === 'held') {
                    await setState('active');
                  }
                  return await target.replace(known, delivery);
                }
              : Reflect.get(target, name).bind(target),
        }),
      }),
    });
    receiver.answer = async (nth) => {
      await (nth === 0 ? setState('paused') : undefined);
      return nth === 0 ? 500 : 200;
    };
    const subscription = await subscribe();
    const setState = (state: 'active' | 'paused') =>
      webhooks.subscriptions.update(ns, subscription, author, (value) => ({ ...value, state }));
    await put();
    await delivered(subscription);
    expect(receiver.calls).toHaveLength(2);
  });
});

test('while storage does not answer an attempt is put off, and does not use up the broker’s patience', async () => {
  let failures = 0;
  const delivery = await deliverWith(async (work) => {
    if (failures === 0) {
      failures += 1;
      throw unavailable('The database cannot be reached at the moment.');
    }
    return await work();
  });
  expect(delivery.state).toBe('delivered');
  expect(webhooks.crashes).toEqual([]);
  expect(webhooks.alerts).toEqual([expect.stringContaining('The database cannot be reached at the moment.')]);
});

test('what must not be called is given up at once', async () => {
  const reason = 'The endpoint is not an https URL.';
  webhooks = await startWebhooks(servers, {
    wrap: (parts) => ({ ...parts, post: async () => ({ error: reason, isFinal: true }) }),
  });
  const subscription = await subscribe();
  await put();
  expect(await settled(subscription)).toMatchObject({ state: 'dead', reason, attempts: [{ error: reason }] });
});

describe('one message handled twice', () => {
  test('does nothing once its attempt is recorded', async () => {
    const delivery = await deliverWith((work) => work());
    const calls = receiver.calls.length;
    for (const attempt of [1, 2]) {
      await webhooks.deliveries.handle(messageOf(delivery, attempt), webhooks.log);
    }
    expect(receiver.calls).toHaveLength(calls);
    expect(await onlyDelivery(delivery.subscription)).toEqual(delivery);
  });
});

describe('a replay', () => {
  test('delivers again under the same webhook-id, and what belonged to the attempts before it does nothing', async () => {
    const delivery = await deliverWith((work) => work());
    const { storage, queue } = webhooks;
    const replays = new Replays({ storage, queue, clock: systemClock });
    receiver.answer = (nth) => (nth === 2 ? 500 : 200);
    await replays.replay(delivery.subscription, [{ id: delivery.id, replay: 1 }]);
    const replayed = await eventually(async () => {
      const current = await onlyDelivery(delivery.subscription);
      expect(current).toMatchObject({ state: 'delivered', replays: 1, earlierAttempts: 2 });
      return current;
    });
    expect(replayed.attempts.map(({ status }) => status)).toEqual([500, 200, 500, 200]);
    expect(new Set(webhookIds())).toEqual(new Set([delivery.id]));

    receiver.answer = () => 500;
    await replays.replay(delivery.subscription, [{ id: delivery.id, replay: 2 }]);
    await eventually(() => expect(receiver.calls.length).toBeGreaterThan(4));
    for (const replay of [undefined, 1]) {
      for (const attempt of [1, 2, 3]) {
        await webhooks.deliveries.handle({ ...messageOf(delivery, attempt), replay }, webhooks.log);
      }
    }
    const dead = await settled(delivery.subscription);
    expect(dead).toMatchObject({ state: 'dead', replays: 2, earlierAttempts: 4 });
    expect(dead.attempts).toHaveLength(7);
    expect(receiver.calls).toHaveLength(7);
  });

  test('is made of a change from before the subscription', async () => {
    webhooks = await startWebhooks(servers);
    await put();
    const subscription = await subscribe();
    const { storage, queue } = webhooks;
    const change = { scope: `${ns}:app:`, revision: 1, key: '/app/dm', isLeftToCursor: false };
    await new Replays({ storage, queue, clock: systemClock }).recover(subscription, [change]);
    expect((await settled(subscription)).state).toBe('delivered');
  });
});

class Crash extends Error {}

interface Point {
  readonly nth: number;
  readonly moment: 'before' | 'after';
}

function pointsOf(steps: readonly number[]): Point[] {
  return steps.flatMap((nth) => [
    { nth, moment: 'before' },
    { nth, moment: 'after' },
  ]);
}

function crashAt({ nth, moment }: Point): Step {
  let steps = 0;
  return async (work) => {
    const isHere = steps === nth;
    steps += 1;
    if (isHere && moment === 'before') {
      throw new Crash();
    }
    const result = await work();
    if (isHere) {
      throw new Crash();
    }
    return result;
  };
}

async function allowRate(subscription: string, ratePerMinute: number): Promise<Subscription> {
  const consent = {
    tokenHash: '',
    sealedToken: '',
    baseUrl: '',
    origin: '',
    grantedAt: '2026-01-01T00:00:00Z',
    ratePerMinute,
  };
  return await webhooks.subscriptions.update(ns, subscription, author, (value) => ({ ...value, consent }));
}

/** Delivers one change to an endpoint that fails the first time, with every call of a part being a step. */
async function deliverWith(step: Step): Promise<Delivery> {
  receiver.answer = (nth) => (nth === 0 ? 500 : 200);
  webhooks = await startWebhooks(servers, { wrap: (parts) => interrupt(parts, step) });
  const subscription = await subscribe();
  await put();
  return await settled(subscription);
}

function interrupt({ storage, endpoints, queue, post }: Parts, step: Step): Parts {
  return {
    storage: interruptMethods(storage, step),
    endpoints: interruptMethods(endpoints, step),
    queue: interruptMethods(queue, step),
    post: (request) => step(() => post(request)),
  };
}

function interruptMethods<Part extends object>(part: Part, step: Step): Part {
  return new Proxy(part, {
    get: (target, name) => {
      const method: unknown = Reflect.get(target, name);
      return typeof method === 'function'
        ? (...parameters: unknown[]) => step(async () => await Reflect.apply(method, target, parameters))
        : method;
    },
  });
}

async function subscribe(): Promise<string> {
  const input = { name: 'test', key: '/app', endpoint: receiver.url };
  return (await webhooks.subscriptions.create(ns, input, author)).id;
}

async function put(): Promise<void> {
  const write = { key: '/app/dm', ...author, decide: () => ({ type: 'put', value: {} }) as const };
  await webhooks.records.commit<Json>({ ns, kind: 'app', name: '' }, write);
}

async function onlyDelivery(subscription: string): Promise<Delivery> {
  const { deliveries } = await webhooks.storage.list(subscription, { limit: 10 });
  const [delivery] = deliveries;
  if (delivery === undefined || deliveries.length > 1) {
    throw new Error(`There are ${deliveries.length} deliveries.`);
  }
  return delivery;
}

async function delivered(subscription: string): Promise<Delivery> {
  return await eventually(async () => {
    const delivery = await onlyDelivery(subscription);
    expect(delivery).toMatchObject({ state: 'delivered' });
    return delivery;
  });
}

async function settled(subscription: string): Promise<Delivery> {
  return await eventually(async () => {
    const delivery = await onlyDelivery(subscription);
    expect(delivery.state).not.toBe('pending');
    return delivery;
  });
}

function messageOf({ scope, revision, key, subscription }: Delivery, attempt: number): DeliveryMessage {
  return { scope, revision, key, subscription, attempt };
}

function webhookIds(): unknown[] {
  return receiver.calls.map(({ headers }) => headers['webhook-id']);
}
