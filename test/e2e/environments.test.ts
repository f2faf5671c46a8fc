import { Ajv2020 } from 'ajv/dist/2020.js';
import { Webhook } from 'standardwebhooks';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { startApiServer } from '../integration/executors/api-server.ts';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

const DEADLINE = { timeout: 45_000, interval: 50 };

let skerry: { readonly url: string };
let api: HttpClient;

beforeAll(async () => {
  skerry = await shareSkerry('swept');
  api = connect(skerry.url);
});

interface Told {
  readonly subject: string;
  readonly data: { readonly after: { readonly state: string } };
}

interface ShownOperation {
  readonly id: string;
  readonly type: string;
  readonly state: string;
  readonly error?: { readonly reason: string; readonly step?: string };
  readonly progress: { readonly done: number; readonly total: number };
  readonly steps: readonly { readonly id: string; readonly state: string }[];
}

/** Two resources that are nothing but recorded, one after the other, and one that writes a key. */
const TEMPLATE = {
  name: 'Network',
  parameters: { size: { type: 'integer', default: 3 }, owner: { type: 'string' } },
  actions: [
    {
      name: 'write',
      executor: 'config',
      command: { keys: { 'env-e2e/${environment.id}': { size: `\${parameters.size}` } } },
    },
    { name: 'greet', executor: 'config', command: { keys: { 'env-e2e/greeting': `\${parameters.owner}` } } },
  ],
  resources: [
    { id: 'subnet', dependsOn: ['vnet'] },
    { id: 'vnet', tags: [{ name: 'layer', value: 'net' }] },
    { id: 'key', dependsOn: ['subnet'], actions: { create: 'write', destroy: 'write' } },
  ],
  resourceGroups: [{ id: 'all', resources: ['vnet', 'subnet'] }],
};

const USE = { id: 'net', parameters: { owner: 'sea' } };

async function useNamespace(ns: string): Promise<string> {
  expect((await api.put(`templates/net?ns=${ns}`, TEMPLATE)).status).toBe(201);
  return ns;
}

/** Expects an answer that starts work, and waits until the work is over. */
async function finish(answer: Answer): Promise<ShownOperation> {
  expect(answer, answer.text).toMatchObject({
    status: 202,
    headers: { 'operation-location': expect.stringContaining(`${skerry.url}/api/v1/operations/op_`) },
  });
  const location = String(answer.headers['operation-location']).slice(skerry.url.length);
  // What is accepted is there to be asked for, at once.
  expect((await api.get(location)).status).toBe(200);
  return await vi.waitFor(async () => {
    const { body, headers } = await api.get(location);
    const operation = body as ShownOperation;
    const isOver = ['succeeded', 'failed', 'cancelled'].includes(operation.state);
    expect(headers['retry-after']).toBe(isOver ? undefined : '1');
    expect(isOver).toBe(true);
    return operation;
  }, DEADLINE);
}

async function environmentOf(ns: string, id: string) {
  return (await api.get(`environments/${id}?ns=${ns}`)).body as Record<string, unknown>;
}

/** An app whose work goes on until it is cancelled. */
async function startEndlessWork() {
  const counts = { begun: 0, cancelled: 0 };
  const server = await startApiServer(({ method, url }) => {
    if (method === 'GET') {
      return { status: 200, body: { status: counts.cancelled > 0 ? 'cancelled' : 'running' } };
    }
    counts[url.pathname === '/' ? 'begun' : 'cancelled'] += 1;
    return { status: 202, headers: { 'operation-location': '/work' } };
  });
  return { server, counts };
}

const send = (method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) =>
  api.send(method, path, { body, headers });

const keyed = (key: string) => ({ 'idempotency-key': key });

describe.concurrent('an environment', () => {
  it('is left alone by whoever knows an older state of it, but not by the same request once more', async () => {
    const ns = await useNamespace('guarded');
    const path = `environments/e?ns=${ns}`;
    await finish(await api.post(`environments?ns=${ns}`, { id: 'e', name: 'E' }));
    const tag = String((await api.get(path)).headers.etag);
    const stale = { 'if-match': '"999999"' };
    for (const suffix of ['', '&dryRun=true']) {
      expectProblem(await send('PUT', path + suffix, { name: 'F' }, stale), 412);
      expectProblem(await send('PUT', path + suffix, { name: 'F' }, { 'if-none-match': '*' }), 412);
      expectProblem(await send('DELETE', path + suffix, undefined, stale), 412);
      const other = { id: 'other', name: 'O' };
      expectProblem(await send('POST', `environments?ns=${ns}${suffix}`, other, { 'if-match': '*' }), 412);
    }
    expectProblem(await send('POST', `environments/e/refresh?ns=${ns}`, {}, stale), 412);
    const guarded = { 'if-match': tag, ...keyed('guarded') };
    const { id } = await finish(await send('PUT', path, { name: 'F' }, guarded));
    const again = await send('PUT', path, { name: 'F' }, guarded);
    expect(again).toMatchObject({ status: 202, body: { id } });
    expect(await environmentOf(ns, 'e')).toMatchObject({ name: 'F', state: 'Deployed-OK' });
  });

  it('is planned, created, updated, destroyed and forgotten, and seen in its new state once the operation is over', async () => {
    const ns = await useNamespace('life');
    const path = `environments/prod?ns=${ns}`;
    const input = { id: 'prod', name: 'Production', templates: [USE] };
    const all = ['net.key', 'net.subnet', 'net.vnet'];

    const planned = await api.post(`environments?dryRun=true&ns=${ns}`, input);
    expect(planned).toMatchObject({ status: 200, body: { plan: { update: [], destroy: [], keep: [] } } });
    const { plan } = planned.body as { plan: { create: string[]; steps: { resource?: string }[] } };
    expect(plan.create.toSorted()).toEqual(['group:net.all', ...all]);
    expect(plan.steps.flatMap(({ resource }) => resource ?? [])).toEqual([
      'net.vnet',
      'net.subnet',
      'net.key',
    ]);
    expectProblem(await api.get(path), 404);

    const accepted = await api.post(`environments?ns=${ns}`, input);
    expect(accepted.headers).toMatchObject({
      location: `${skerry.url}/api/v1/${path}`,
      'retry-after': '1',
    });
    const created = await finish(accepted);
    expect(created).toMatchObject({
      type: 'environment.create',
      state: 'succeeded',
      progress: { done: 4, total: 4 },
    });
    expect(new Set(created.steps.map(({ state }) => state))).toEqual(new Set(['succeeded']));
    const environment = await environmentOf(ns, 'prod');
    expect(environment).toMatchObject({
      id: 'prod',
      name: 'Production',
      state: 'Deployed-OK',
      templates: [{ id: 'net', version: 1, parameters: { size: 3, owner: 'sea' } }],
    });
    await vi.waitFor(
      async () => expect(await environmentOf(ns, 'prod')).toMatchObject({ state: 'Deployed-OK', drift: [] }),
      DEADLINE,
    );
    expect((await api.get(`kv/env-e2e/prod?ns=${ns}`)).body).toEqual({ size: 3 });
    expect((await api.get(`resources?environment=prod&ns=${ns}`)).body).toMatchObject({
      items: all.map((id) => ({ id, environment: 'prod', status: 'ok', template: { id: 'net' } })),
    });
    expect((await api.get(`resource-groups/prod/net.all?ns=${ns}`)).body).toMatchObject({
      resources: ['net.vnet', 'net.subnet'],
    });
    expectProblem(await api.delete(`resources/prod/net.vnet?ns=${ns}`), 409);

    const change = { templates: [{ id: 'net', parameters: { owner: 'sea', size: 5 } }] };
    const updated = await finish(await api.put(path, change));
    expect(updated).toMatchObject({ type: 'environment.update', state: 'succeeded' });
    expect(await environmentOf(ns, 'prod')).toMatchObject({
      name: 'Production',
      templates: [{ parameters: { size: 5 } }],
    });
    expect((await api.get(`kv/env-e2e/prod?ns=${ns}`)).body).toEqual({ size: 5 });

    const greeted = await finish(await api.post(`environments/prod/actions/net.greet?ns=${ns}`, {}));
    expect(greeted).toMatchObject({ type: 'action.run', state: 'succeeded' });
    expect((await api.get(`kv/env-e2e/greeting?ns=${ns}`)).body).toBe('sea');
    await api.put(`kv/env-e2e/prod?ns=${ns}`, { size: 0 });
    expect(await finish(await api.send('POST', `environments/prod/refresh?ns=${ns}`))).toMatchObject({
      type: 'resource.refresh',
      state: 'succeeded',
    });
    expect((await environmentOf(ns, 'prod')).drift).toEqual([
      expect.objectContaining({ resource: 'net.key' }),
    ]);

    expectProblem(await api.delete(`${path}&forget=true`), 409);
    const undoing = await api.delete(`${path}&dryRun`);
    expect(undoing.body).toMatchObject({ plan: { create: [], destroy: expect.arrayContaining(all) } });
    const destroyed = await finish(await api.delete(path));
    expect(destroyed).toMatchObject({ type: 'environment.destroy', state: 'succeeded' });
    expect(await environmentOf(ns, 'prod')).toMatchObject({
      state: 'Destroyed',
      destroyedOn: expect.any(String),
    });
    expect((await api.get(`resources?ns=${ns}`)).body).toEqual({ items: [] });
    expectProblem(await api.delete(path), 409);
    expectProblem(await api.put(path, {}), 409);
    expectProblem(await api.post(`environments?ns=${ns}`, input), 409);
    expect((await api.delete(`${path}&forget=true`)).status).toBe(204);
    expectProblem(await api.get(path), 404);
    expectProblem(await api.delete(`${path}&forget=true`), 404);

    const listed = (await api.get(`operations?environment=prod&ns=${ns}`)).body as {
      items: ShownOperation[];
    };
    expect(listed.items.map(({ type }) => type)).toEqual([
      'environment.destroy',
      'resource.refresh',
      'action.run',
      'environment.update',
      'environment.create',
    ]);
    expect(listed.items.at(-1)).toMatchObject({ progress: { done: 4, total: 4 } });
    expect(listed.items[0]).not.toHaveProperty('steps');
  });

  it('is created once for one key, and the key is good for nothing else', async () => {
    const ns = await useNamespace('keys');
    const input = { id: 'one', name: 'One', templates: [USE] };
    const first = await Promise.all(
      Array.from({ length: 3 }, () => send('POST', `environments?ns=${ns}`, input, keyed('key-1'))),
    );
    expect(first.map(({ status }) => status)).toEqual([202, 202, 202]);
    const ids = new Set(first.map(({ body }) => (body as ShownOperation).id));
    expect(ids.size).toBe(1);
    await finish(first[0] as Answer);
    const later = await send('POST', `environments?ns=${ns}`, { ...input, tags: undefined }, keyed('key-1'));
    expect([later.status, (later.body as ShownOperation).id]).toEqual([202, [...ids][0]]);
    const other = await send('POST', `environments?ns=${ns}`, { ...input, name: 'Two' }, keyed('key-1'));
    expectProblem(other, 422, { field: 'Idempotency-Key' });
    expectProblem(await send('DELETE', `environments/one?ns=${ns}`, undefined, keyed('key-1')), 422);
    expectProblem(await send('DELETE', `environments/one?ns=${ns}`, undefined, keyed('a b')), 400);
    // By then it is there, and yet it is the same request.
    const put = () => send('PUT', `environments/two?ns=${ns}`, { name: 'Two' }, keyed('key-2'));
    const created = await finish(await put());
    expect(created.type).toBe('environment.create');
    expect(((await put()).body as ShownOperation).id).toBe(created.id);
    // Which of them comes first is open; that it is one alone is not.
    const rivals = await Promise.all(
      ['x', 'y', 'z'].map((id) => send('POST', `environments?ns=${ns}`, { id, name: id }, keyed('key-3'))),
    );
    expect(rivals.map(({ status }) => status).toSorted()).toEqual([202, 422, 422]);
    await finish(rivals.find(({ status }) => status === 202) as Answer);
    const total = (await api.get(`operations?ns=${ns}`)).body as { items: unknown[] };
    expect(total.items).toHaveLength(3);
    for (const id of ['x', 'y', 'z']) {
      const isThere = rivals.some(
        ({ status, body }) => status === 202 && (body as { session: string }).session === id,
      );
      const kept = await api.get(`watch/env/${id}?ns=${ns}`);
      const { items } = (kept.body as { resync: { items: unknown[] } }).resync;
      expect(items, kept.text).toHaveLength(isThere ? 2 : 0);
    }
  });

  it('is refused with what is wrong with it', async () => {
    const ns = await useNamespace('nonsense');
    const path = `environments?ns=${ns}`;
    const valid = { id: 'x', name: 'X', templates: [USE] };
    const faults: readonly [number, object, string?][] = [
      [400, {}, 'id'],
      [400, { ...valid, id: 'a/b' }, 'id'],
      [400, { ...valid, state: 'Deployed-OK' }, 'state'],
      [400, { ...valid, destructionPlannedOn: 'soon' }, 'destructionPlannedOn'],
      [422, { ...valid, templates: [{ id: 'none' }] }],
      [422, { ...valid, templates: [{ id: 'net', version: 9, parameters: USE.parameters }] }],
      [422, { ...valid, templates: [{ id: 'net' }] }],
      [422, { ...valid, templates: [{ id: 'net', parameters: { owner: 'a', size: 'b' } }] }],
    ];
    for (const [status, body, field] of faults) {
      for (const query of ['', '&dryRun=true']) {
        expectProblem(await api.post(path + query, body), status, field === undefined ? {} : { field });
      }
    }
    expectProblem(await api.put(`environments/none?ns=${ns}`, { tags: [] }), 400, { field: 'name' });
    for (const [method, route] of [
      ['DELETE', 'environments/none'],
      ['DELETE', 'environments/none?dryRun'],
      ['POST', 'environments/none/refresh'],
      ['POST', 'environments/none/actions/net.greet'],
      ['POST', 'operations/op_none/cancel'],
    ] as const) {
      const separator = route.includes('?') ? '&' : '?';
      expectProblem(await api.send(method, `${route}${separator}ns=${ns}`), 404);
    }
    expect((await api.get(`operations?ns=${ns}`)).body).toEqual({ items: [] });
    expectProblem(await api.get('operations/nonsense'), 400);
  });

  it('is worked on by one operation at a time, in turn, and operations can be cancelled', async () => {
    const ns = 'turns';
    const { server, counts } = await startEndlessWork();
    const template = {
      name: 'Endless',
      actions: [{ name: 'work', executor: 'http', app: { url: `${server.origin}/` }, command: {} }],
      resources: [
        { id: 'first', actions: { create: 'work' } },
        { id: 'second', dependsOn: ['first'] },
      ],
    };
    expect((await api.put(`templates/endless?ns=${ns}`, template)).status).toBe(201);
    const path = `environments/e?ns=${ns}`;
    const input = { id: 'e', name: 'E', templates: [{ id: 'endless' }] };
    const first = await api.post(`environments?ns=${ns}`, input);
    const { id } = first.body as ShownOperation;
    await vi.waitFor(() => expect(counts.begun).toBe(1), DEADLINE);
    expect(await environmentOf(ns, 'e')).toMatchObject({ state: 'Deploying', operation: id });
    expect((await api.get(`operations?state=running&ns=${ns}`)).body).toMatchObject({
      items: [{ id, progress: { done: 0, total: 2 } }],
    });
    const second = await api.put(path, { templates: [] });
    const third = await api.put(path, { templates: [], description: 'third' });
    const cancelled = await api.post(`operations/${(second.body as ShownOperation).id}/cancel?ns=${ns}`);
    expect(cancelled).toMatchObject({ status: 202, body: { state: 'cancelled' } });
    expect((await api.get(`operations/${(third.body as ShownOperation).id}?ns=${ns}`)).body).toMatchObject({
      state: 'queued',
      progress: { done: 0, total: 0 },
      steps: [],
    });

    expect((await api.post(`operations/${id}/cancel?ns=${ns}`)).status).toBe(202);
    const ended = await finish(first);
    expect(ended).toMatchObject({ state: 'cancelled', progress: { done: 2, total: 2 } });
    expect(ended.steps.map(({ state }) => state).toSorted()).toEqual(['cancelled', 'skipped']);
    expect(counts.cancelled).toBeGreaterThan(0);
    expectProblem(await api.post(`operations/${id}/cancel?ns=${ns}`), 409);
    expect(await finish(third)).toMatchObject({ state: 'succeeded' });
    expect(await environmentOf(ns, 'e')).toMatchObject({ description: 'third', templates: [] });
    await server.stop();
  });
});

describe.concurrent('commands', () => {
  const command = (id: string, type: string, data: unknown) => ({
    specversion: '1.0',
    id,
    source: 'urn:test',
    type,
    datacontenttype: 'application/json',
    data,
  });

  it('tell their callback how it goes, signed; and what they made is well once its status endpoint says so, and gone when that is planned', async () => {
    const ns = 'callbacks';
    let status = 503;
    const endpoint = await startApiServer(({ method }) => ({ status: method === 'GET' ? status : 204 }));
    const url = `${endpoint.origin}/`;
    const environment = { id: 'e', name: 'E', statusEndpoints: [url] };
    const create = { ...command('1', 'environment.create', { environment }), callback: url };
    const accepted = await api.post(`commands?ns=${ns}`, create);
    const { id, callbackSecret } = accepted.body as { id: string; callbackSecret: string };
    await finish(accepted);
    const verifier = new Webhook(callbackSecret);
    const told = () =>
      endpoint.calls
        .filter(({ method }) => method !== 'GET')
        .map(({ text, headers }) => verifier.verify(text, headers as Record<string, string>) as Told);
    await vi.waitFor(() => {
      const states = told().map(({ subject, data }) => [subject, data.after.state]);
      expect(states).toContainEqual([`/op/${id}`, 'queued']);
      expect(states).toContainEqual([`/op/${id}`, 'succeeded']);
    }, DEADLINE);
    expect((await api.get(`subscriptions?ns=${ns}`)).body).toMatchObject({
      items: [{ name: id, key: `/op/${id}`, endpoint: url, expiresAt: expect.any(String) }],
    });
    expect((await api.post(`commands?ns=${ns}`, create)).body).not.toHaveProperty('callbackSecret');

    await vi.waitFor(
      async () =>
        expect(await environmentOf(ns, 'e')).toMatchObject({
          state: 'Deployed-Validating',
          health: { state: 'unhealthy' },
          drift: [{ expected: 'healthy', observed: `${url}: HTTP 503` }],
        }),
      DEADLINE,
    );
    status = 200;
    await vi.waitFor(
      async () => expect(await environmentOf(ns, 'e')).toMatchObject({ state: 'Deployed-OK', drift: [] }),
      DEADLINE,
    );
    await finish(await api.put(`environments/e?ns=${ns}`, { statusEndpoints: [] }));
    await vi.waitFor(async () => {
      const changed = await environmentOf(ns, 'e');
      expect(changed.state).toBe('Deployed-OK');
      expect(changed).not.toHaveProperty('health');
    }, DEADLINE);
    const destructionPlannedOn = new Date(Date.now() + 2_000).toISOString();
    await finish(await api.put(`environments/e?ns=${ns}`, { destructionPlannedOn }));
    await vi.waitFor(
      async () =>
        expect(await environmentOf(ns, 'e')).toMatchObject({
          state: 'Destroyed',
          destructionWarnedOn: expect.any(String),
          destructionOperation: expect.stringMatching(/^op_/),
        }),
      DEADLINE,
    );
    await endpoint.stop();
  });

  it('are taken as CloudEvents, once', async () => {
    const ns = 'commands';
    const create = command('1', 'environment.create', { environment: { id: 'e', name: 'E' } });
    const post = (body: unknown) =>
      send('POST', `commands?ns=${ns}`, body, { 'content-type': 'application/cloudevents+json' });
    const operation = await finish(await post(create));
    expect(operation).toMatchObject({ type: 'environment.create', state: 'succeeded' });
    expect(((await post(create)).body as ShownOperation).id).toBe(operation.id);
    expectProblem(await post({ ...create, type: 'environment.explode' }), 422, { field: 'type' });
    expectProblem(await post({ ...create, data: { environment: 'e' } }), 400, { field: 'data.environment' });
    expectProblem(await post({ ...create, specversion: '0.3' }), 400, { field: 'specversion' });
    expectProblem(await post({ ...create, id: '2' }), 409);
    expectProblem(await post({ ...create, ns: 'other' }), 400, { field: 'ns' });
  });

  it('are described by schemas, which accept and refuse the same', async () => {
    const { items } = (await api.get('schemas/commands')).body as {
      items: { type: string; schema: string }[];
    };
    expect(items.map(({ type }) => type).toSorted()).toEqual([
      'action.run',
      'bundle.activate',
      'environment.create',
      'environment.destroy',
      'environment.update',
      'resource.refresh',
      'template.import',
    ]);
    for (const { type, schema } of items) {
      const answer = await api.get(schema.slice(skerry.url.length));
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-type': 'application/schema+json' },
        body: { $id: schema, $schema: 'https://json-schema.org/draft/2020-12/schema', title: type },
      });
      new Ajv2020({ strict: false, validateFormats: false }).compile(answer.body as object);
    }
    expectProblem(await api.get('schemas/commands/environment.explode'), 404);
  });
});
