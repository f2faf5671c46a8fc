import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import { Leases } from '../../../shared/records/index.ts';
import { Registry } from '../../../shared/registry/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { GRACE_SECONDS, TestClock } from './registry-fixture.ts';

let cosmos: CosmosFixture;
let services: Services;
let clock: TestClock;
let handlers: readonly RouteHandler[];

beforeAll(async () => {
  cosmos = await startCosmos();
  clock = new TestClock();
  const settings = readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
  });
  services = composeServices(settings);
  const registry = new Registry({
    records: services.records,
    leases: new Leases({ container: services.database.container('leases'), clock }),
    clock,
    expiredGraceSeconds: GRACE_SECONDS,
  });
  const app = Object.defineProperty(Object.create(services), 'registry', { value: registry });
  handlers = createRouteHandlers(endpoints, {
    services: app,
    access: app.access,
    settings,
    random: services.random,
  });
});

afterAll(async () => {
  services.database.client.dispose();
  await cosmos.stop();
});

const ROUTES = [
  'api/v1/services',
  'api/v1/services/{name}',
  undefined,
  'api/v1/services/{name}/instances/{id}',
  'api/v1/services/{name}/instances/{id}/heartbeat',
];

/** Calls the API without a host: the function whose route has as many segments as the path. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const segments = path.split('?')[0]?.split('/').length ?? 0;
  const handler = handlers.find(({ route }) => route === ROUTES[segments - 2]);
  const request = new Request(`http://skerry.test/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const invocation = { traceparent: undefined, logError: () => {} };
  const answer = await handler?.handle(request, invocation);
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return {
    status: answer?.status,
    headers: answer?.headers ?? {},
    json: text === '' ? undefined : JSON.parse(text),
  };
}

const PLAIN = { endpoints: { http: 'http://10.0.0.1:80' } };

describe('/api/v1/services/{name}/instances/{id}', () => {
  const path = '/services/web/instances/host1?ns=life';

  test('is created, read, replaced and deleted, with revision and entity tag throughout', async () => {
    const created = await call('PUT', path, { ...PLAIN, ttl: 10 });
    expect(created).toMatchObject({
      status: 201,
      headers: {
        ETag: '"1"',
        'X-Skerry-Revision': '1',
        Location: 'http://skerry.test/api/v1/services/web/instances/host1?ns=life',
      },
    });
    expect(created.json).toEqual({
      id: 'host1',
      ...PLAIN,
      ttl: 10,
      health: 'passing',
      expiresAt: expect.stringMatching(/Z$/),
      tags: [],
      weight: 1,
      metadata: {},
      revision: 1,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });
    const read = await call('GET', path);
    expect(read).toMatchObject({ status: 200, headers: { ETag: '"1"' }, json: created.json });
    expect(await call('HEAD', path)).toMatchObject({
      status: 200,
      headers: { ETag: '"1"' },
      json: undefined,
    });
    expect((await call('GET', path, undefined, { 'if-none-match': '"1"' })).status).toBe(304);

    const replaced = await call('PUT', path, { ...PLAIN, ttl: 10, status: 'draining' });
    expect(replaced).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: { health: 'draining' } });
    const again = await call('PUT', path, { ...PLAIN, ttl: 10, status: 'draining' });
    expect(again).toMatchObject({ status: 200, headers: { ETag: '"2"' } });

    expect(await call('PUT', `${path.replace('?', '/heartbeat?')}`)).toMatchObject({
      status: 204,
      json: undefined,
    });
    expect(await call('DELETE', path, undefined, { 'if-match': '"1"' })).toMatchObject({ status: 412 });
    const deleted = await call('DELETE', path, undefined, { 'if-match': '"2"' });
    expect(deleted).toMatchObject({ status: 204, headers: { 'X-Skerry-Revision': '3' } });
    for (const [method, gone] of [
      ['GET', path],
      ['HEAD', path],
      ['DELETE', path],
      ['PUT', path.replace('?', '/heartbeat?')],
    ] as const) {
      expect((await call(method, gone)).status).toBe(404);
    }
  });

  test('is created once by If-None-Match: *', async () => {
    const once = { 'if-none-match': '*' };
    expect((await call('PUT', '/services/once/instances/a', PLAIN, once)).status).toBe(201);
    expect(await call('PUT', '/services/once/instances/a', PLAIN, once)).toMatchObject({
      status: 412,
      json: { field: 'If-None-Match' },
    });
  });

  test.each([
    ['a wrong type', 'host1', { ...PLAIN, ttl: 'soon' }, 'ttl'],
    ['an unknown field', 'host1', { ...PLAIN, port: 80 }, 'port'],
    ['a bad endpoint', 'host1', { endpoints: { http: 'nowhere' } }, 'endpoints.http'],
    ['no endpoints', 'host1', {}, 'endpoints'],
    ['the id web-hooks', 'web-hooks', PLAIN, 'id'],
    ['an id that is no name', 'a b', PLAIN, 'id'],
  ])('refuses %s by naming the field', async (_, id, body, field) => {
    const answer = await call('PUT', `/services/bad/instances/${encodeURIComponent(id)}`, body);
    expect(answer).toMatchObject({ status: 400, json: { status: 400, field } });
    expect((await call('GET', '/services/bad')).status).toBe(404);
  });

  test('has no entity tag while it has lapsed, so that no 304 hides an expiry or a revival', async () => {
    const lapsing = '/services/lapsing/instances/host1';
    await call('PUT', lapsing, { ...PLAIN, ttl: 10 });
    clock.advance(15);
    const lapsed = await call('GET', lapsing, undefined, { 'if-none-match': '"1"' });
    expect(lapsed).toMatchObject({ status: 200, json: { health: 'expired', revision: 1 } });
    expect(lapsed.headers).not.toHaveProperty('ETag');
    const beat = await call('PUT', `${lapsing}/heartbeat`);
    expect(beat).toMatchObject({ status: 404, json: { fix: expect.stringContaining('Register it again') } });
  });
});

describe('/api/v1/services/{name}', () => {
  test('filters by bare ?passing, by all tags however they are joined, and by zone', async () => {
    await call('PUT', '/services/filter/instances/a', { ...PLAIN, tags: ['x', 'y'], zone: 'east' });
    await call('PUT', '/services/filter/instances/b', { ...PLAIN, tags: ['x'], status: 'draining' });
    const ids = async (query: string) => {
      const { json } = await call('GET', `/services/filter${query}`);
      return json.instances.map(({ id }: { id: string }) => id).join('');
    };
    expect(await ids('')).toBe('ab');
    expect(await ids('?passing')).toBe('a');
    expect(await ids('?passing=false')).toBe('ab');
    expect(await ids('?tag=x')).toBe('ab');
    expect(await ids('?tag=x&tag=y')).toBe('a');
    expect(await ids('?tag=x,y')).toBe('a');
    expect(await ids('?zone=east')).toBe('a');
    expect((await call('GET', '/services/filter?zones=east')).status).toBe(400);
  });

  test('is 304 as long as neither revision nor health has moved', async () => {
    await call('PUT', '/services/tagged/instances/a', { ...PLAIN, ttl: 10 });
    const { headers } = await call('GET', '/services/tagged');
    expect(headers).toMatchObject({ 'X-Skerry-Revision': '1', Age: '0' });
    const known = { 'if-none-match': headers.ETag ?? '' };
    clock.advance(6);
    await call('PUT', '/services/tagged/instances/a/heartbeat');
    expect((await call('GET', '/services/tagged', undefined, known)).status).toBe(304);
    clock.advance(15);
    expect(await call('GET', '/services/tagged', undefined, known)).toMatchObject({
      status: 200,
      json: { revision: 1, instances: [{ health: 'expired' }] },
    });
  });

  test('is 404 where nothing is registered', async () => {
    expect(await call('GET', '/services/nowhere')).toMatchObject({
      status: 404,
      json: { detail: 'There is no service "nowhere".' },
    });
  });
});

test('/api/v1/services lists services with their instances, in pages, without a revision', async () => {
  for (const name of ['a', 'b', 'c']) {
    await call('PUT', `/services/${name}/instances/host1?ns=many`, PLAIN);
  }
  const first = await call('GET', '/services?ns=many&limit=2');
  expect(first.json).toMatchObject({ items: [{ name: 'a', instances: [{ id: 'host1' }] }, { name: 'b' }] });
  expect(first.json).not.toHaveProperty('revision');
  expect(first.headers.ETag).toMatch(/^W\//);
  const second = await call('GET', `/services?ns=many&limit=2&after=${first.json.next}`);
  expect(second.json).toMatchObject({ items: [{ name: 'c' }] });
  expect(second.json.next).toBeUndefined();
  const known = { 'if-none-match': first.headers.ETag ?? '' };
  expect((await call('GET', '/services?ns=many&limit=2', undefined, known)).status).toBe(304);
});
