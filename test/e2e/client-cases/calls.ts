import { RawContent, SkerryClient, SkerryProblem, SkerryUnreachable } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { client, DEADLINE } from './world.ts';

const ENDPOINTS = { http: 'http://127.0.0.1:1' };

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
    const session = await store.session({ ttl: 2 });
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
