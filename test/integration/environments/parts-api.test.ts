import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EnvironmentState,
  environmentKey,
  environmentLaneKey,
  environmentScope,
  groupKey,
  resourceKey,
} from '../../../shared/environments/index.ts';
import { type Api, startApi } from '../api-fixture.ts';

const AT = '2026-01-02T03:04:05.000Z';

let api: Api;

beforeAll(async () => {
  api = await startApi({ partitions: 3 });
});

afterAll(() => api.stop());

/** Writes records of an environment as its operations would. */
async function seed(ns: string, id: string, values: Readonly<Record<string, object>>): Promise<void> {
  const keys = Object.keys(values);
  for (let start = 0; start < keys.length; start += 40) {
    await api.services.records.transact(environmentScope(ns, id), {
      keys: keys.slice(start, start + 40),
      actor: 'test',
      decide: () => ({
        writes: keys.slice(start, start + 40).map((key) => ({
          key,
          decision: {
            type: 'put' as const,
            value: values[key],
            ...(key === environmentKey(id) && { listed: id }),
          },
        })),
      }),
    });
  }
}

function environment(state: EnvironmentState, tags: readonly { name: string; value: string }[] = []) {
  const at = { stateSince: AT, createdOn: AT };
  return { name: 'An environment', tags, state, ...at, templates: [], entrypoints: [], statusEndpoints: [] };
}

const TEMPLATE = { id: 'net', version: 1, parameters: {} };

function resource(more: object = {}) {
  return {
    name: 'A resource',
    tags: [],
    template: TEMPLATE,
    count: 1,
    status: 'ok',
    statusSince: AT,
    links: [],
    statusEndpoints: [],
    dependencies: [],
    ...more,
  };
}

const ids = (answer: { json: { items: { id: string }[] } }) => answer.json.items.map(({ id }) => id);

describe('environments', () => {
  it('are read with what works on them and how they drift, and told apart by all that belongs to them', async () => {
    const ns = 'reading';
    await seed(ns, 'prod', {
      [environmentKey('prod')]: { ...environment('Deployed-OK'), templates: [TEMPLATE] },
      [environmentLaneKey('prod')]: { active: { operation: 'op_1', fence: 3 }, waiting: [], fence: 3 },
      [resourceKey('prod', 'net.vnet')]: resource({ drift: 'its size is 2, not 3' }),
      [resourceKey('prod', 'net.dns')]: resource(),
    });
    const read = await api.call('GET', `/environments/prod?ns=${ns}`);
    expect(read).toMatchObject({
      status: 200,
      json: { id: 'prod', operation: 'op_1', revision: 1, createdAt: expect.any(String) },
    });
    expect(read.json.drift).toEqual([
      { resource: 'net.vnet', expected: expect.any(String), observed: 'its size is 2, not 3' },
    ]);
    const tag = { 'if-none-match': read.headers.ETag ?? '' };
    expect((await api.call('GET', `/environments/prod?ns=${ns}`, undefined, tag)).status).toBe(304);
    await seed(ns, 'prod', { [resourceKey('prod', 'net.vnet')]: resource() });
    const again = await api.call('GET', `/environments/prod?ns=${ns}`, undefined, tag);
    expect([again.status, again.json.drift]).toEqual([200, []]);
    expect((await api.call('GET', `/environments/none?ns=${ns}`)).status).toBe(404);
  });

  it('are listed by id, state and tags, in pages', async () => {
    const ns = 'listing';
    const red = { name: 'color', value: 'red' };
    const big = { name: 'size', value: 'a:b' };
    await seed(ns, 'b', { [environmentKey('b')]: environment('Deployed-OK', [red, big]) });
    await seed(ns, 'a', { [environmentKey('a')]: environment('Destroyed', [red]) });
    await seed(ns, 'c', { [environmentKey('c')]: environment('Deployed-OK', [big]) });
    const list = async (query: string) => ids(await api.call('GET', `/environments?ns=${ns}&${query}`));
    expect(await list('')).toEqual(['a', 'b', 'c']);
    expect(await list('state=Deployed-OK')).toEqual(['b', 'c']);
    expect(await list('tag=color:red')).toEqual(['a', 'b']);
    expect(await list('tag=color:red&tag=size:a:b')).toEqual(['b']);
    expect(await list('tag=size')).toEqual(['b', 'c']);
    const first = await api.call('GET', `/environments?ns=${ns}&limit=2`);
    expect(ids(first)).toEqual(['a', 'b']);
    const second = await api.call('GET', `/environments?ns=${ns}&limit=2&after=${first.json.next}`);
    expect([ids(second), second.json.next]).toEqual([['c'], undefined]);
  });

  it('are forgotten when they are destroyed and nothing works on them, whole, but for their fence', async () => {
    const ns = 'forgetting';
    const forget = (id: string) => api.services.environments.forget(ns, id, { actor: 'test' });
    await seed(ns, 'ok', { [environmentKey('ok')]: environment('Deployed-OK') });
    await expect(forget('ok')).rejects.toMatchObject({ kind: 'conflict' });
    await expect(forget('none')).rejects.toMatchObject({ kind: 'not-found' });
    const lane = environmentLaneKey('gone');
    const parts = Object.fromEntries(
      Array.from({ length: 45 }, (_, index) => [resourceKey('gone', `by-hand-${index}`), resource()]),
    );
    await seed(ns, 'gone', {
      [environmentKey('gone')]: environment('Destroyed'),
      [lane]: { waiting: ['op_2'], fence: 7 },
      [groupKey('gone', 'g')]: { name: 'g', tags: [], resources: [], dependencies: [] },
      ...parts,
    });
    await expect(forget('gone')).rejects.toMatchObject({ kind: 'conflict' });
    await seed(ns, 'gone', { [lane]: { waiting: [], fence: 7 } });
    await forget('gone');
    const { records } = await api.services.records.list(environmentScope(ns, 'gone'));
    expect(records.map(({ key, value }) => [key, value])).toEqual([[lane, { waiting: [], fence: 7 }]]);
    expect((await api.call('GET', `/environments/gone?ns=${ns}`)).status).toBe(404);
  });
});

describe('resources and groups', () => {
  it('are written down by hand, replaced, read and removed', async () => {
    const ns = 'life';
    await seed(ns, 'prod', { [environmentKey('prod')]: environment('Deployed-OK') });
    const path = `/resources/prod/mail?ns=${ns}`;
    const created = await api.call('PUT', path, {
      name: 'Mail',
      dependencies: [{ external: 'MX of example.org' }],
    });
    expect(created).toMatchObject({
      status: 201,
      headers: { Location: `http://skerry.test/api/v1${path}`, ETag: '"2"' },
      json: { id: 'mail', environment: 'prod', name: 'Mail', count: 1, status: 'ok', links: [], revision: 2 },
    });
    const same = await api.call('PUT', path, {
      name: 'Mail',
      dependencies: [{ external: 'MX of example.org' }],
    });
    expect([same.status, same.json]).toEqual([200, created.json]);
    const guarded = await api.call('PUT', path, { name: 'Post' }, { 'if-match': '"1"' });
    expect(guarded.status).toBe(412);
    expect((await api.call('PUT', path, { name: 'Post' }, { 'if-match': '"2"' })).json.name).toBe('Post');
    expect((await api.call('GET', path)).json.name).toBe('Post');
    const group = `/resource-groups/prod/comms?ns=${ns}`;
    expect((await api.call('PUT', group, { name: 'Comms', resources: ['mail'] })).status).toBe(201);
    const needed = await api.call('DELETE', path);
    expect([needed.status, needed.json.detail]).toEqual([409, 'It is needed by group:comms.']);
    expect((await api.call('DELETE', group)).status).toBe(204);
    expect((await api.call('DELETE', path)).status).toBe(204);
    for (const method of ['GET', 'DELETE']) {
      expect((await api.call(method, path)).status).toBe(404);
      expect((await api.call(method, group)).status).toBe(404);
    }
  });

  it('refuse what is not there, circles, what a template made, and environments that go', async () => {
    const ns = 'refusals';
    await seed(ns, 'prod', {
      [environmentKey('prod')]: environment('Deployed-OK'),
      [resourceKey('prod', 'net.vnet')]: resource(),
      [groupKey('prod', 'net.all')]: {
        ...{ name: 'All', tags: [], template: TEMPLATE },
        ...{ resources: ['net.vnet'], dependencies: [] },
      },
    });
    await seed(ns, 'old', { [environmentKey('old')]: environment('Destroying') });
    const put = async (path: string, body: object) => {
      const { status, json } = await api.call('PUT', `${path}?ns=${ns}`, { name: 'x', ...body });
      return [status, json.detail];
    };
    expect(await put('/resources/none/a', {})).toEqual([404, 'There is no environment "none".']);
    expect(await put('/resources/old/a', {})).toEqual([409, 'The environment "old" is Destroying.']);
    expect(await put('/resources/prod/a.b', {})).toEqual([400, expect.stringContaining('"id"')]);
    expect(await put('/resources/prod/a', { dependencies: ['b'] })).toEqual([
      422,
      'The environment has no "b".',
    ]);
    expect(await put('/resources/prod/a', { dependencies: ['group:g'] })).toEqual([
      422,
      'The environment has no "group:g".',
    ]);
    expect(await put('/resources/prod/a', { dependencies: ['a'] })).toEqual([
      422,
      'The dependencies go in a circle: a -> a.',
    ]);
    expect((await put('/resources/prod/a', { dependencies: ['group:net.all'] }))[0]).toBe(201);
    expect((await put('/resources/prod/b', { dependencies: ['a', 'net.vnet'] }))[0]).toBe(201);
    expect(await put('/resource-groups/prod/g', { resources: ['a'], dependencies: ['b'] })).toEqual([
      422,
      expect.stringMatching(/^The dependencies go in a circle: (a -> b -> a|b -> a -> b)\.$/),
    ]);
    expect(await put('/resource-groups/prod/g', { resources: ['c'] })).toEqual([
      422,
      'The environment has no "c".',
    ]);
    const made = await api.call('DELETE', `/resources/prod/net.vnet?ns=${ns}`);
    expect([made.status, made.json.detail]).toEqual([409, 'The template "net" made this resource.']);
  });

  it('are listed over all environments, in pages', async () => {
    const ns = 'pages';
    const blue = { tags: [{ name: 'color', value: 'blue' }] };
    for (const [index, id] of ['one', 'three', 'two'].entries()) {
      await seed(ns, id, {
        [environmentKey(id)]: environment('Deployed-OK'),
        [resourceKey(id, 'net.a')]: resource(index === 1 ? { ...blue, status: 'failed' } : {}),
        [resourceKey(id, 'net.b')]: resource(blue),
        [groupKey(id, 'net.g')]: { name: 'g', tags: [], resources: [], dependencies: [] },
      });
    }
    const list = async (query: string) => {
      const found: string[] = [];
      let next = '';
      do {
        const page = await api.call('GET', `/resources?ns=${ns}&${query}${next}`);
        found.push(
          ...page.json.items.map(
            (one: { environment: string; id: string }) => `${one.environment}/${one.id}`,
          ),
        );
        next = page.json.next === undefined ? '' : `&after=${page.json.next}`;
      } while (next !== '');
      return found;
    };
    const all = ['one/net.a', 'one/net.b', 'three/net.a', 'three/net.b', 'two/net.a', 'two/net.b'];
    expect(await list('')).toEqual(all);
    for (const limit of [1, 4]) expect(await list(`limit=${limit}`)).toEqual(all);
    expect(await list('limit=1&environment=three')).toEqual(['three/net.a', 'three/net.b']);
    expect(await list('limit=1&tag=color:blue')).toEqual([
      'one/net.b',
      'three/net.a',
      'three/net.b',
      'two/net.b',
    ]);
    expect(await list('status=failed')).toEqual(['three/net.a']);
    expect(ids(await api.call('GET', `/resource-groups?ns=${ns}`))).toEqual(['net.g', 'net.g', 'net.g']);
    expect((await api.call('GET', `/resources?ns=${ns}&after=bm9uc2Vuc2U`)).status).toBe(400);
  });
});
