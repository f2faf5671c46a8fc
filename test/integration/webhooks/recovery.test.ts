import type { Database } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { type Json, type Scope, scopeId } from '../../../shared/records/index.ts';
import {
  Activation,
  type Subscription,
  type SubscriptionInput,
  withState,
} from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { RecoveryFixture, type RecoveryParts } from './recovery-fixture.ts';

const author = { actor: 'test' };

let cosmos: CosmosFixture;
let database: Database;
let fixture: RecoveryFixture;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  cosmos = await startCosmos({ partitions: 4 });
  database = cosmos.connect();
});

afterAll(async () => {
  await cosmos.stop();
});

beforeEach(() => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  fixture = new RecoveryFixture(database);
});

describe('whoever becomes active again', () => {
  test('is told of all that it missed under its key, once, and of nothing from before', async () => {
    const { id } = await subscribe('/app');
    await fixture.put(apps(), '/app/before');
    await pause(id);
    const missed = [await fixture.put(apps(), '/app/one'), await fixture.put(apps(), '/app/two')];
    const resumed = await fixture.activation.resume(ns, id, author);

    expect(resumed).toMatchObject({ state: 'active', stateSince: expect.any(String) });
    expect(resumed).not.toHaveProperty('reason');
    expect(await fixture.settle()).toEqual([]);
    expect(await fixture.deliveries(id)).toMatchObject(
      missed.map((revision) => ({ revision, state: 'delivered', replays: 1 })),
    );
    expect(fixture.told).toHaveLength(2);
  });

  test('in several scopes is told of those of its namespace, whichever range of keys they lie in', async () => {
    const { id } = await subscribe('/');
    await fixture.put(service('before'), '/srv/before/a');
    await pause(id);
    const names = Array.from({ length: 30 }, (_, nth) => `web${nth}`);
    for (const name of names) {
      await fixture.put(service(name), `/srv/${name}/a`);
    }
    await fixture.put({ ...service('web0'), ns: `${ns}-other` }, '/srv/web0/a');
    await fixture.put({ ns, kind: 'hook', name: '' }, '/hook/none');
    await fixture.activation.resume(ns, id, author);
    await fixture.settle();

    const scopes = (await fixture.deliveries(id)).map(({ scope }) => scope);
    expect(scopes.sort()).toEqual(names.map((name) => scopeId(service(name))).sort());
    expect(fixture.told).toHaveLength(names.length);
  });

  test('is told of nothing when it is deleted instead: what is held or pending ends, and its cursors are woken to go', async () => {
    const { id } = await subscribe('/app');
    const message = { scope: scopeId(apps()), key: '/app/a0', subscription: id };
    const revisions = Array.from({ length: 201 }, (_, nth) => nth + 1);
    await Promise.all(
      revisions.map((revision) =>
        fixture.stand({ ...message, revision }, { state: revision % 2 === 0 ? 'held' : 'pending' }),
      ),
    );
    await fixture.stand({ ...message, revision: 300 }, { state: 'delivered' });
    await pause(id);
    await fixture.subscriptions.remove(ns, id, author);
    const since = new Date().toISOString();
    await fixture.recovery.handle({ task: 'recover', run: 'r', ns, subscription: id, since, page: 1 });
    expect(await fixture.settle()).toEqual([]);
    const states = (await fixture.deliveries(id)).map(({ state }) => state);
    expect(states).toEqual([...revisions.map(() => 'dead'), 'delivered']);
    expect(fixture.woken).toEqual([id]);
    expect(fixture.told).toEqual([]);
  });

  test('is told of what was held, however old and however much it is', async () => {
    const { id } = await subscribe('/app');
    const revisions = Array.from({ length: 201 }, (_, nth) => nth + 1);
    for (let written = 0; written < revisions.length; written += 49) {
      await putTogether(49);
    }
    const message = { scope: scopeId(apps()), key: '/app/a0', subscription: id };
    await Promise.all(
      revisions.map((revision) => fixture.stand({ ...message, revision }, { state: 'held', replays: 4 })),
    );
    await nextMoment();
    await pause(id);
    await fixture.activation.resume(ns, id, author);
    await fixture.settle();

    const told = await fixture.deliveries(id);
    expect(told.map(({ revision }) => revision)).toEqual(revisions);
    expect(told.every(({ state, replays }) => state === 'delivered' && replays === 5)).toBe(true);
    expect(fixture.told).toHaveLength(revisions.length);
  });

  test('misses nothing when it is paused again before it has heard all', async () => {
    const { id } = await subscribe('/app');
    await pause(id);
    await fixture.put(apps(), '/app/one');
    await fixture.activation.resume(ns, id, author);
    await pause(id);
    await fixture.put(apps(), '/app/two');
    await fixture.settle();
    const held = { state: 'held' };
    expect(await fixture.deliveries(id)).toMatchObject([held, held]);

    await fixture.activation.resume(ns, id, author);
    await fixture.settle();
    expect(await fixture.deliveries(id)).toMatchObject([
      { revision: 1, state: 'delivered' },
      { revision: 2, state: 'delivered' },
    ]);
    expect(fixture.told).toHaveLength(2);
  });

  test('is waited for, until nobody can still be about to write it', async () => {
    const { id } = await subscribe('/app');
    const { stateSince = '' } = await pause(id);
    await fixture.put(apps(), '/app/one');
    const recovery = { task: 'recover', run: 'r', ns, subscription: id, since: stateSince } as const;
    await fixture.recovery.handle({ ...recovery, awaitsActive: true, page: 1 });
    expect(fixture.queue.waiting).toMatchObject([{ ...recovery, page: 1, postponed: 1 }]);

    await fixture.settle();
    expect(fixture.queue.waiting).toEqual([]);
    expect(await fixture.deliveries(id)).toEqual([]);
  });

  test('stays as it was when what it missed cannot be recovered', async () => {
    const { id } = await subscribe('/app');
    await pause(id);
    const { subscriptions } = fixture;
    const schedule = async () => {
      throw unavailable('The bus is away.');
    };
    const activation = new Activation({
      subscriptions,
      queue: { schedule },
      clock: systemClock,
      random: systemRandom,
    });
    await expect(activation.resume(ns, id, author)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await subscriptions.get(ns, id)).toMatchObject({ state: 'paused' });
  });

  test('hears of what came before its key was replaced only if it asks for it', async () => {
    const { id } = await subscribe('/app/one');
    const since = new Date().toISOString();
    await pause(id);
    await fixture.put(apps(), '/app/two');
    const input = { name: 'test', key: '/app/two', endpoint: 'http://localhost/' };
    await fixture.subscriptions.replace(ns, id, input, author);
    await fixture.put(apps(), '/app/two');
    await fixture.activation.resume(ns, id, author);
    await fixture.settle();
    expect(await fixture.deliveries(id)).toMatchObject([{ revision: 2 }]);

    await fixture.recovery.handle({ task: 'recover', run: 'r', ns, subscription: id, since, page: 1 });
    await fixture.settle();
    expect(await fixture.deliveries(id)).toMatchObject([{ revision: 1 }, { revision: 2, replays: 1 }]);
  });
});

test('only who is active is paused, and only who consented is resumed', async () => {
  const { id } = await subscribe('/app');
  await setState(id, 'unconfirmed');
  await expect(fixture.activation.pause(ns, id, author)).rejects.toMatchObject({ kind: 'conflict' });
  await expect(fixture.activation.resume(ns, id, author)).rejects.toMatchObject({
    kind: 'conflict',
    fix: expect.stringContaining(`${id}/confirm`),
  });
  await setState(id, 'disabled');
  await expect(fixture.activation.pause(ns, id, author)).rejects.toMatchObject({ kind: 'conflict' });
  expect(fixture.queue.waiting).toEqual([]);

  await fixture.activation.resume(ns, id, author);
  const paused = await pause(id);
  expect(await pause(id)).toEqual(paused);
  await expect(fixture.activation.resume(ns, 'sub_none', author)).rejects.toMatchObject({
    kind: 'not-found',
  });
});

test('what is delivered or under way is left alone, what is dead is told again', async () => {
  const { id } = await subscribe('/app');
  const since = new Date().toISOString();
  const states = ['delivered', 'pending', 'dead'] as const;
  for (const state of states) {
    const key = `/app/${state}`;
    const revision = await fixture.put(apps(), key);
    await fixture.stand({ scope: scopeId(apps()), revision, key, subscription: id }, { state });
  }
  await fixture.recovery.handle({ task: 'recover', run: 'r', ns, subscription: id, since, page: 1 });
  await fixture.settle();
  expect(await fixture.deliveries(id)).toMatchObject([
    { state: 'delivered', attempts: [] },
    { state: 'pending', attempts: [] },
    { state: 'delivered', attempts: [{}], replays: 1, earlierAttempts: 0 },
  ]);
});

test('an ordered subscription is told again of what is dead, and of the rest by its cursors alone', async () => {
  const before = await fixture.put(apps(), '/app/before');
  const { id } = await subscribe('/app', { ordered: true });
  const revision = await fixture.put(apps(), '/app/dead');
  const dead = { scope: scopeId(apps()), revision, key: '/app/dead', subscription: id };
  await fixture.stand(dead, { state: 'dead' });
  await fixture.put(apps(), '/app/behind-the-cursor');
  const since = new Date(0).toISOString();
  await fixture.recovery.handle({ task: 'recover', run: 'r', ns, subscription: id, since, page: 1 });
  expect(fixture.woken).toEqual([id]);
  await fixture.settle();
  expect(await fixture.deliveries(id)).toMatchObject([
    { revision: before, state: 'delivered' },
    { revision, state: 'delivered' },
  ]);
});

test('what was left to no cursor before a subscription was ordered no more, or lies before its cursor, is told', async () => {
  const { id, name, endpoint } = await subscribe('/app', { ordered: true });
  const revision = await fixture.put(apps(), '/app/late');
  await nextMoment();
  await fixture.subscriptions.replace(ns, id, { name, endpoint, key: '/app' }, { actor: 'test' });
  const recover = async (run: string) => {
    const since = new Date(0).toISOString();
    await fixture.recovery.handle({ task: 'recover', run, ns, subscription: id, since, page: 1 });
    await fixture.settle();
    return (await fixture.deliveries(id)).map((delivery) => delivery.revision);
  };
  fixture.positions.set(scopeId(apps()), revision - 1);
  expect(await recover('behind the cursor')).toEqual([]);
  fixture.positions.clear();
  expect(await recover('no cursor')).toEqual([revision]);
  const next = await fixture.put(apps(), '/app/next');
  await fixture.subscriptions.replace(
    ns,
    id,
    { name, endpoint, key: '/app', ordered: true },
    { actor: 'test' },
  );
  fixture.positions.set(scopeId(apps()), next);
  expect(await recover('before the cursor')).toEqual([revision, next]);
});

test('a long log is gone through page by page, from its first change since then that is not compacted', async () => {
  const { id } = await subscribe('/app');
  for (let nth = 0; nth < 10; nth += 1) {
    await fixture.put(apps(), '/app/before');
  }
  await nextMoment();
  const since = new Date().toISOString();
  for (let nth = 0; nth < 6; nth += 1) {
    await putTogether(49);
  }
  await fixture.compaction.cutOff(apps(), 59);

  await fixture.recovery.handle({ task: 'recover', run: 'r', ns, subscription: id, since, page: 1 });
  let pages = 1;
  await fixture.queue.handOver(async (message) => {
    pages += 'task' in message ? 1 : 0;
    await fixture.handle(message);
  });
  const revisions = (await fixture.deliveries(id)).map(({ revision }) => revision);
  expect(revisions).toEqual(Array.from({ length: 5 * 49 }, (_, nth) => 60 + nth));
  expect(pages).toBe(3);
});

describe.each(['before', 'after'] as const)('a process that dies %s any step loses nothing', (moment) => {
  test('of a recovery', async () => {
    await crashEverywhere(moment, async () => {
      const { id } = await subscribe('/app');
      const revision = await fixture.put(apps(), '/app/held');
      const message = { scope: scopeId(apps()), revision, key: '/app/held', subscription: id };
      await fixture.stand(message, { state: 'held' });
      await nextMoment();
      await pause(id);
      await fixture.put(apps(), '/app/one');
      const dead = { ...message, revision: await fixture.put(apps(), '/app/two'), key: '/app/two' };
      await fixture.stand(dead, { state: 'dead' });
      await fixture.activation.resume(ns, id, author);
      return id;
    });
  });

  test('of replays', async () => {
    await crashEverywhere(moment, async () => {
      const { id } = await subscribe('/app');
      for (const state of ['delivered', 'dead', 'held'] as const) {
        const key = `/app/${state}`;
        const revision = await fixture.put(apps(), key);
        await fixture.stand({ scope: scopeId(apps()), revision, key, subscription: id }, { state });
      }
      const replays = (await fixture.deliveries(id)).map((delivery) => ({ id: delivery.id, replay: 1 }));
      await fixture.queue.send([{ task: 'replay', run: 'r', ns, subscription: id, replays }]);
      return id;
    });
  });
});

/** Repeats a scenario with a crash at each of its steps, and once without one: all three deliveries are told once. */
async function crashEverywhere(moment: 'before' | 'after', begin: () => Promise<string>): Promise<void> {
  for (let nth = 0, isDone = false; !isDone; nth += 1) {
    namespaces += 1;
    ns = `ns${namespaces}`;
    let steps = 0;
    fixture = new RecoveryFixture(database, (parts) =>
      interrupt(parts, async (work) => {
        const isHere = steps === nth;
        steps += 1;
        if (isHere && moment === 'before') throw new Crash();
        const result = await work();
        if (isHere) throw new Crash();
        return result;
      }),
    );
    const id = await begin();
    const faults = await fixture.settle();
    expect(await fixture.deliveries(id)).toMatchObject(
      [1, 2, 3].map(() => ({ state: 'delivered', replays: 1 })),
    );
    expect(fixture.told).toHaveLength(3);
    isDone = faults.length === 0;
    expect(isDone && nth <= 5, 'no step was interrupted').toBe(false);
    expect(nth).toBeLessThan(30);
  }
}

class Crash extends Error {}

type Step = <Result>(work: () => Promise<Result>) => Promise<Result>;

function interrupt({ storage, queue }: RecoveryParts, step: Step): RecoveryParts {
  return { storage: interruptMethods(storage, step), queue: interruptMethods(queue, step) };
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

/** Waits until what happens next has a later time than all before. */
async function nextMoment(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function subscribe(key: string, more: Partial<SubscriptionInput> = {}): Promise<Subscription> {
  const input = { name: 'test', key, endpoint: 'http://localhost/', ...more };
  return await fixture.subscriptions.create(ns, input, author);
}

/** So many changes by one transaction. */
async function putTogether(count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, nth) => `/app/a${nth}`);
  const decision = { type: 'put', value: {} } as const;
  const decide = () => ({ writes: keys.map((key) => ({ key, decision })) });
  await fixture.records.transact<Json>(apps(), { keys, ...author, decide });
}

async function pause(id: string): Promise<Subscription> {
  return await fixture.activation.pause(ns, id, author);
}

async function setState(id: string, state: 'unconfirmed' | 'disabled'): Promise<void> {
  await fixture.subscriptions.update(ns, id, author, (value) => withState(value, state, Date.now()));
}

function apps(): Scope {
  return { ns, kind: 'app', name: '' };
}

function service(name: string): Scope {
  return { ns, kind: 'srv', name };
}
