import { SkerryClient, SkerryProblem, SkerryUnreachable } from 'skerry/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Skerry, startSkerry } from './skerry.ts';

let skerry: Skerry;
let client: SkerryClient;

beforeAll(async () => {
  skerry = await startSkerry();
  client = new SkerryClient({ url: skerry.url });
});

afterAll(async () => {
  await skerry?.stop();
});

describe('calls', () => {
  it('store, read, list and remove applications', async () => {
    expect(await client.apps.get('shop')).toBeUndefined();
    const stored = await client.apps.put('shop', { config: { open: true } }, { ifRevision: 0 });
    expect(await client.apps.get('shop')).toEqual(stored);
    await client.apps.put('mill', { config: 1 });
    expect((await Array.fromAsync(client.apps.list())).map(({ name }) => name)).toEqual(['mill', 'shop']);
    expect((await client.apps.listPage({ limit: 1 })).next).toBeDefined();
    expect(await client.apps.delete('shop', { ifRevision: stored.revision })).toBe(true);
    expect(await client.apps.delete('shop')).toBe(false);
  });

  it('register, beat, filter and remove instances', async () => {
    const { services } = client;
    expect(await services.get('web')).toBeUndefined();
    expect(await services.heartbeat('web', 'a')).toBe(false);
    const endpoints = { http: 'http://127.0.0.1:1' };
    await services.register('web', 'a', { endpoints, ttl: 60, tags: ['x', 'y'] });
    await services.register('web', 'b', { endpoints, status: 'draining' });
    expect(await services.heartbeat('web', 'a')).toBe(true);
    expect(await services.getInstance('web', 'b')).toMatchObject({ id: 'b', health: 'draining' });
    const tagged = await services.get('web', { passing: true, tags: ['x', 'y'] });
    expect(tagged?.instances.map(({ id }) => id)).toEqual(['a']);
    expect((await Array.fromAsync(services.list())).map(({ name }) => name)).toEqual(['web']);
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
