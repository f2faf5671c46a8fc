import { InvalidConfig } from 'skerry/client';
import { lastGoodFolder } from 'skerry/client/node';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { client, DEADLINE, folder, line, remote } from './world.ts';

const ENDPOINTS = { http: 'http://127.0.0.1:1' };

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
    await expect.poll(() => faults.length, DEADLINE).toBeGreaterThan(0);
    line.mend();
    await expect.poll(health, DEADLINE).toBe('passing');

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
    expect(invalid).toHaveLength(1);
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
