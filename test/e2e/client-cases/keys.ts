import type { Json, SkerryClient, WatchHandlers } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { client, DEADLINE, line, remote } from './world.ts';

/** As cn-infra's agents have it. */
const PREFIX = '/vnf-agent/vpp1/';

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
    await expect.poll(() => log.lines.at(-1), DEADLINE).toBe('one resync k=4');
    await near.put(`${PREFIX}k`, 5);
    await expect.poll(() => log.lines.at(-1), DEADLINE).toBe('one Put k=5 was 4');
  });
});

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
