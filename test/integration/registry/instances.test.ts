import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InstanceAddress, InstanceInput } from '../../../shared/registry/index.ts';
import {
  AUTHOR,
  freshAddress,
  GRACE_SECONDS,
  PLAIN,
  type Process,
  type RegistryFixture,
  startRegistry,
} from './registry-fixture.ts';

let fixture: RegistryFixture;
let one: Process;
let other: Process;

beforeAll(async () => {
  fixture = await startRegistry();
  one = fixture.openProcess();
  other = fixture.openProcess();
});

afterAll(() => fixture.stop());

const WITH_TTL: InstanceInput = { ...PLAIN, ttl: 10 };

async function register(address: InstanceAddress, input: InstanceInput, process = one) {
  return await process.registry.register(address, input, { author: AUTHOR });
}

async function healthOf(address: InstanceAddress, process = other) {
  return (await process.registry.getInstance(address))?.health;
}

async function listedHealthOf(address: InstanceAddress, process = other) {
  const service = await process.registry.getService(address.ns, address.service);
  return service?.instances.find(({ id }) => id === address.id)?.health;
}

async function stateOf(address: InstanceAddress) {
  const scope = { ns: address.ns, kind: 'srv', name: address.service };
  const key = `/srv/${address.service}/${address.id}`;
  const [record, lease] = await Promise.all([one.records.get(scope, key), one.leases.read(scope, key)]);
  return { record, lease };
}

async function changesOf({ ns, service }: InstanceAddress) {
  const scope = { ns, kind: 'srv', name: service };
  const types: string[] = [];
  for (let revision = 1; ; revision += 1) {
    const change = await one.records.readChange(scope, revision);
    if (change === undefined) {
      return types;
    }
    types.push(change.type);
  }
}

describe('registering', () => {
  test('creates, then replaces, and numbers each change', async () => {
    const address = freshAddress();
    const created = await register(address, PLAIN);
    expect(created).toMatchObject({ created: true, changed: true, instance: { revision: 1 } });
    const replaced = await register(address, { ...PLAIN, zone: 'a' }, other);
    expect(replaced).toMatchObject({ created: false, changed: true, instance: { revision: 2 } });
  });

  test('an equal value changes nothing, whatever defaults it spells out', async () => {
    const address = freshAddress();
    await register(address, PLAIN);
    const again = await register(
      address,
      { ...PLAIN, weight: 1, tags: [], metadata: {}, status: 'up' },
      other,
    );
    expect(again).toMatchObject({ created: false, changed: false, instance: { revision: 1 } });
    expect(await changesOf(address)).toEqual(['put']);
  });

  test('keeps the fields of other surfaces unless it sends its own', async () => {
    const address = freshAddress();
    await register(address, { ...PLAIN, extra: { rack: 7 } });
    const { instance } = await register(address, { ...PLAIN, zone: 'a' });
    expect(instance.instance.extra).toEqual({ rack: 7 });
  });

  test('a refusal by If-Match leaves record and lease as they were', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    fixture.clock.advance(6);
    const before = await stateOf(address);
    const put = one.registry.register(
      address,
      { ...PLAIN, ttl: 20 },
      { author: AUTHOR, precondition: { ifMatch: ['"7"'] } },
    );
    await expect(put).rejects.toMatchObject({ kind: 'precondition-failed' });
    expect(await stateOf(address)).toEqual(before);
  });

  test('a value that is too large leaves record and lease as they were', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    fixture.clock.advance(6);
    const before = await stateOf(address);
    const put = register(address, { ...WITH_TTL, extra: { text: 'x'.repeat(300_000) } });
    await expect(put).rejects.toMatchObject({ kind: 'too-large' });
    expect(await stateOf(address)).toEqual(before);
  });
});

describe('removing', () => {
  test('removes the instance, and the service with its last one', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    expect(await one.registry.deregister(address, { author: AUTHOR })).toBe(2);
    expect(await healthOf(address)).toBeUndefined();
    expect(await other.registry.getService(address.ns, address.service)).toBeUndefined();
    await expect(other.registry.heartbeat(address)).rejects.toMatchObject({ kind: 'not-found' });
  });

  test('refuses what is unknown, and what has another revision', async () => {
    const address = freshAddress();
    const remove = () =>
      one.registry.deregister(address, { author: AUTHOR, precondition: { ifMatch: ['"7"'] } });
    await expect(remove()).rejects.toMatchObject({ kind: 'not-found' });
    await register(address, WITH_TTL);
    const before = await stateOf(address);
    await expect(remove()).rejects.toMatchObject({ kind: 'precondition-failed' });
    expect(await stateOf(address)).toEqual(before);
  });

  test('an instance that registers again after its removal is alive', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    await one.registry.deregister(address, { author: AUTHOR });
    await register(address, WITH_TTL, other);
    expect(await listedHealthOf(address, one)).toBe('passing');
  });
});

describe('heartbeats', () => {
  test('buy a whole ttl, and are stored only when less than that is left', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    const { lease: first } = await stateOf(address);
    fixture.clock.advance(5);
    await other.registry.heartbeat(address);
    expect((await stateOf(address)).lease?.etag).toBe(first?.etag);
    fixture.clock.advance(1);
    await other.registry.heartbeat(address);
    const { lease: second } = await stateOf(address);
    expect(second?.lease.expiresAt).toBe(fixture.clock.now() + 15_000);
    expect(await changesOf(address)).toEqual(['put']);
  });

  test('keep an instance alive for as long as they come', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    for (let beat = 0; beat < 10; beat += 1) {
      fixture.clock.advance(10);
      await (beat % 2 === 0 ? one : other).registry.heartbeat(address);
      await one.sweep();
      expect(await listedHealthOf(address)).toBe('passing');
    }
    expect(await changesOf(address)).toEqual(['put']);
  });

  test('are refused when the instance is unknown or has lapsed, with the way out', async () => {
    const address = freshAddress();
    const refusal = {
      kind: 'not-found',
      fix: expect.stringContaining('PUT /api/v1/services/web/instances/host1'),
    };
    await expect(one.registry.heartbeat(address)).rejects.toMatchObject(refusal);
    await register(address, WITH_TTL);
    fixture.clock.advance(15);
    await expect(one.registry.heartbeat(address)).rejects.toMatchObject(refusal);
  });

  test('of an instance without a ttl only move the time of its renewal', async () => {
    const address = freshAddress();
    await register(address, PLAIN);
    fixture.clock.advance(100_000);
    await one.registry.heartbeat(address);
    expect(await listedHealthOf(address)).toBe('passing');
    const renewed = await other.registry.getInstance(address);
    expect(Date.parse(renewed?.renewedAt ?? '')).toBe(fixture.clock.now());
    expect(renewed?.expiresAt).toBeUndefined();
    expect((await stateOf(address)).lease?.lease.expiresAt).toBeUndefined();
  });

  test('that find no record behind a lease do not renew it', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    const scope = { ns: address.ns, kind: 'srv', name: address.service };
    await one.records.commit(scope, {
      key: '/srv/web/host1',
      ...AUTHOR,
      decide: () => ({ type: 'delete' }),
    });
    fixture.clock.advance(6);
    await expect(one.registry.heartbeat(address)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('expiry', () => {
  test('is reported by reads without waiting for any timer, and moves the entity tag', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    const alive = await other.registry.getService(address.ns, address.service);
    fixture.clock.advance(14.999);
    expect(await listedHealthOf(address)).toBe('passing');
    fixture.clock.advance(0.001);
    expect(await listedHealthOf(address)).toBe('expired');
    expect(await healthOf(address)).toBe('expired');
    const lapsed = await other.registry.getService(address.ns, address.service);
    expect(lapsed?.revision).toBe(alive?.revision);
    expect(lapsed?.etag).not.toBe(alive?.etag);
    await register(address, WITH_TTL);
    const revived = await other.registry.getService(address.ns, address.service);
    expect(revived?.etag).toBe(alive?.etag);
  });

  test('is not reported while another process hears the beats', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    expect(await listedHealthOf(address, other)).toBe('passing');
    fixture.clock.advance(12);
    await one.registry.heartbeat(address);
    fixture.clock.advance(8);
    expect(await listedHealthOf(address, other)).toBe('passing');
  });

  test('becomes one change, and a removal after the grace time', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    fixture.clock.advance(15);
    await one.sweep();
    await other.sweep();
    expect(await changesOf(address)).toEqual(['put', 'expire']);
    expect(await listedHealthOf(address)).toBe('expired');
    fixture.clock.advance(GRACE_SECONDS - 1);
    await one.sweep();
    expect(await listedHealthOf(address)).toBe('expired');
    fixture.clock.advance(1);
    await other.sweep();
    expect(await changesOf(address)).toEqual(['put', 'expire', 'delete']);
    expect(await stateOf(address)).toEqual({ record: undefined, lease: undefined });
  });

  test('that was cut off between its steps is finished by the next sweep', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    fixture.clock.advance(15);
    const dying = fixture.openProcess((step, run) => (step === 'commit' ? new Promise(() => {}) : run()));
    void dying.sweep();
    await expect.poll(async () => (await stateOf(address)).lease?.lease.state).toBe('expired');
    expect(await changesOf(address)).toEqual(['put']);
    await one.sweep();
    expect(await changesOf(address)).toEqual(['put', 'expire']);
  });

  test('leaves a lease without a record alone for a minute, because its writer may be slow', async () => {
    const address = freshAddress();
    const dying = fixture.openProcess((step, run) => (step === 'commit' ? new Promise(() => {}) : run()));
    void dying.registry.register(address, WITH_TTL, { author: AUTHOR });
    await expect.poll(async () => (await stateOf(address)).lease).toBeDefined();
    await expect(one.registry.heartbeat(address)).rejects.toMatchObject({ kind: 'not-found' });
    fixture.clock.advance(15 + 59);
    await one.sweep();
    expect((await stateOf(address)).lease).toBeDefined();
    fixture.clock.advance(1);
    await one.sweep();
    expect((await stateOf(address)).lease).toBeUndefined();
  });

  test('ends with an equal registration, which is a change, because the expiry was one', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    fixture.clock.advance(15);
    await one.sweep();
    const revival = await register(address, WITH_TTL, other);
    expect(revival).toMatchObject({
      created: false,
      changed: true,
      instance: { health: 'passing', revision: 3 },
    });
    expect(await listedHealthOf(address, one)).toBe('passing');
    fixture.clock.advance(12);
    await one.registry.heartbeat(address);
    fixture.clock.advance(GRACE_SECONDS);
    await one.sweep();
    expect(await changesOf(address)).toEqual(['put', 'expire', 'put', 'expire']);
  });

  test('leaves instances without a ttl alone', async () => {
    const address = freshAddress();
    await register(address, WITH_TTL);
    await register(address, PLAIN);
    fixture.clock.advance(1000);
    await one.sweep();
    fixture.clock.advance(1000);
    await one.sweep();
    expect(await changesOf(address)).toEqual(['put', 'put']);
    expect(await listedHealthOf(address)).toBe('passing');
    expect((await stateOf(address)).lease?.lease).not.toHaveProperty('expiresAt');
  });

  test('follows a new ttl at once', async () => {
    const address = freshAddress();
    await register(address, { ...PLAIN, ttl: 100 });
    expect(await listedHealthOf(address)).toBe('passing');
    await register(address, WITH_TTL);
    fixture.clock.advance(15);
    expect(await listedHealthOf(address)).toBe('expired');
  });
});

describe('the time of renewal', () => {
  const beat = async (address: InstanceAddress, input: InstanceInput) =>
    await one.registry.register(address, input, { author: AUTHOR, keepsRenewalTime: true });

  async function lagOf(address: InstanceAddress): Promise<number> {
    const service = await other.registry.getService(address.ns, address.service, {
      needsRenewalTimes: true,
    });
    return (fixture.clock.now() - Date.parse(service?.instances[0]?.renewedAt ?? '')) / 1000;
  }

  test.each([
    { name: 'with a ttl', input: { ...PLAIN, ttl: 20 }, allowed: 5 },
    { name: 'with a long ttl', input: { ...PLAIN, ttl: 600 }, allowed: 15 },
    { name: 'without a ttl', input: PLAIN, allowed: 15 },
    { name: 'of a master', input: { ...PLAIN, ttl: 600, master: true }, allowed: 0 },
  ])('$name lags $allowed s at most after an equal registration', async ({ input, allowed }) => {
    const address = freshAddress();
    await beat(address, input);
    for (let second = 0; second < 40; second += 1) {
      fixture.clock.advance(1);
      await beat(address, input);
      expect(await lagOf(address)).toBeLessThanOrEqual(allowed);
    }
    expect(await changesOf(address)).toEqual(['put']);
  });
});

describe('the guard', () => {
  async function registerMany(count: number, ttl: number): Promise<InstanceAddress[]> {
    const address = freshAddress();
    const all = Array.from({ length: count }, (_, index) => ({ ...address, id: `host${index}` }));
    await Promise.all(all.map((each) => register(each, { ...PLAIN, ttl })));
    return all;
  }

  async function healths({ ns, service }: InstanceAddress) {
    const view = await other.registry.getService(ns, service);
    return view?.instances.map(({ health }) => health);
  }

  test('holds a mass expiry back for one ttl, while reads say expired', async () => {
    const [first, ...rest] = await registerMany(11, 100);
    if (first === undefined) {
      throw new Error('No instance was registered.');
    }
    fixture.clock.advance(100);
    await Promise.all(rest.slice(6).map((address) => one.registry.heartbeat(address)));
    fixture.clock.advance(50);
    await one.sweep();
    expect(await changesOf(first)).toEqual(Array(11).fill('put'));
    expect((await healths(first))?.filter((health) => health === 'expired')).toHaveLength(7);
    await register(first, { ...PLAIN, ttl: 100 });
    fixture.clock.advance(99);
    await fixture.openProcess().sweep();
    expect(await changesOf(first)).toEqual(Array(11).fill('put'));
    fixture.clock.advance(1);
    await fixture.openProcess().sweep();
    expect((await changesOf(first)).slice(11)).toEqual(Array(10).fill('expire'));
    expect((await healths(first))?.filter((health) => health === 'passing')).toHaveLength(1);
  });

  test('lets half of a scope expire, and a small scope as a whole', async () => {
    const small = await registerMany(10, 100);
    const half = await registerMany(12, 100);
    fixture.clock.advance(100);
    await Promise.all(half.slice(6).map((address) => one.registry.heartbeat(address)));
    fixture.clock.advance(50);
    await one.sweep();
    for (const [instances, expired] of [
      [small, 10],
      [half, 6],
    ] as const) {
      const changes = instances[0] === undefined ? [] : await changesOf(instances[0]);
      expect(changes.filter((type) => type === 'expire')).toHaveLength(expired);
    }
  });

  test('holds anew when nobody swept in the meantime, and again for the next outage', async () => {
    const [first] = await registerMany(11, 10);
    if (first === undefined) {
      throw new Error('No instance was registered.');
    }
    const expiries = async () => (await changesOf(first)).filter((type) => type === 'expire').length;
    fixture.clock.advance(15);
    await one.sweep();
    fixture.clock.advance(3600);
    await one.sweep();
    expect(await expiries()).toBe(0);
    fixture.clock.advance(10);
    await one.sweep();
    expect(await expiries()).toBe(11);
  });
});

test('a scope that fails does not keep the sweep from the others', async () => {
  const broken = freshAddress();
  const healthy = freshAddress();
  await register(broken, WITH_TTL);
  await register(healthy, WITH_TTL);
  fixture.clock.advance(15);
  const { leases, sweep } = fixture.openProcess();
  const write = leases.write.bind(leases);
  leases.write = async (scope, lease, over) => {
    if (scope.ns === broken.ns) {
      throw new Error('This scope is broken.');
    }
    return await write(scope, lease, over);
  };
  const summary = await sweep();
  expect(summary.failed.map(({ scope }) => scope)).toEqual([`${broken.ns}:srv:web`]);
  expect(await changesOf(broken)).toEqual(['put']);
  expect(await changesOf(healthy)).toEqual(['put', 'expire']);
});
