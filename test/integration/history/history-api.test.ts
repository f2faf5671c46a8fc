import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { Compactor, Retention } from '../../../shared/history/index.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import type { Json, Scope } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { DAY, openProcess, put, remove, ShiftedClock } from '../records/history-fixture.ts';

let cosmos: CosmosFixture;
let services: Services;
let handlers: readonly RouteHandler[];
let ns: string;
let namespaces = 0;
let store: Scope;

beforeAll(async () => {
  cosmos = await startCosmos();
  const settings = readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_RETENTION_CHANGES: '7',
    SKERRY_RETENTION_DAYS: '2',
  });
  services = composeServices(settings);
  handlers = createRouteHandlers(endpoints, {
    services,
    access: services.access,
    settings,
    random: services.random,
  });
});

afterAll(async () => {
  services.database.client.dispose();
  await cosmos.stop();
});

beforeEach(() => {
  namespaces += 1;
  ns = `h${namespaces}`;
  store = { ns, kind: 'kv', name: 's' };
});

/** Calls the API without a host. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const [first = ''] = path.split(/[/?]/);
  const handler = handlers.find(({ route }) => new RegExp(`^api/v1/${first}(/|$)`).test(route));
  const url = `http://skerry.test/api/v1/${path}${path.includes('?') ? '&' : '?'}ns=${ns}`;
  const request = new Request(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = await handler?.handle(request, { traceparent: undefined, logError: console.error });
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return {
    status: answer?.status,
    headers: answer?.headers ?? {},
    json: text === '' ? undefined : JSON.parse(text),
  };
}

const set = (key: string, value: Json) => put(services.records, store, `/kv/s/${key}`, value);
const unset = (key: string) => remove(services.records, store, `/kv/s/${key}`);
const currentValue = async (key: string) => (await services.records.get<Json>(store, `/kv/s/${key}`))?.value;

describe('history', () => {
  test('tells who changed what and how, the newest first, page by page', async () => {
    await set('a', { x: 1, 'y/z': [1] });
    await set('ab', 1);
    await set('a', { x: 2, 'y/z': [1] });
    await unset('a');
    const first = await call('GET', 'history/kv/s/a?limit=2');
    expect(first).toMatchObject({ status: 200, headers: { 'X-Skerry-Revision': '4' } });
    const { next } = first.json;
    const common = { key: '/kv/s/a', actor: 'test', at: expect.stringMatching(/Z$/) };
    const [one, two] = [
      { x: 1, 'y/z': [1] },
      { x: 2, 'y/z': [1] },
    ];
    expect(first.json).toEqual({
      changes: [
        {
          ...common,
          revision: 4,
          type: 'delete',
          value: null,
          previous: two,
          diff: [{ op: 'replace', path: '', value: null }],
        },
        {
          ...common,
          revision: 3,
          type: 'put',
          value: two,
          previous: one,
          diff: [{ op: 'replace', path: '/x', value: 2 }],
        },
      ],
      revision: 4,
      compactedTo: 0,
      next,
    });
    const second = await call('GET', `history/kv/s/a?limit=2&after=${next}`);
    expect(second.json).toMatchObject({ changes: [{ revision: 1, previous: null }], compactedTo: 0 });
    expect(second.json).not.toHaveProperty('next');
    const all = await call('GET', 'history/kv/s?order=oldest');
    expect(all.json.changes.map(({ revision }: { revision: number }) => revision)).toEqual([1, 2, 3, 4]);
  });

  test('is of one scope, and of what anyone may see', async () => {
    expect(await call('GET', 'history/kv')).toMatchObject({ status: 400, json: { field: 'key' } });
    expect(await call('GET', 'history/hook')).toMatchObject({ status: 400, json: { field: 'key' } });
    expect(await call('GET', 'history/app?after=x')).toMatchObject({ status: 400, json: { field: 'after' } });
    expect(await call('GET', 'history/app')).toMatchObject({
      status: 200,
      json: { changes: [], revision: 0 },
    });
  });

  test('ends where the store is compacted', async () => {
    await set('a', 1);
    await set('a', 2);
    await set('b', 3);
    expect(await call('POST', 'kv-compact/s', { revision: 4 })).toMatchObject({
      status: 422,
      json: { field: 'revision' },
    });
    expect(await call('POST', 'kv-compact/s', { revision: 1 })).toMatchObject({
      status: 200,
      json: { compactedTo: 1 },
    });
    expect(await call('POST', 'kv-compact/s', { revision: 3 })).toMatchObject({
      status: 200,
      json: { compactedTo: 2 },
    });
    const { json } = await call('GET', 'history/kv/s/a');
    expect(json).toEqual({ changes: [], revision: 3, compactedTo: 2 });
  });
});

describe('a store in the past', () => {
  test('is read and listed as it was at a revision', async () => {
    await set('a', 1);
    await set('b/c', 1);
    await set('a', 2);
    await unset('b/c');
    expect(await call('GET', 'kv/s/a?revision=2')).toMatchObject({
      status: 200,
      json: 1,
      headers: { ETag: '"1"' },
    });
    expect(await call('GET', 'kv/s/a?revision=3')).toMatchObject({
      status: 200,
      json: 2,
      headers: { ETag: '"3"' },
    });
    expect(await call('GET', 'kv/s/b/c?revision=1')).toMatchObject({ status: 404 });
    expect(await call('GET', 'kv/s/b/c?revision=4')).toMatchObject({ status: 404 });
    expect(await call('GET', 'kv/s/a?revision=5')).toMatchObject({
      status: 400,
      json: { field: 'revision' },
    });
    expect(await call('GET', 'kv/s/a?revision=0')).toMatchObject({
      status: 400,
      json: { field: 'revision' },
    });
    const listed = await call('GET', 'kv/s/?revision=2');
    expect(listed).toMatchObject({ status: 200, headers: { ETag: '"2"' } });
    expect(listed.json).toMatchObject({
      items: [
        { key: 'a', value: 1 },
        { key: 'b/c', value: 1 },
      ],
      revision: 2,
    });
    const below = await call('GET', 'kv/s/?revision=3&prefix=b&keysOnly');
    expect(below.json.items).toEqual([expect.objectContaining({ key: 'b/c', revision: 2 })]);
    await call('POST', 'kv-compact/s', { revision: 3 });
    for (const path of ['kv/s/a?revision=2', 'kv/s/?revision=2']) {
      expect(await call('GET', path)).toMatchObject({
        status: 410,
        json: { compactedTo: 3, resyncFrom: 4, fix: expect.stringContaining('revision 3') },
      });
    }
    expect(await call('GET', 'kv/s/b/c?revision=3')).toMatchObject({ status: 200, json: 1 });
  });
});

describe('restoring', () => {
  test('brings a key back as a new write, and once more changes nothing', async () => {
    await set('a', { old: true });
    await set('a', 'new');
    const restored = await call('POST', 'restore', { key: '/kv/s/a', revision: 1 });
    expect(restored).toMatchObject({ status: 200, headers: { 'X-Skerry-Revision': '3' } });
    expect(restored.json).toEqual({ restored: 1, unchanged: 0, atomic: true, batches: 1, revision: 3 });
    expect(await currentValue('a')).toEqual({ old: true });
    const again = await call('POST', 'restore', { key: 'kv/s/a', revision: 1 });
    expect(again.json).toEqual({ restored: 0, unchanged: 1, atomic: true, batches: 1, revision: 3 });
  });

  test('brings deleted keys back, leaves alone what did not exist, and never what is beside the prefix', async () => {
    await set('p/a', 1);
    await set('p/b', 1);
    await set('pq', 1);
    const then = await set('p/c', 1);
    await unset('p/a');
    await set('p/b', 2);
    await set('p/new', 2);
    await set('pq', 2);
    const { json } = await call('POST', 'restore', { key: '/kv/s/p', revision: then, prefix: true });
    expect(json).toEqual({ restored: 2, unchanged: 1, atomic: true, batches: 1, revision: 10 });
    const values = await Promise.all(['p/a', 'p/b', 'p/c', 'p/new', 'pq'].map(currentValue));
    expect(values).toEqual([1, 1, 1, 2, 2]);
    const { json: history } = await call('GET', 'history/kv/s?limit=2');
    expect(history.changes).toMatchObject([
      { transaction: { first: 9, last: 10 } },
      { transaction: { first: 9, last: 10 } },
    ]);
    const none = await call('POST', 'restore', { key: '/kv/s/p/new', revision: then });
    expect(none.json).toEqual({ restored: 0, unchanged: 0, atomic: true, batches: 0, revision: 10 });
  });

  test('makes what had an end stay', async () => {
    const expiresAt = services.clock.now() + 60_000;
    await services.records.commit<Json>(store, {
      key: '/kv/s/a',
      actor: 'test',
      decide: () => ({ type: 'put', value: 1, expiresAt }),
    });
    const { json } = await call('POST', 'restore', { key: '/kv/s/a', revision: 1 });
    expect(json).toMatchObject({ restored: 1, revision: 2 });
    expect(await services.records.get(store, '/kv/s/a')).not.toHaveProperty('expiresAt');
  });

  test('takes several transactions for more than 49 keys, or for values that one cannot hold', async () => {
    const large = 'x'.repeat(250_000);
    await Promise.all(Array.from({ length: 50 }, (_, index) => set(`many/${index}`, 1)));
    for (const key of ['a', 'b', 'c', 'd']) await set(`large/${key}`, large);
    const then = 54;
    await Promise.all(Array.from({ length: 50 }, (_, index) => unset(`many/${index}`)));
    for (const key of ['a', 'b', 'c', 'd']) await unset(`large/${key}`);
    const many = await call('POST', 'restore', { key: '/kv/s/many', revision: then, prefix: true });
    expect(many.json).toMatchObject({ restored: 50, atomic: false, batches: 2 });
    const heavy = await call('POST', 'restore', { key: '/kv/s/large', revision: then, prefix: true });
    expect(heavy.json).toMatchObject({ restored: 4, atomic: false, batches: 2 });
    expect(await currentValue('large/d')).toBe(large);
  });

  test('brings an application back with the schema that its configuration satisfied', async () => {
    const author = { actor: 'test' };
    const narrow = { type: 'object', required: ['port'] };
    const apps = services.applications;
    await apps.put(ns, 'shop', { config: { port: 1 }, schema: narrow }, { author });
    await apps.put(ns, 'shop', { config: 'open', schema: undefined }, { author });
    expect((await call('POST', 'restore', { key: '/app/shop', revision: 1 })).json).toMatchObject({
      restored: 1,
    });
    expect(await apps.get(ns, 'shop')).toMatchObject({ config: { port: 1 }, schema: narrow, revision: 3 });
    const bad = apps.put(ns, 'shop', { config: {}, schema: 'keep' }, { author });
    await expect(bad).rejects.toMatchObject({ kind: 'unprocessable' });
  });

  test.each([
    ['a revision that is not reached', { key: '/kv/s/a', revision: 2 }, 400],
    ['a key of several scopes', { key: '/kv', revision: 1, prefix: true }, 400],
    ['a key that is none', { key: '/hook/x', revision: 1 }, 400],
    ['what tells who is alive', { key: '/srv/web/i', revision: 1 }, 422],
    ['a revision that is compacted', { key: '/kv/t/a', revision: 1 }, 410],
  ])('refuses %s', async (_, body, status) => {
    await set('a', 1);
    for (const value of [1, 2, 3]) await put(services.records, { ...store, name: 't' }, '/kv/t/a', value);
    await services.compaction.cutOff({ ...store, name: 't' }, 2);
    expect(await call('POST', 'restore', body)).toMatchObject({ status });
  });
});

describe('retention', () => {
  test('is what the settings say, until a scope says otherwise', async () => {
    expect(await call('GET', 'retention/kv/s')).toMatchObject({
      status: 200,
      json: { minChanges: 7, minDays: 2 },
    });
    const own = { minChanges: 3, minDays: 0.5 };
    expect(await call('PUT', 'retention/kv/s', own)).toMatchObject({
      status: 200,
      json: { ...own, revision: 1 },
    });
    expect(await call('PUT', 'retention/kv/s', own, { 'if-match': '"1"' })).toMatchObject({
      json: { revision: 1 },
    });
    expect(await call('PUT', 'retention/kv/s', own, { 'if-match': '"7"' })).toMatchObject({ status: 412 });
    expect(await call('GET', 'retention/kv/s')).toMatchObject({ json: own, headers: { ETag: '"1"' } });
    expect(await call('DELETE', 'retention/kv/s')).toMatchObject({ status: 204 });
    expect(await call('DELETE', 'retention/kv/s')).toMatchObject({
      status: 404,
      json: { fix: expect.any(String) },
    });
    expect(await call('GET', 'retention/kv/s')).toMatchObject({ json: { minChanges: 7, minDays: 2 } });
  });

  test.each(['kv', 'kv/s/a', 'kv/s/', 'hook', 'app/x', 'nothing'])('has no scope at %s', async (path) => {
    expect(await call('GET', `retention/${path}`)).toMatchObject({ status: 400, json: { field: 'scope' } });
  });

  test.each([{}, { minChanges: 0, minDays: 1 }, { minChanges: 1 }, { minChanges: 1, minDays: -1 }])(
    'cannot be %j',
    async (policy) => {
      expect((await call('PUT', 'retention/app', policy)).status).toBe(400);
    },
  );

  test('is what the timer keeps of scopes with and without a rule of their own', async () => {
    const clock = new ShiftedClock();
    const { records, compaction } = openProcess(cosmos, clock);
    const busy = { ...store, name: 'busy' };
    for (let value = 1; value <= 5; value += 1) await put(records, store, '/kv/s/a', value);
    await Promise.all(
      Array.from({ length: 255 }, (_, index) => put(records, busy, `/kv/busy/${index % 3}`, index)),
    );
    await call('PUT', 'retention/kv/s', { minChanges: 2, minDays: 1 });
    const retention = new Retention(records, { minChanges: 7, minDays: 2 });
    const compactor = new Compactor({ compaction, retention, clock, random: services.random });
    const heads = async () => [
      (await records.head(store)).compactedTo,
      (await records.head(busy)).compactedTo,
    ];

    expect((await compactor.run()).failed).toEqual([]);
    expect(await heads()).toEqual([0, 0]);
    clock.advance(1.5 * DAY);
    const findCompactable = compaction.findCompactable.bind(compaction);
    compaction.findCompactable = async (minDays) => {
      await call('PUT', 'retention/kv/s', { minChanges: 4, minDays: 1 }); // While a run is under way.
      return await findCompactable(minDays);
    };
    expect((await compactor.run()).failed).toEqual([]);
    expect(await heads()).toEqual([1, 0]);
    await call('PUT', 'retention/kv/s', { minChanges: 2, minDays: 1 });
    compaction.findCompactable = findCompactable;
    expect((await compactor.run()).failed).toEqual([]);
    expect(await heads()).toEqual([3, 0]);
    clock.advance(DAY);
    expect(await compactor.run()).toMatchObject({ failed: [], postponed: 0 });
    expect(await heads()).toEqual([3, 248]);
    expect(await records.readChange(busy, 248)).toBeUndefined();
    expect((await records.list(busy)).records).toHaveLength(3);
  });
});
