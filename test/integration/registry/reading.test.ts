import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { InstanceInput } from '../../../shared/registry/index.ts';
import {
  AUTHOR,
  freshAddress,
  PLAIN,
  type Process,
  type RegistryFixture,
  startRegistry,
} from './registry-fixture.ts';

let fixture: RegistryFixture;
let writer: Process;
let reader: Process;

beforeAll(async () => {
  fixture = await startRegistry();
  writer = fixture.openProcess();
  reader = fixture.openProcess();
});

afterAll(() => fixture.stop());

async function register(address: { ns: string; service: string; id: string }, input: InstanceInput = PLAIN) {
  await writer.registry.register(address, input, { author: AUTHOR });
}

describe('a service', () => {
  test('shows its instances in the order of their ids, filtered by health, tags and zone', async () => {
    const { ns, service } = freshAddress();
    await register({ ns, service, id: 'c' }, { ...PLAIN, tags: ['blue', 'green'], zone: 'east' });
    await register({ ns, service, id: 'a' }, { ...PLAIN, tags: ['blue'], zone: 'west' });
    await register({ ns, service, id: 'b' }, { ...PLAIN, status: 'draining' });
    const ids = async (filter: object) => {
      const view = await reader.registry.getService(ns, service, filter);
      return view?.instances.map(({ id }) => id).join('');
    };
    expect(await ids({})).toBe('abc');
    expect(await ids({ passing: true })).toBe('ac');
    expect(await ids({ tags: ['blue'] })).toBe('ac');
    expect(await ids({ tags: ['blue', 'green'] })).toBe('c');
    expect(await ids({ zone: 'west' })).toBe('a');
    expect(await ids({ zone: 'north' })).toBe('');
  });

  test('is another service of the same name in another namespace', async () => {
    const address = freshAddress();
    await register(address);
    expect(await reader.registry.getService('elsewhere', address.service)).toBeUndefined();
  });
});

describe('a listing that may be old', () => {
  test('needs no storage while all are alive', async () => {
    const own = await startRegistry();
    const { registry } = own.openProcess();
    const address = freshAddress();
    await registry.register(address, { ...PLAIN, ttl: 100 }, { author: AUTHOR });
    await registry.getService(address.ns, address.service);
    await own.stop();
    own.clock.advance(50);
    const service = await registry.getService(address.ns, address.service, { maxAgeSeconds: 60 });
    expect(service).toMatchObject({ ageSeconds: 50, instances: [{ health: 'passing' }] });
  });

  test('reads again who looks expired, at most once a second', async () => {
    const address = freshAddress();
    const health = async () => {
      const options = { maxAgeSeconds: 3600 };
      const view = await reader.registry.getService(address.ns, address.service, options);
      return view?.instances[0]?.health;
    };
    await register(address, { ...PLAIN, ttl: 10 });
    expect(await health()).toBe('passing');
    fixture.clock.advance(15);
    expect(await health()).toBe('expired');
    fixture.clock.advance(0.5);
    await register(address, { ...PLAIN, ttl: 10 });
    expect(await health()).toBe('expired');
    fixture.clock.advance(0.5);
    expect(await health()).toBe('passing');
  });
});

describe('the listing of all services', () => {
  test('has every service that has an instance, in pages by name', async () => {
    const { ns } = freshAddress();
    const names = Array.from({ length: 40 }, (_, index) => `s${String(index).padStart(2, '0')}`);
    await Promise.all(names.map((service) => register({ ns, service, id: 'host1' })));
    await writer.registry.deregister({ ns, service: 's07', id: 'host1' }, { author: AUTHOR });
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await reader.registry.listServices(ns, { limit: 9, after });
      expect(page.services.length).toBeLessThanOrEqual(9);
      found.push(...page.services.map(({ name }) => name));
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual(names.filter((name) => name !== 's07'));
  });

  test('has a weak tag that moves with a change and with an expiry', async () => {
    const address = freshAddress();
    const tag = async () => (await reader.registry.listServices(address.ns)).etag;
    await register(address, { ...PLAIN, ttl: 10 });
    const first = await tag();
    expect(first).toMatch(/^W\//);
    expect(await tag()).toBe(first);
    await register(address, { ...PLAIN, ttl: 10, zone: 'a' });
    const second = await tag();
    expect(second).not.toBe(first);
    fixture.clock.advance(15);
    expect(await tag()).not.toBe(second);
  });

  test('is empty where nothing was ever registered', async () => {
    expect(await reader.registry.listServices(freshAddress().ns)).toMatchObject({ services: [] });
  });
});
