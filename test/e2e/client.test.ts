import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  InvalidConfig,
  type Json,
  RawContent,
  SkerryClient,
  SkerryProblem,
  SkerryUnreachable,
  type WatchHandlers,
} from 'skerry/client';
import { lastGoodFolder } from 'skerry/client/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type InterruptedLine, openLine } from './interrupted-line.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const DEADLINE = { timeout: 15_000, interval: 20 };
/** As cn-infra's agents have it. */
const PREFIX = '/vnf-agent/vpp1/';
const ENDPOINTS = { http: 'http://127.0.0.1:1' };

let skerry: Skerry;
let client: SkerryClient;
/** Another client, whose line can be cut. */
let line: InterruptedLine;
let remote: SkerryClient;
let folder: string;

beforeAll(async () => {
  skerry = await startSkerry();
  line = await openLine(skerry.url);
  client = new SkerryClient({ url: skerry.url });
  remote = new SkerryClient({ url: line.url });
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-last-good-'));
});

// What a failed test has cut must not fail the others.
afterEach(() => line.mend());

afterAll(async () => {
  line?.close();
  await skerry?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('calls', () => {
  it('store, read, list and remove applications', async () => {
    expect(await client.apps.get('mall')).toBeUndefined();
    const stored = await client.apps.put('mall', { config: { open: true } }, { ifRevision: 0 });
    expect(await client.apps.get('mall')).toEqual(stored);
    await client.apps.put('mill', { config: 1 });
    expect((await Array.fromAsync(client.apps.list())).map(({ name }) => name)).toEqual(['mall', 'mill']);
    expect((await client.apps.listPage({ limit: 1 })).next).toBeDefined();
    expect(await client.apps.delete('mall', { ifRevision: stored.revision })).toBe(true);
    expect(await client.apps.delete('mall')).toBe(false);
  });

  it('register, beat, filter and remove instances', async () => {
    const { services } = client;
    expect(await services.get('web')).toBeUndefined();
    expect(await services.heartbeat('web', 'a')).toBe(false);
    await services.register('web', 'a', { endpoints: ENDPOINTS, ttl: 60, tags: ['x', 'y'] });
    await services.register('web', 'b', { endpoints: ENDPOINTS, status: 'draining' });
    expect(await services.heartbeat('web', 'a')).toBe(true);
    expect(await services.getInstance('web', 'b')).toMatchObject({ id: 'b', health: 'draining' });
    const tagged = await services.get('web', { passing: true, tags: ['x', 'y'] });
    expect(tagged?.instances.map(({ id }) => id)).toEqual(['a']);
    expect((await Array.fromAsync(services.list())).map(({ name }) => name)).toContain('web');
    expect(await services.deregister('web', 'a')).toBe(true);
    expect(await services.deregister('web', 'a')).toBe(false);
  });

  it('are refused with what to do about it', async () => {
    const refused = await client.apps.put('mill', { config: 2 }, { ifRevision: 0 }).catch((error) => error);
    expect(refused).toBeInstanceOf(SkerryProblem);
    expect(refused).toMatchObject({ status: 412, kind: 'precondition-failed' });
    const invalid = await client.services.register('web', 'c', { endpoints: {} }).catch((error) => error);
    expect(invalid).toMatchObject({ status: 400, field: 'endpoints', requestId: expect.any(String) });
  });

  it('end with their signal, and when nobody answers in time', async () => {
    const reason = new Error('not needed any more');
    await expect(client.apps.get('mill', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const lost = new SkerryClient({ url: 'http://127.0.0.1:9', timeout: 300 });
    await expect(lost.apps.get('mill')).rejects.toThrow(SkerryUnreachable);
  });
});

describe('calls of a store', () => {
  it('put, get, list and delete JSON, text and bytes', async () => {
    const store = client.store('pantry');
    expect(await store.get('jam')).toBeUndefined();
    const created = await store.put('jam', { fruit: 'plum' }, { ifRevision: 0 });
    const text = new RawContent('fürs Brot', 'text/plain; charset=utf-8');
    const bytes = new RawContent(Uint8Array.of(0, 255), 'image/png');
    await store.put('a/label', text);
    await store.put('a/picture', bytes);
    await store.put('nothing', null);

    expect(await store.get('jam')).toMatchObject({ value: { fruit: 'plum' }, revision: created.revision });
    expect((await store.get<RawContent>('a/label'))?.value.text()).toBe('fürs Brot');
    expect((await store.get('a/picture'))?.value).toEqual(bytes);
    expect((await store.get('nothing'))?.value).toBeNull();
    const listed = await Array.fromAsync(store.list({ limit: 1 }));
    expect(listed.map(({ key }) => key)).toEqual(['a/label', 'a/picture', 'jam', 'nothing']);
    expect(listed.slice(0, 2).map(({ value }) => value)).toEqual([text, bytes]);
    const below = await Array.fromAsync(store.listKeys({ prefix: 'a/' }));
    expect(below.map(({ key }) => key)).toEqual(['a/label', 'a/picture']);

    await expect(store.put('jam', 1, { ifRevision: 99 })).rejects.toMatchObject({ status: 412 });
    expect(await store.delete('jam', { ifRevision: created.revision })).toBe(true);
    expect(await store.delete('jam')).toBe(false);
    expect(await store.deletePrefix('a')).toMatchObject({ deleted: 2, atomic: true });
  });

  it('do transactions', async () => {
    const store = client.store('bank');
    await store.put('ada', 10);
    const transfer = {
      compare: [{ key: 'ada', value: 10 }],
      success: [
        { put: { key: 'ada', value: 3 } },
        { put: { key: 'bob', value: 7 } },
        { get: { key: 'eve' } },
      ],
      failure: [{ get: { key: 'ada' } }],
    };
    const done = await store.transact(transfer);
    expect(done).toMatchObject({ succeeded: true, results: [{ put: {} }, { put: {} }, { get: null }] });
    expect(await store.transact(transfer)).toMatchObject({
      succeeded: false,
      results: [{ get: { key: 'ada', value: 3 } }],
    });
  });

  it('let keys end with time, and with a session', async () => {
    const store = client.store('camp');
    await store.put('fire', 'lit', { ttl: 1 });
    const session = await store.session({ ttl: 1 });
    const { expiresAt } = await store.put('tent', 'up', { lease: session.id }).then(() => session.lease);
    await expect.poll(async () => (await store.get('fire')) === undefined, DEADLINE).toBe(true);
    await expect.poll(() => Date.now(), DEADLINE).toBeGreaterThan(Date.parse(expiresAt));
    expect(await store.get('tent')).toBeDefined();
    expect(session.isAlive).toBe(true);
    await session.close();
    expect(await store.get('tent')).toBeUndefined();
  });

  it('read the past, and bring it back', async () => {
    const store = client.store('diary');
    const { revision } = await store.put('day', 'sunny');
    await store.put('day', 'rainy');
    expect((await store.get('day', { revision }))?.value).toBe('sunny');
    const changes = await Array.fromAsync(
      client.history.list('/kv/diary/day', { order: 'oldest', limit: 1 }),
    );
    expect(changes.map(({ value, previous }) => [value, previous])).toEqual([
      ['sunny', null],
      ['rainy', 'sunny'],
    ]);
    expect(await client.history.restore('/kv/diary/day', revision)).toMatchObject({ restored: 1 });
    expect((await store.get('day'))?.value).toBe('sunny');
    await store.compact(revision + 1);
    await expect(store.get('day', { revision })).rejects.toMatchObject({ status: 410, kind: 'compacted' });
  });
});

/** The numbers are those of the cases in cn-infra's own tests. */
describe('a broker', () => {
  const vpp = () => client.store('agents').broker<Json>('/vnf-agent/vpp1/');

  it('22: prefixes what goes in, and strips what comes out', async () => {
    await client.store('agents').put('/vnf-agent/vpp1/key', 'v');
    expect(await vpp().get('key')).toMatchObject({ key: 'key', value: 'v' });
    expect(await vpp().get('unknown')).toBeUndefined();
    expect(() => client.store('agents').broker('/vnf-agent/vpp1')).toThrow(/slash/);
  });

  it('24: commits all of a transaction, and lists it in the order of keys', async () => {
    await vpp().txn().put('vals/3', 3).put('vals/1', 1).put('vals/2', 2).commit();
    expect((await Array.fromAsync(vpp().list('vals/'))).map(({ key, value }) => [key, value])).toEqual([
      ['vals/1', 1],
      ['vals/2', 2],
      ['vals/3', 3],
    ]);
    await vpp().txn().commit();
  });

  it('25: deletes all under a prefix', async () => {
    await vpp().txn().put('something/a', 1).put('something/a/b', 2).put('something/a/c', 3).commit();
    await vpp().put('something/ab', 4);
    expect(await vpp().delete('something/a', { prefix: true })).toBe(true);
    expect(await Array.fromAsync(vpp().listKeys('something/'))).toEqual(['something/ab']);
    expect(await vpp().delete('something/a', { prefix: true })).toBe(false);
    expect(await vpp().delete('something/ab')).toBe(true);
  });

  it('26: puts only what is not there', async () => {
    expect(await vpp().putIfNotExists('only', 'first')).toBe(true);
    expect(await vpp().putIfNotExists('only', 'second')).toBe(false);
    expect((await vpp().get('only'))?.value).toBe('first');
    expect(await vpp().delete('only')).toBe(true);
    expect(await vpp().putIfNotExists('only', 'third')).toBe(true);
  });

  it('27: swaps and deletes only what it expects', async () => {
    await vpp().put('swap', 'abcd');
    expect(await vpp().compareAndSwap('swap', 'abcd', 'efgh')).toBe(true);
    expect(await vpp().compareAndSwap('swap', 'abcd', 'ijkl')).toBe(false);
    expect((await vpp().get('swap'))?.value).toBe('efgh');
    expect(await vpp().compareAndSwap('swap', 'efgh', 'ijkl')).toBe(true);
    expect(await vpp().compareAndDelete('swap', 'abcd')).toBe(false);
    expect(await vpp().compareAndDelete('swap', 'ijkl')).toBe(true);
    expect(await vpp().compareAndDelete('swap', 'ijkl')).toBe(false);
  });

  it('31: takes the last of several writes of a key in a transaction, and reads no prefix for a key', async () => {
    await vpp().txn().put('keyWest', 1).put('keyMap', 2).delete('keyWest').commit();
    expect(await vpp().delete('key')).toBe(true);
    expect(await vpp().get('keyWest')).toBeUndefined();
    expect(await vpp().get('keyMap')).toMatchObject({ value: 2 });
  });
});

describe('a watcher', () => {
  it('23: tells of its own keys alone, without their prefix', async () => {
    const { broker, watcher, log } = watched('w23');
    await broker.put('vals/old', 0);
    await using registration = watcher.watch('one', ['vals/'], log.handlers('one'));
    await registration.ready;
    await client.store('w23').put('/elsewhere', 1);
    await broker.put('valsx', 1);
    await broker.put('vals/val1', { up: true });
    await broker.put('vals/val1', { up: false });
    await broker.delete('vals/val1');
    await expect
      .poll(() => log.lines, DEADLINE)
      .toEqual([
        'one resync vals/old=0',
        'one Put vals/val1={"up":true} was null',
        'one Put vals/val1={"up":false} was {"up":true}',
        'one Delete vals/val1=null was {"up":false}',
      ]);
  });

  it('tells several registrations in their order, each the same, and each until it is closed', async () => {
    const { broker, watcher, log } = watched('order');
    await broker.put('a/1', 1);
    const names = ['zeta', 'alpha', 'mid'];
    const registrations = names.map((name) => watcher.watch(name, ['a', 'b'], log.handlers(name)));
    await Promise.all(registrations.map(({ ready }) => ready));
    expect(log.lines).toEqual(names.map((name) => `${name} resync a/1=1`));
    expect(() => watcher.watch('mid', ['c'], log.handlers('mid'))).toThrow(/already/);

    await broker.put('a/1', 2);
    await expect
      .poll(() => log.lines.slice(3), DEADLINE)
      .toEqual(names.map((name) => `${name} Put a/1=2 was 1`));
    registrations[0]?.close();
    await broker.txn().put('b/1', 1).delete('a/1').commit();
    const both = (name: string) => [`${name} Put b/1=1 was null`, `${name} Delete a/1=null was 2`];
    await expect.poll(() => log.lines.slice(6), DEADLINE).toEqual([...both('alpha'), ...both('mid')]);
    watcher.close();
  });

  it('waits for a handler, and resyncs one that failed while the others go on', async () => {
    const { broker, watcher, log } = watched('acks');
    const release = Promise.withResolvers<void>();
    let fails = true;
    const errors: unknown[] = [];
    await using slow = watcher.watch('slow', [''], {
      ...log.handlers('slow'),
      onChange: async (changes) => {
        if (changes[0]?.value === 1) await release.promise;
        await log.handlers('slow').onChange(changes);
      },
    });
    await using weak = watcher.watch('weak', [''], {
      ...log.handlers('weak'),
      onChange: async (changes) => {
        if (fails) throw new Error('weak');
        await log.handlers('weak').onChange(changes);
      },
      onError: (error) => errors.push(error),
    });
    await Promise.all([slow.ready, weak.ready]);
    await broker.put('k', 1);
    await broker.put('k', 2);
    expect(log.lines).toEqual(['slow resync ', 'weak resync ']);
    release.resolve();
    await expect.poll(() => log.lines, DEADLINE).toContain('weak resync k=2');
    fails = false;
    expect(log.lines).toContain('slow Put k=2 was 1');
    expect(errors.length).toBeGreaterThan(0);
    await broker.put('k', 3);
    await expect.poll(() => log.lines, DEADLINE).toContain('weak Put k=3 was 2');
    expect(log.lines.filter((line) => line.startsWith('slow'))).toHaveLength(4);
  });

  it('follows a further prefix after a resync of all, and one less at once', async () => {
    const { broker, watcher, log } = watched('prefixes');
    await broker.txn().put('a/1', 1).put('b/1', 1).commit();
    await using registration = watcher.watch('one', ['a'], log.handlers('one'));
    await registration.ready;
    registration.addPrefix('b');
    expect(() => registration.addPrefix('b')).toThrow(/already/);
    await expect.poll(() => log.lines.at(-1), DEADLINE).toBe('one resync a/1=1 b/1=1');
    expect(registration.removePrefix('a')).toBe(true);
    await broker.txn().put('a/1', 2).put('b/1', 2).commit();
    await expect.poll(() => log.lines.at(-1), DEADLINE).toBe('one Put b/1=2 was 1');
    expect(log.lines).not.toContain('one Put a/1=2 was 1');
  });

  it.each(['poll', 'stream'] as const)(
    'misses nothing and repeats nothing over a line that is cut (%s)',
    async (transport) => {
      const store = remote.store(`cut-${transport}`);
      const values: unknown[] = [];
      let resyncs = 0;
      await using registration = store.watcher<number>('', { transport, wait: 5 }).watch('one', [''], {
        onResync: () => {
          resyncs += 1;
        },
        onChange: (changes) => {
          values.push(...changes.map(({ value }) => value));
        },
      });
      await registration.ready;
      const writer = client.store(store.name);
      for (let value = 0; value < 30; value += 1) {
        if (value % 10 === 4) line.cut();
        await writer.put('k', value);
        if (value % 10 === 8) line.mend();
      }
      await expect.poll(() => values.length, DEADLINE).toBe(30);
      expect(values).toEqual(Array.from({ length: 30 }, (_, value) => value));
      expect(resyncs).toBe(1);
    },
  );

  it('begins again with a resync where history is gone', async () => {
    const { broker, watcher, log } = watched('gone', remote);
    const { revision } = await broker.put('k', 1);
    await using registration = watcher.watch('one', [''], log.handlers('one'));
    await registration.ready;
    line.cut();
    const near = client.store('gone');
    for (const value of [2, 3, 4]) await near.put(`${PREFIX}k`, value);
    await near.compact(revision + 2);
    line.mend();
    await expect.poll(() => log.lines, DEADLINE).toEqual(['one resync k=1', 'one resync k=4']);
  });
});

describe('an election', () => {
  it('has one leader at a time, who knows when it is over before another can lead', async () => {
    const election = remote.election('captain');
    const first = await election.campaign({ candidate: 'first', ttl: 1 });
    expect(first.isLeader).toBe(true);
    expect(await client.election('captain').leader()).toMatchObject({
      candidate: 'first',
      token: first.token,
    });
    let wasLeaderAtTheEnd: boolean | undefined;
    const next = client
      .election('captain')
      .campaign({ candidate: 'second', ttl: 1 })
      .then((leadership) => {
        wasLeaderAtTheEnd = first.isLeader;
        return leadership;
      });
    line.cut();
    await using second = await next;
    expect(wasLeaderAtTheEnd).toBe(false);
    expect(first.signal.aborted).toBe(true);
    expect(second.token).toBeGreaterThan(first.token);
    line.mend();

    const third = election.campaign({ candidate: 'third' });
    await second.resign();
    expect((await third).isLeader).toBe(true);
    await (await third).resign();
    expect(await election.leader()).toBeUndefined();
  });

  it('gives up a campaign that is not wanted any more', async () => {
    await using leader = await client.election('solo').campaign();
    const ending = new AbortController();
    const campaign = client.election('solo').campaign({ signal: ending.signal });
    ending.abort(new Error('enough'));
    await expect(campaign).rejects.toThrow('enough');
    expect(leader.isLeader).toBe(true);
  });
});

describe('an announcement', () => {
  it('outlives its ttl, an outage and being forgotten, and takes leave', async () => {
    const faults: unknown[] = [];
    const announcement = remote.registry.announce(
      { service: 'clock', endpoints: ENDPOINTS, ttl: 1 },
      { onFault: (error) => faults.push(error) },
    );
    await announcement.ready;
    const health = async () => (await client.services.getInstance('clock', announcement.id))?.health;
    const { expiresAt = '' } = (await client.services.getInstance('clock', announcement.id)) ?? {};
    await expect.poll(() => Date.now(), DEADLINE).toBeGreaterThan(Date.parse(expiresAt));
    expect(await health()).toBe('passing');

    line.cut();
    await expect.poll(health, DEADLINE).toBe('expired');
    line.mend();
    await expect.poll(health, DEADLINE).toBe('passing');
    expect(faults.length).toBeGreaterThan(0);

    await client.services.deregister('clock', announcement.id);
    await expect.poll(health, DEADLINE).toBe('passing');

    await announcement.close();
    expect(await health()).toBeUndefined();
  });

  it('that Skerry refuses says so', async () => {
    const announcement = client.registry.announce({ service: 'clock', endpoints: {} });
    await expect(announcement.ready).rejects.toMatchObject({ status: 400, field: 'endpoints' });
    await announcement.close();
  });
});

describe('a view of a service', () => {
  it('follows instances that come, change, expire and go', async () => {
    await using view = client.discover('shop');
    await view.ready;
    expect(view.pick()).toBeUndefined();
    let told = 0;
    view.onChange(() => {
      told += 1;
    });
    await client.services.register('shop', 'a', { endpoints: ENDPOINTS, zone: 'north' });
    await client.services.register('shop', 'b', { endpoints: ENDPOINTS, weight: 0, zone: 'south' });
    await client.services.register('shop', 'c', { endpoints: ENDPOINTS, ttl: 1 });
    await expect.poll(() => idsOf(view.passing), DEADLINE).toEqual(['a', 'b', 'c']);
    const picked = new Set(Array.from({ length: 100 }, () => view.pick()?.id));
    expect([...picked].sort()).toEqual(['a', 'c']);
    expect(view.pick({ zone: 'north' })?.id).toBe('a');
    // Nobody there takes requests, so that somebody elsewhere has to.
    expect(['a', 'c']).toContain(view.pick({ zone: 'south' })?.id);

    await expect.poll(() => idsOf(view.passing), DEADLINE).toEqual(['a', 'b']);
    await client.services.register('shop', 'a', { endpoints: ENDPOINTS, status: 'draining' });
    await client.services.deregister('shop', 'b');
    await expect.poll(() => idsOf(view.passing), DEADLINE).toEqual([]);
    expect(view.pick()).toBeUndefined();
    expect(told).toBeGreaterThan(2);
  });

  it('stays as it was while Skerry is out of reach', async () => {
    await client.services.register('mint', 'a', { endpoints: ENDPOINTS, ttl: 1 });
    let faults = 0;
    await using view = remote.discover('mint', {
      onFault: () => {
        faults += 1;
      },
    });
    await view.ready;
    line.cut();
    await expect.poll(() => faults, DEADLINE).toBeGreaterThan(2);
    expect(view.pick()?.id).toBe('a');
    line.mend();
    await expect.poll(() => view.passing, DEADLINE).toEqual([]);
  });
});

describe('a configuration', () => {
  const schema = z.object({ greeting: z.string(), seconds: z.number().default(5) });

  it('is checked, follows the application, and keeps the last good value', async () => {
    await client.apps.put('greeter', { config: { greeting: 'Hello' } });
    const invalid: InvalidConfig[] = [];
    await using config = await client.config('greeter', schema, {
      onInvalid: (error) => invalid.push(error),
    });
    expect(config.value).toEqual({ greeting: 'Hello', seconds: 5 });
    const told: string[] = [];
    config.onChange(({ greeting }) => told.push(greeting));

    await client.apps.put('greeter', { config: { greeting: 7 } });
    await expect
      .poll(() => invalid.map(({ message }) => message), DEADLINE)
      .toEqual([expect.stringMatching(/"greeter".*greeting: /)]);
    expect(config.value.greeting).toBe('Hello');
    const { revision } = await client.apps.put('greeter', { config: { greeting: 'Good evening' } });
    await expect.poll(() => config.value.greeting, DEADLINE).toBe('Good evening');
    expect(config).toMatchObject({ revision, isStored: false });
    expect(told).toEqual(['Good evening']);
  });

  it('is refused where nothing good is known', async () => {
    await expect(client.config('nobody', schema)).rejects.toMatchObject({ status: 404 });
    await client.apps.put('wrong', { config: {} });
    await expect(client.config('wrong', schema)).rejects.toThrow(InvalidConfig);
  });

  it('begins with what was kept when Skerry is out of reach, and follows once it is back', async () => {
    await client.apps.put('keeper', { config: { greeting: 'kept' } });
    const options = { lastGood: lastGoodFolder(folder), startWithin: 100 };
    (await remote.config('keeper', schema, options)).close();
    line.cut();
    await client.apps.put('keeper', { config: { greeting: 'newer' } });
    await using config = await remote.config('keeper', schema, options);
    expect(config).toMatchObject({ value: { greeting: 'kept' }, isStored: true });
    line.mend();
    await expect.poll(() => config.value.greeting, DEADLINE).toBe('newer');
    expect(config.isStored).toBe(false);
  });
});

function idsOf(instances: readonly { readonly id: string }[]): string[] {
  return instances.map(({ id }) => id);
}

/** A broker and a watcher over the same keys of a store, and a log of what handlers were told. */
function watched(name: string, by: SkerryClient = client) {
  const store = by.store(name);
  return { broker: store.broker<Json>(PREFIX), watcher: store.watcher<Json>(PREFIX), log: eventLog() };
}

function eventLog() {
  const lines: string[] = [];
  const handlers = (name: string): WatchHandlers<Json> => ({
    onResync: (contents) => {
      const entries = [...contents.values()]
        .flat()
        .map(({ key, value }) => `${key}=${JSON.stringify(value)}`);
      lines.push(`${name} resync ${entries.join(' ')}`);
    },
    onChange: (changes) => {
      for (const { type, key, value, previous } of changes) {
        lines.push(`${name} ${type} ${key}=${JSON.stringify(value)} was ${JSON.stringify(previous)}`);
      }
    },
  });
  return { lines, handlers };
}
