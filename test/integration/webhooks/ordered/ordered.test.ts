import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { Compaction, type Json } from '../../../../shared/records/index.ts';
import type { Delivery, Subscription, SubscriptionInput } from '../../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver } from '../receiver.ts';
import { eventually, type Servers, startServers, startWebhooks, type Webhooks } from '../webhooks-fixture.ts';
import { OrderedWorld } from './ordered-world.ts';

const AUTHOR = { actor: 'test' };
const HOUR = 3_600_000;

let servers: Servers;
let namespaces = 0;

beforeAll(async () => {
  servers = await startServers();
});

afterAll(async () => {
  await servers.stop();
});

describe('over two processes and the bus', () => {
  let ns: string;
  let processes: [Webhooks, Webhooks];
  let receiver: Receiver;

  afterEach(async () => {
    await Promise.all(processes.map((process) => process.stop()));
    await receiver.stop();
  });

  async function start(): Promise<void> {
    namespaces += 1;
    ns = `bus${namespaces}`;
    receiver = await startReceiver();
    const options = { retrySeconds: [0.05, 0.05, 0.05] };
    processes = await Promise.all([startWebhooks(servers, options), startWebhooks(servers, options)]);
  }

  test('the changes of each scope come one after the other in their order, whatever fails, and no scope waits for another', async () => {
    await start();
    const subscription = await subscribe('/kv/*/a', { ordered: true });
    let isOver = false;
    const slow = Promise.withResolvers<number>();
    const told = () => receiver.calls.map(({ body }) => dataOf(body));
    receiver.answer = (nth) => {
      const { scope } = told()[nth] ?? { scope: '' };
      return scope.endsWith(':slow') && !isOver ? slow.promise : nth % 3 === 0 ? 500 : 200;
    };
    const tellOthers = async (values: readonly number[]) => {
      for (const value of values) {
        await put('one', value);
        await put('two', value);
      }
      await eventually(() => {
        for (const store of ['one', 'two']) {
          expect(valuesOf(store).slice(-values.length)).toEqual(values);
        }
      });
    };
    // An endpoint that never answered gets one call at a time.
    await tellOthers([0, 1, 2]);
    await put('slow', 1);
    await eventually(() => expect(told().filter(({ scope }) => scope.endsWith(':slow'))).toHaveLength(1));
    await put('slow', 2);
    await tellOthers([3, 4, 5]);
    expect(valuesOf('one')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(valuesOf('slow')).toEqual([1]);
    isOver = true;
    slow.resolve(200);
    await eventually(() => expect(valuesOf('slow')).toEqual([1, 2]));
    await eventually(async () => {
      const { deliveries } = await processes[0].storage.list(subscription.id, { limit: 100 });
      expect(deliveries.map(({ state }) => state)).toEqual(Array.from({ length: 14 }, () => 'delivered'));
    });
  });

  test('what changes while it is paused comes in its order when it is resumed, and nothing is held', async () => {
    await start();
    receiver.answer = (nth) => (nth === 0 ? 500 : 200);
    const { id } = await subscribe('/kv', { ordered: true });
    await processes[0].activation.pause(ns, id, AUTHOR);
    for (let nth = 0; nth < 3; nth += 1) {
      await put('one', nth);
      await put('two', nth);
    }
    await eventually(async () => expect(await processes[0].cursors.list(id)).toHaveLength(2));
    expect((await processes[0].storage.list(id, { limit: 10 })).deliveries).toEqual([]);
    await processes[1].activation.resume(ns, id, AUTHOR);
    await eventually(() => {
      expect(valuesOf('one')).toEqual([0, 1, 2]);
      expect(valuesOf('two')).toEqual([0, 1, 2]);
    });
    expect(receiver.calls).toHaveLength(7);
  });

  async function subscribe(key: string, input: Partial<SubscriptionInput>): Promise<Subscription> {
    const { subscriptions } = processes[0];
    return await subscriptions.create(ns, { name: 'test', key, endpoint: receiver.url, ...input }, AUTHOR);
  }

  async function put(store: string, nth: number): Promise<void> {
    const [one, other] = processes;
    const decide = () => ({ type: 'put', value: nth }) as const;
    const scope = { ns, kind: 'kv', name: store };
    await (nth % 2 === 0 ? one : other).records.commit<Json>(scope, {
      key: `/kv/${store}/a`,
      ...AUTHOR,
      decide,
    });
  }

  /** What the endpoint was told of a store, without repetitions of the last. */
  function valuesOf(store: string): Json[] {
    return receiver.calls
      .map(({ body }) => dataOf(body))
      .filter(({ scope }) => scope === `${ns}:kv:${store}`)
      .map(({ after }) => after)
      .filter((value, nth, all) => value !== all[nth - 1]);
  }
});

describe('a cursor', () => {
  test('goes on to the next change after the last attempt failed', async () => {
    const world = await openWorld([true, true, true, true]);
    await world.write('one', true);
    await world.write('one', true);
    await world.settle();
    expect(await states(world)).toEqual(['dead', 'delivered']);
    expect(revisionsTold(world)).toEqual([1, 1, 1, 1, 2]);
  });

  test('waits for its time after a failure, whatever else wakes it, unless the subscription is resumed', async () => {
    const world = await openWorld([true, true]);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(0, 0, ALL);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(-1, 1, ALL);
    expect(revisionsTold(world)).toEqual([1]);
    await world.setActive(false);
    await world.setActive(true);
    await world.take(-1, 1, ALL);
    expect(revisionsTold(world)).toEqual([1, 1]);
    const { blockedUntil = 0 } = (await world.cursor('one')) ?? {};
    expect(blockedUntil - world.clock.now()).toBeGreaterThan(40_000);
    await world.settle();
    expect(revisionsTold(world)).toEqual([1, 1, 1, 2]);
    expect(world.clock.now()).toBeGreaterThanOrEqual(blockedUntil);
  });

  test('is let go of by a message that worked for long, and another one goes on', async () => {
    const world = await openWorld();
    world.millisecondsPerCall = 25_000;
    for (let nth = 0; nth < 6; nth += 1) {
      await world.write('one', true);
    }
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    expect(revisionsTold(world)).toEqual([1, 2, 3]);
    expect(await world.cursor('one')).toEqual({
      subscription: world.id,
      scope: world.scopeId('one'),
      revision: 3,
    });
    await world.settle();
    expect(revisionsTold(world)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('says what the log has no more of what waited, and goes on behind it', async () => {
    const world = await openWorld([true]);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    await world.setActive(false);
    await world.write('one', true);
    await world.write('one', true);
    await compact(world, 2);
    await world.settle();
    expect(await states(world)).toEqual(['dead', 'delivered']);
    expect((await world.deliveries('one'))[0]).toMatchObject({
      revision: 1,
      attempts: [{}],
      reason: expect.stringContaining('no longer has the changes 1 to 2'),
    });
    expect(world.alerts).toEqual([expect.stringContaining('no longer has the changes 1 to 2')]);
  });

  test('says so too of what changed while the subscription was not active, and nothing of what it never heard of', async () => {
    const world = await openWorld();
    await world.write('one', true);
    await world.write('two', true);
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    await world.take(0, 0, 1_000);
    for (const store of ['one', 'two']) {
      await world.write(store, false);
      await world.write(store, false);
    }
    await compact(world, 2, 'one');
    await world.write('one', true);
    await world.settle();
    expect(await states(world)).toEqual(['delivered', 'delivered']);
    expect(world.alerts).toEqual([]);

    await world.setActive(false);
    await world.write('two', true);
    await world.write('two', true);
    await compact(world, 4, 'two');
    await world.settle();
    expect(await states(world, 'two')).toEqual(['delivered', 'dead', 'delivered']);
    expect(world.alerts).toHaveLength(1);
  });

  test('is removed with its subscription, and what waited is dead', async () => {
    const world = await openWorld([true]);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    expect(await states(world)).toEqual(['pending']);
    await world.remove();
    await world.settle();
    expect(await states(world)).toEqual(['dead']);
    expect(await world.cursor('one')).toBeUndefined();
  });

  test('delivers what was left to it after the subscription is ordered no more, and nothing from before it is again', async () => {
    const world = await openWorld([true]);
    await world.write('one', true);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    world.pass(10_000);
    await world.replace({ ordered: false });
    world.pass(10_000);
    await world.write('one', true);
    await world.settle();
    expect(revisionsTold(world)).toEqual([1, 1, 2]);
    expect(world.messagesSent).toEqual([3]);

    world.pass(10_000);
    await world.replace({ ordered: true });
    world.pass(10_000);
    await world.write('one', true);
    await world.settle();
    expect(revisionsTold(world)).toEqual([1, 1, 2, 4]);
  });

  test('passes over what is under way when the subscription hears of it no more, which is dead then', async () => {
    const world = await openWorld([true]);
    await world.write('one', true);
    await world.fanOut(0, false);
    await world.take(0, 0, 1_000);
    expect(await states(world)).toEqual(['pending']);
    await world.replace({ types: ['delete'] });
    await world.settle();
    expect(await states(world)).toEqual(['dead']);
  });

  test('passes over what the subscription does not hear of by its type or by what differs', async () => {
    const world = await openWorld();
    await world.replace({ types: ['put'], changed: ['/is'] });
    await world.write('one', true);
    await world.write('one', true, 'same');
    await world.write('one', true, 'same');
    await world.settle();
    expect(revisionsTold(world)).toEqual([1, 2]);
    expect(await world.cursor('one')).toMatchObject({ revision: 3 });
  });
});

/** More than a change takes that fails at first, and a change that succeeds at once. */
const STEPS = 14;

describe('wherever a handler stands, the change is told in its turn', () => {
  test('and so is the next one, whose message finds the cursor held', async () => {
    const world = await openWorld();
    for (let steps = 0; steps < STEPS; steps += 1) {
      const store = await begin(world, steps);
      await world.write(store, true);
      await world.fanOut(1, false);
      await world.take(-1, 1, ALL);
      await world.goOn(0, ALL);
      await world.settle();
      expect(revisionsTold(world, store)).toEqual([1, 2]);
    }
  });

  test('when it dies there', async () => {
    const world = await openWorld();
    for (let steps = 0; steps < STEPS; steps += 1) {
      const store = await begin(world, steps);
      world.kill(0, true);
      await world.settle();
      expect(new Set(revisionsTold(world, store))).toEqual(new Set([1]));
      expect(await states(world, store)).toEqual(['delivered']);
    }
  });

  test('when its call fails, and the message that repeats it comes early by the clocks of processes', async () => {
    const world = await openWorld([], [-900, -900]);
    for (let steps = 0; steps < STEPS; steps += 1) {
      world.failures.push(true);
      const store = await begin(world, steps);
      world.passToNext();
      await world.take(0, 1, ALL);
      await world.goOn(0, ALL);
      await world.settle();
      expect(revisionsTold(world, store)).toEqual([1, 1]);
      expect(await states(world, store)).toEqual(['delivered']);
    }
  });

  test('when storage or the bus does not answer, though it did what it was asked for', async () => {
    const world = await openWorld();
    for (let steps = 0; steps < STEPS; steps += 1) {
      const store = await begin(world, steps);
      await world.goOn(0, ALL, 'lost');
      await world.settle();
      expect(new Set(revisionsTold(world, store))).toEqual(new Set([1]));
      expect(await states(world, store)).toEqual(['delivered']);
    }
  });
});

const ALL = 1_000;

/** Has a change of a store of its own told by a handler that stops after some steps. */
async function begin(world: OrderedWorld, steps: number): Promise<string> {
  const store = String(steps);
  await world.write(store, true);
  await world.fanOut(0, false);
  await world.take(-1, 0, steps);
  return store;
}

async function openWorld(failures: readonly boolean[] = [], skews = [0, 0]): Promise<OrderedWorld> {
  namespaces += 1;
  return await OrderedWorld.open(servers.cosmos, `world${namespaces}`, skews, failures);
}

async function states(world: OrderedWorld, store = 'one'): Promise<Delivery['state'][]> {
  return (await world.deliveries(store)).map(({ state }) => state);
}

function revisionsTold(world: OrderedWorld, store = 'one'): number[] {
  return world.callsOf(store).map(({ revision }) => revision);
}

/** Removes the changes of a store up to a revision. */
async function compact(world: OrderedWorld, upTo: number, store = 'one'): Promise<void> {
  world.pass(25 * HOUR);
  const container = servers.cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  const compaction = new Compaction({ container, clock: world.clock });
  await compaction.cutOff(world.scope(store), upTo);
  await compaction.remove(world.scope(store), world.clock.now() + HOUR);
}

function dataOf(body: unknown): { scope: string; after: Json } {
  return (body as { data: { scope: string; after: Json } }).data;
}
